"""Probe and gallery -> who it is, in an open set: most probes are of people who are not enrolled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Set
from itertools import accumulate
from typing import TYPE_CHECKING

from edge.config.loading import LoadedConfig
from edge.galleries.corrections import Anchors, Corrections, read_corrections
from edge.galleries.file import check_dimensions, open_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.models.card import Calibration, Card
from edge.models.measure import COSINE, Measure, measure_of
from edge.records import Candidate, Doubt, Match, Outcome, SeenFaces, Vector
from edge.visits.infrared_scale import infrared_scale, likeness
from edge.visits.thresholds import Bounds, name_margin, naming_scale, target_bounds, threshold_in_force

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np

CACHED_BYTES = 8 << 20
"""Up to this size BLAS searches a gallery faster: 0.6 of the time for 0.8 and 8 MB, and 1.2 from 12 MB on (Zen 3)."""


class Matcher:
    """A gallery and the current threshold."""

    def __init__(
        self,
        gallery: Gallery,
        threshold: float,
        min_margin: float,
        calibration: Calibration | None,
        anchors: Anchors | None = None,
        ignored: SeenFaces | None = None,
        infrared: Calibration | None = None,
        measure: Measure = COSINE,
    ) -> None:
        """`anchors` are visits that were not the person whom they resembled.

        `ignored` are strangers whom the owner wants ignored. `infrared` is the calibration for two infrared faces;
        None: they are compared like any others. `measure` is the similarity that all of this is about.
        """
        self.measure = measure
        self.gallery = gallery
        self.threshold = threshold
        self.min_margin = min_margin
        self.calibration = calibration
        self._anchors: Anchors = anchors or {}
        self._ignored = ignored
        self.scale = infrared_scale(infrared, calibration)
        """For two infrared faces; None: they are compared like any others."""
        self._infrared_rows = np.flatnonzero(gallery.faces.infrared)
        self._starts = [0, *accumulate(len(person.templates) for person in gallery.people)]
        """Where each person's rows begin, and the end."""

    @property
    def target_bounds(self) -> Bounds | None:
        """The range of false-alarm targets that the calibration covers for this gallery; None: not calibrated."""
        return target_bounds(self.calibration, len(self.gallery.embeddings))

    def match(self, probe: Vector, taken: Set[str] = frozenset(), probes: int = 1, *, infrared: bool = False) -> Match:
        """Match a unit vector (d,). People in `taken` are somebody else in the same picture.

        A probe whose nearest person is taken, and over the threshold, is uncertain: it cannot be them, and the second
        choice would be no better. `probes` is how many probes may name this visitor: the threshold rises with it, so
        that a stranger is called by a name no more often. `infrared`: the probe was seen in infrared light, where
        faces look more alike. Its similarities to infrared templates are lowered by what the calibrations differ.
        """
        threshold = self.threshold_for_probes(probes)
        ranked = self._ranked(probe, infrared)
        best = ranked[0] if ranked else None
        runner_up = ranked[1] if len(ranked) > 1 else None
        rate = self._rate(best.similarity) if best else None
        is_taken = best is not None and best.person_id in taken
        outcome, doubt = outcome_of(best, runner_up, threshold, self.min_margin, taken=is_taken)
        if outcome is Outcome.RECOGNIZED and best is not None and self._rejected(best, probe, infrared):
            outcome, doubt = Outcome.UNKNOWN, Doubt.REJECTED
        return Match(outcome, best, runner_up, threshold, rate, doubt)

    def ignores(self, probe: Vector, *, infrared: bool = False) -> bool:
        """Whether a stranger, a unit vector (d,), is one of those to ignore. `infrared` as for `match`.

        Another stranger is ignored no more often than one is called by a name: the bar is the threshold, for as many
        comparisons as there are strangers to ignore.
        """
        if self._ignored is None:
            return False
        nearest = likeness(SeenFaces.of(probe, infrared=infrared), self._ignored, self.scale, self.measure).max()
        return float(nearest) >= self.ignoring_similarity

    @property
    def ignoring_similarity(self) -> float:
        """The similarity from which a stranger is one of those to ignore."""
        count = 0 if self._ignored is None else len(self._ignored.vectors)
        if self.calibration is None or count == 0:
            return self.threshold
        rate = self.calibration.rate_at(self.threshold) * max(1, len(self.gallery.embeddings)) / count
        return max(self.threshold, self.calibration.similarity_at(rate)[0])

    def _rejected(self, best: Candidate, probe: Vector, infrared: bool) -> bool:
        """Whether the probe is clearly nearer to a rejected visit than to the person.

        Clearly means by the lead that a name needs over a second person. It only ever takes a name away.
        """
        anchors = self._anchors.get(best.person_id)
        if anchors is None:
            return False
        nearest = likeness(SeenFaces.of(probe, infrared=infrared), anchors, self.scale, self.measure).max()
        return float(nearest) - best.similarity >= self.min_margin

    def threshold_for_probes(self, probes: int) -> float:
        """The similarity that a name needs if the gallery is asked with so many probes (Bonferroni's bound).

        Without a calibration it is the one threshold there is.
        """
        if self.calibration is None or probes == 1:
            return self.threshold
        stricter, _ = self.calibration.similarity_at(self.calibration.rate_at(self.threshold) / probes)
        return max(self.threshold, stricter)

    def _ranked(self, probe: Vector, infrared: bool) -> list[Candidate]:
        """The two most similar people. A person is as similar as their most similar template."""
        if not self.gallery.people:
            return []
        cosine = self.measure is COSINE
        known = self.gallery.embeddings
        similarities = _products(known, probe) if cosine else self.measure.between(known, probe[None])[:, 0]
        if infrared and self.scale is not None and self._infrared_rows.size:
            similarities[self._infrared_rows] = self.scale.translated(similarities[self._infrared_rows])
        found = []
        for _ in range(min(2, len(self.gallery.people))):
            row = int(similarities.argmax())
            i = bisect_right(self._starts, row) - 1
            person = self.gallery.people[i]
            found.append(Candidate(person.id, person.name, float(similarities[row])))
            similarities[self._starts[i] : self._starts[i + 1]] = -np.inf
        return found

    def _rate(self, similarity: float) -> float | None:
        """The FPIR at a similarity: how often a stranger is this similar to some template of the gallery."""
        if self.calibration is None:
            return None
        rate = self.calibration.rate_at(similarity)
        return float(1.0 - (1.0 - rate) ** len(self.gallery.embeddings))


