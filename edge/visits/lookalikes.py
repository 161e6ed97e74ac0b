"""Which people of a gallery cannot be told apart, what margin would tell them apart, and which photos would help.

Each template of two people who look alike is tried as a visitor's face, against the other templates of both, by the
matcher's rule. That is stricter than a visit, which adds up several faces.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.galleries.gallery import Gallery, Person
from edge.models.card import Calibration
from edge.models.measure import COSINE, Measure
from edge.models.similarity import alike, same_person, spread
from edge.records import SeenFaces
from edge.terminal import plural
from edge.visits.infrared_scale import InfraredScale, likeness

SURELY_THE_SAME = 0.9
"""Hardly any two people in millions of pairs are so similar, with the bundled embedder."""
SAME = (
    "this is the same picture, or one person under two names: `whosthere gallery remove` one of them, or enrol the "
    "right photo"
)
CAMERA = (
    "enrol more photos of both as the door sees them, with `whosthere enroll --camera`; visits of twins may stay "
    "`uncertain`"
)
ENOUGH = 3
"""How many templates everybody should have: beyond five, more hardly help."""
GOOD = 0.5
"""The quality that a template should have."""


class LookAlikes(msgspec.Struct, frozen=True):
    """Two people whom the embedder can mistake for each other."""

    ids: tuple[str, str]
    names: tuple[str, str]
    similarity: float
    """The similarity of their two most similar templates; of two infrared ones, on the scale of ordinary ones."""
    photos: tuple[str, str]
    """The sources of those two."""
    false_match_rate: float | None
    """How many pairs of strangers are as similar; None: the embedder is not calibrated."""
    tried: int
    """How many templates were tried as a visitor's face: those of people with more than one."""
    named: int
    """How many of them would be called by the right name."""
    uncertain: int
    wrong: int
    """How many would be called by the other's name."""
    lead: float | None
    """The least lead of the right person over the other; negative: one is more like the other. None: nothing tried."""
    margin: float | None
    """The largest match.min_margin that tells all that were tried apart; None: none does, or nothing was tried."""
    advice: list[str]
    """What would help, in sentences; empty where the photos can be told apart."""


@dataclass(frozen=True, slots=True)
class MatchRule:
    """What a name needs."""

    threshold: float
    min_margin: float
    """In similarity: `name_margin`."""
    calibration: Calibration | None
    scale: InfraredScale | None = None
    """For two infrared templates; None: they are compared like any others."""
    measure: Measure = COSINE

    @property
    def same(self) -> float:
        """The similarity from which two faces are taken for one person; without a calibration, the threshold."""
        return same_person(self.calibration) if self.calibration else self.threshold


def look_alikes(gallery: Gallery, rule: MatchRule) -> list[LookAlikes]:
    """The pairs of people who look alike, most similar first.

    A visitor is uncertain where both people are nearly equally similar, which can happen from the threshold less the
    margin on.
    """
    people, counts = gallery.people, [len(person.templates) for person in gallery.people]
    starts = np.cumsum([0, *counts])
    faces = gallery.faces
    rows = [_part(faces, start, end) for start, end in pairwise(starts)]
    found: list[LookAlikes] = []
    for i, one in enumerate(people[:-1]):
        # All others at once: a gallery may hold thousands.
        rest = starts[i + 1]
        best = likeness(rows[i], _part(faces, rest, None), rule.scale, rule.measure).max(0)
        nearest = np.maximum.reduceat(best, starts[i + 1 : -1] - rest)
        near = np.flatnonzero(nearest >= rule.threshold - rule.min_margin) + i + 1
        found += [_pair(_Pair.of(one, people[j], rows[i], rows[j], rule), rule) for j in near]
    return sorted(found, key=lambda pair: -pair.similarity)


