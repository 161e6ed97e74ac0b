"""Vector x gallery -> who it is: open set, with a threshold that follows from a false-alarm target."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from edge.card import Calibration
from edge.galleries.gallery import Gallery
from edge.records import Candidate, Match, Outcome, Vector


class MatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sure a name must be."""

    false_alarm_target: Annotated[float, Meta(gt=0, le=0.5)] = 0.001
    """How often a stranger may be called by a name: 0.001 is one stranger in a thousand (FPIR)."""
    min_margin: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """How much more similar the first person must be than the second; less is `uncertain`."""
    threshold: Annotated[float, Meta(ge=-1, le=1)] | None = None
    """A cosine similarity that overrides the calibration; only for an embedder without one."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The similarity in force, and where it comes from."""

    similarity: float
    calibrated: bool
    within_data: bool
    """False: the target is rarer than the calibration's data could show; the strictest measured one is used."""


def threshold_for(settings: MatchSettings, calibration: Calibration | None, templates: int) -> Threshold | None:
    """The similarity at which a stranger meets a gallery of that many templates falsely as rarely as asked.

    With false-match rate f a comparison, N templates give FPIR = 1 - (1 - f)^N (Grother et al., NIST IR
    8271, taking comparisons as independent, which overstates it). None: no calibration and no override.
    """
    if settings.threshold is not None:
        return Threshold(settings.threshold, calibrated=False, within_data=True)
    if calibration is None:
        return None
    rate = 1.0 - (1.0 - settings.false_alarm_target) ** (1.0 / max(1, templates))
    similarity, within = calibration.similarity_at(rate)
    return Threshold(similarity, calibrated=True, within_data=within)


class Matcher:
    """A gallery with the threshold in force."""

    def __init__(self, gallery: Gallery, threshold: float, min_margin: float, calibration: Calibration | None) -> None:
        self.gallery = gallery
        self.threshold = threshold
        self.min_margin = min_margin
        self.calibration = calibration
        counts = [len(person.templates) for person in gallery.people]
        self._starts = np.cumsum([0, *counts[:-1]]) if counts else np.zeros(0, np.intp)

    def match(self, probe: Vector, taken: Set[str] = frozenset()) -> Match:
        """Who a unit vector (d,) is. People in `taken` are somebody else in the same picture.

        A probe that is nearest to one of them, over the threshold, is uncertain: it cannot be them, and
        it should not become the second choice either.
        """
        ranked = self._ranked(probe)
        best = ranked[0] if ranked else None
        runner_up = ranked[1] if len(ranked) > 1 else None
        rate = self._rate(best.similarity) if best else None
        return Match(self._outcome(best, runner_up, taken), best, runner_up, self.threshold, rate)

    def _outcome(self, best: Candidate | None, runner_up: Candidate | None, taken: Set[str]) -> Outcome:
        if best is None or best.similarity < self.threshold:
            return Outcome.UNKNOWN
        if best.person_id in taken:
            return Outcome.UNCERTAIN
        if runner_up is not None and best.similarity - runner_up.similarity < self.min_margin:
            return Outcome.UNCERTAIN
        return Outcome.RECOGNIZED

    def _ranked(self, probe: Vector) -> list[Candidate]:
        """The two nearest people; a person is as near as their nearest template."""
        if not self.gallery.people:
            return []
        scores = np.maximum.reduceat(self.gallery.embeddings @ probe, self._starts)
        order = np.argsort(-scores, kind="stable")[:2]
        people = self.gallery.people
        return [Candidate(people[i].id, people[i].name, float(scores[i])) for i in order]

    def _rate(self, similarity: float) -> float | None:
        """How often a stranger is at least so similar to some template of this gallery (FPIR at this similarity)."""
        if self.calibration is None:
            return None
        rate = self.calibration.rate_at(similarity)
        return float(1.0 - (1.0 - rate) ** len(self.gallery.embeddings))