def _products(rows: NDArray[np.float32], probe: Vector) -> NDArray[np.float32]:
    """(n,) products of rows (n, d) and a vector (d,), as fast as the rows can be read.

    BLAS (`@`) is faster as long as they are in the cache, and slower afterwards; numpy before 2.0 has nothing else.
    """
    large = rows.nbytes > CACHED_BYTES and hasattr(np, "vecdot")
    products: NDArray[np.float32] = np.vecdot(rows, probe) if large else rows @ probe
    return products


def outcome_of(
    best: Candidate | None, runner_up: Candidate | None, threshold: float, min_margin: float, *, taken: bool
) -> tuple[Outcome, Doubt | None]:
    """The outcome for the two most similar people, and why it is uncertain.

    `taken`: another face in the same picture has the best one's name.
    """
    if best is None or best.similarity < threshold:
        return Outcome.UNKNOWN, Doubt.TAKEN if taken else None
    if taken:
        return Outcome.UNCERTAIN, Doubt.TAKEN
    if runner_up is not None and best.similarity - runner_up.similarity < min_margin:
        return Outcome.UNCERTAIN, Doubt.MARGIN
    return Outcome.RECOGNIZED, None


def load_matcher(
    loaded: LoadedConfig, card: Card, gallery: Gallery | None = None, corrections: Corrections | None = None
) -> Matcher:
    """Make a matcher for the gallery and what the owner has corrected, by default the configured one's.

    Raises GalleryError and ModelError.
    """
    embedder, dimensions = EmbedderId(card.name, card.sha256), card.outputs[0][1]
    known = gallery or open_gallery(loaded.gallery_path, embedder, loaded.gallery_keys, dimensions)
    check_dimensions(str(loaded.gallery_path), known.embeddings, embedder, dimensions)
    threshold = threshold_in_force(loaded, card, known)
    if corrections is None:
        corrections = read_corrections(loaded.gallery_path, embedder, dimensions)
    return Matcher(
        known,
        threshold.similarity,
        name_margin(loaded.config.match, naming_scale(loaded.config.match, card)),
        card.naming_calibration,
        corrections.anchored_faces(),
        corrections.ignored_faces(),
        card.naming_infrared_calibration,
        measure_of(card),
    )
