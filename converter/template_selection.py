"""Which of a person's pictures become templates: no near-duplicates, nobody else's face, a few that differ most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from edge.records import Image, Quality, Vector

POSE_WEIGHT = LIGHT_WEIGHT = 0.25
POSE_SPAN_DEG = 45.0
LIGHT_SPAN = 100.0


class Fate(StrEnum):
    """The result for a picture."""

    IN = "in"
    DUPLICATE = "near-duplicate"
    SURPLUS = "surplus"
    SET_ASIDE = "set aside"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One usable picture of a person."""

    source: str
    vector: Vector
    quality: Quality
    thumbnail: Image
    taken_at: str
    """RFC 3339, UTC."""
    choice: str = ""
    """Why this face of the picture, in words; empty: it is the only one."""
    infrared: bool = False
    """Whether the picture is grey."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureVerdict:
    """The result for one picture, and the reason."""

    source: str
    fate: Fate
    reason: str
    thumbnail: Image
    quality: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The templates of each person by id, and the verdict on every picture that was usable."""

    chosen: dict[str, list[Shot]]
    verdicts: dict[str, list[PictureVerdict]]


def select(
    shots: Mapping[str, Sequence[Shot]], names: Mapping[str, str], threshold: float, limit: int, near_copy: float
) -> Selection:
    """Choose at most `limit` shots per person.

    Faces at least `threshold` alike can be taken for each other; of two that are `near_copy` alike, one is enough.
    """
    verdicts: dict[str, list[PictureVerdict]] = {person: [] for person in shots}
    distinct = {person: _distinct(some, near_copy, verdicts[person]) for person, some in shots.items()}
    own = _set_aside(distinct, names, threshold, verdicts)
    chosen = {}
    for person, some in own.items():
        kept = cover(some, limit)
        chosen[person] = [shot for shot in some if any(shot is one for one in kept)]
        for shot in some:
            if any(shot is one for one in kept):
                verdicts[person].append(_verdict(shot, Fate.IN, shot.choice))
            else:
                verdicts[person].append(_verdict(shot, Fate.SURPLUS, f"{limit} others cover pose and light better"))
    return Selection(chosen, verdicts)


def _verdict(shot: Shot, fate: Fate, reason: str) -> PictureVerdict:
    return PictureVerdict(shot.source, fate, reason, shot.thumbnail, shot.quality.score)


def _distinct(shots: Sequence[Shot], near_copy: float, verdicts: list[PictureVerdict]) -> list[Shot]:
    """The shots without near-duplicates, of which the best one stays; in the order given."""
    kept: list[Shot] = []
    for shot in sorted(shots, key=lambda s: -s.quality.score):
        twin = next((other for other in kept if float(shot.vector @ other.vector) >= near_copy), None)
        if twin is None:
            kept.append(shot)
        else:
            likeness = float(shot.vector @ twin.vector)
            verdicts.append(_verdict(shot, Fate.DUPLICATE, f"nearly the same as {twin.source} ({likeness:.2f})"))
    return [shot for shot in shots if any(shot is one for one in kept)]


def _set_aside(
    shots: Mapping[str, list[Shot]],
    names: Mapping[str, str],
    threshold: float,
    verdicts: dict[str, list[PictureVerdict]],
) -> dict[str, list[Shot]]:
    """Take out the shots that look like somebody else, the worst first.

    One by one: a stray picture makes its rightful owner's pictures look like strays as well, until it is gone.
    """
    left = {person: list(some) for person, some in shots.items()}
    while (stray := _worst_stray(left, threshold)) is not None:
        person, index, other, nearest, likeness = stray
        shot = left[person].pop(index)
        reason = f"looks like {names[other]} ({nearest}, {likeness:.2f}), not like the others in its folder"
        verdicts[person].append(_verdict(shot, Fate.SET_ASIDE, reason))
    return left


def _worst_stray(shots: Mapping[str, list[Shot]], threshold: float) -> tuple[str, int, str, str, float] | None:
    """(person, index, whom it looks like, their picture, similarity) of the shot most unlike its own people."""
    people = [person for person, some in shots.items() if some]
    if len(people) < 2:
        return None
    counts = np.array([len(shots[person]) for person in people])
    vectors = np.stack([shot.vector for person in people for shot in shots[person]])
    owners = np.repeat(np.arange(len(people)), counts)
    starts = np.cumsum([0, *counts[:-1]])
    worst, found = 0.0, None
    for row, (owner, vector) in enumerate(zip(owners, vectors, strict=True)):
        if counts[owner] < 2:
            # A single picture has nothing to be unlike.
            continue
        likeness = vectors @ vector
        means = np.add.reduceat(likeness, starts) / counts
        own = (likeness[owners == owner].sum() - likeness[row]) / (counts[owner] - 1)
        means[owner] = -1.0
        other = int(means.argmax())
        theirs = np.where(owners == other, likeness, -1.0)
        nearest = int(theirs.argmax())
        if theirs[nearest] >= threshold and means[other] - own > worst:
            worst = float(means[other] - own)
            place = people[owner], int(row - starts[owner]), people[other]
            found = (*place, shots[people[other]][nearest - starts[other]].source, float(theirs[nearest]))
    return found


def cover(shots: Sequence[Shot], limit: int) -> list[Shot]:
    """At most `limit` shots that differ in pose, light and looks: the best one, then always the one farthest
    from those taken, weighted with its quality (farthest-point sampling, Gonzalez 1985).
    """
    if len(shots) <= limit:
        return list(shots)
    apart = _distances(shots)
    scores = np.array([max(shot.quality.score, 0.05) for shot in shots])
    taken = [int(scores.argmax())]
    while len(taken) < limit:
        gain = apart[:, taken].min(1) * scores
        gain[taken] = -1.0
        taken.append(int(gain.argmax()))
    return [shots[i] for i in sorted(taken)]


def _distances(shots: Sequence[Shot]) -> NDArray[np.float64]:
    vectors = np.stack([shot.vector for shot in shots]).astype(np.float64)
    turn = np.array([(shot.quality.pose.yaw, shot.quality.pose.pitch) for shot in shots])
    light = np.array([shot.quality.brightness for shot in shots])
    turned = np.linalg.norm(turn[:, None] - turn[None], axis=2) / POSE_SPAN_DEG
    lit = np.abs(light[:, None] - light[None]) / LIGHT_SPAN
    apart: NDArray[np.float64] = 1.0 - vectors @ vectors.T
    apart += POSE_WEIGHT * np.minimum(turned, 1.0) + LIGHT_WEIGHT * np.minimum(lit, 1.0)
    return apart