def pair_in_words(pair: LookAlikes, min_margin: float) -> str:
    """Say how alike two people are, and what margin would tell them apart."""
    one, other = pair.names
    said = f"{one} and {other} look alike ({pair.similarity:.2f}): visits of either may come out as `uncertain`."
    if pair.false_match_rate is not None:
        said += f" At most one pair of strangers in {1 / pair.false_match_rate:,.0f} is as similar."
    if pair.lead is None:
        return f"{said} With one photo each, nothing says by how much they could be told apart."
    said += (
        f" Of {plural(pair.tried, 'photo')} tried as a visitor's, {pair.named} named, {pair.uncertain} uncertain, "
        f"{pair.wrong} called by the other's name, {pair.tried - pair.named - pair.uncertain - pair.wrong} unknown:"
    )
    if pair.margin is None:
        return f"{said} no margin tells all of them apart."
    if pair.margin >= min_margin:
        return f"{said} they are told apart by {pair.lead:.2f} (match.min_margin is {min_margin:.2f})."
    enough = math.floor(pair.margin * 1000) / 1000
    return f"{said} a match.min_margin of {enough:.3f} would tell them apart (it is {min_margin:.2f})."


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two people, n and m templates, and how alike those are."""

    one: Person
    other: Person
    a: NDArray[np.float32]
    """(n, n)."""
    b: NDArray[np.float32]
    """(m, m)."""
    across: NDArray[np.float32]
    """(n, m)."""

    @classmethod
    def of(cls, one: Person, other: Person, seen: SeenFaces, others: SeenFaces, rule: MatchRule) -> "_Pair":
        a, b, across = (
            likeness(x, y, rule.scale, rule.measure) for x, y in ((seen, seen), (others, others), (seen, others))
        )
        return cls(one, other, a, b, across)

    def trials(self) -> "list[_Trial]":
        """Every template as a visitor's face; without those that are their person's only one."""
        found = [*_trials(self.one, self.a, self.across)]
        return [*found, *_trials(self.other, self.b, self.across.T)]

    def without(self, trial: "_Trial") -> "_Pair":
        """The pair without the template of a trial."""
        if trial.person is self.one:
            keep = np.arange(len(self.a)) != trial.index
            return _Pair(_less(self.one, trial.index), self.other, self.a[keep][:, keep], self.b, self.across[keep])
        keep = np.arange(len(self.b)) != trial.index
        return _Pair(self.one, _less(self.other, trial.index), self.a, self.b[keep][:, keep], self.across[:, keep])


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A template, tried as a visitor's face."""

    person: Person
    index: int
    own: float
    """Its similarity to the nearest other template of its person."""
    others: float
    """Its similarity to the nearest template of the other person."""

    @property
    def source(self) -> str:
        return self.person.templates[self.index].source


def _trials(person: Person, among: NDArray[np.float32], across: NDArray[np.float32]) -> Iterator[_Trial]:
    if len(among) < 2:
        return
    own = among - 4 * np.eye(len(among), dtype=np.float32)
    for i, (nearest, others) in enumerate(zip(own.max(1), across.max(1), strict=True)):
        yield _Trial(person, i, float(nearest), float(others))


def _part(faces: SeenFaces, start: int, end: int | None) -> SeenFaces:
    return SeenFaces(faces.vectors[start:end], faces.infrared[start:end])


def _less(person: Person, index: int) -> Person:
    return msgspec.structs.replace(person, templates=[t for i, t in enumerate(person.templates) if i != index])


def _pair(pair: _Pair, rule: MatchRule) -> LookAlikes:
    i, j = np.unravel_index(int(pair.across.argmax()), pair.across.shape)
    similarity = float(pair.across[i, j])
    trials = pair.trials()
    lead = min((trial.own - trial.others for trial in trials), default=None)
    named = sum(t.own >= rule.threshold and t.own - t.others >= rule.min_margin for t in trials)
    wrong = sum(t.others >= rule.threshold and t.others - t.own >= rule.min_margin for t in trials)
    close = sum(max(t.own, t.others) >= rule.threshold and abs(t.own - t.others) < rule.min_margin for t in trials)
    return LookAlikes(
        ids=(pair.one.id, pair.other.id),
        names=(pair.one.name, pair.other.name),
        similarity=similarity,
        photos=(pair.one.templates[i].source, pair.other.templates[j].source),
        false_match_rate=rule.calibration.rate_at(similarity) if rule.calibration else None,
        tried=len(trials),
        named=named,
        uncertain=close,
        wrong=wrong,
        lead=lead,
        margin=lead / spread(rule.same) if lead is not None and lead > 0 else None,
        advice=_advice(pair, similarity, trials, rule),
    )


def _advice(pair: _Pair, similarity: float, trials: list[_Trial], rule: MatchRule) -> list[str]:
    one, other = pair.one, pair.other
    if similarity >= alike(SURELY_THE_SAME, rule.same):
        return [SAME]
    said = [
        f"{t.source} of {t.person.name} is more like {(other if t.person is one else one).name} ({t.others:.2f}) than "
        f"like the other photos of {t.person.name} ({t.own:.2f}): check who is in it"
        for t in trials
        if t.others > t.own
    ]
    if better := _without_one(pair, trials, rule):
        said.append(better)
    for person in (one, other):
        if (count := len(person.templates)) < ENOUGH:
            photos = "photo" if count == 1 else "photos"
            said.append(
                f"enrol more photos of {person.name}, who has {count} {photos}; three to five that differ help most"
            )
        said += [
            f"replace {t.source} of {person.name}, of quality {t.quality:.2f}, with a sharp photo from the front"
            for t in person.templates
            if t.quality < GOOD
        ]
    apart = bool(trials) and min(t.own - t.others for t in trials) >= rule.min_margin
    return said or ([] if apart else [CAMERA])


def _without_one(pair: _Pair, trials: list[_Trial], rule: MatchRule) -> str | None:
    """Which template's removal would tell the two apart; None: there is none, or they can be told apart as it is."""
    if not trials or min(t.own - t.others for t in trials) >= rule.min_margin:
        return None
    best, lead = None, rule.min_margin
    for trial in trials:
        left = [t.own - t.others for t in pair.without(trial).trials()]
        if left and min(left) >= lead:
            best, lead = trial, min(left)
    if best is None:
        return None
    return f"without {best.source} of {best.person.name}, the two can be told apart by a margin of {lead:.2f}"
