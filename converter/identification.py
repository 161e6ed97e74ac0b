"""Open-set identification: which of the enrolled people is it, or none of them?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces
from edge.models.measure import COSINE, Measure

FALSE_POSITIVE_RATES = (1e-2, 1e-3)
CONFUSED_LIMIT = 10
NOBODY = -1.0
"""How similar a probe without a face is to everybody."""


class Split(msgspec.Struct, frozen=True):
    """Who is enrolled with which pictures, and what is asked."""

    enrolled: dict[str, list[Path]]
    known: dict[str, list[Path]]
    """Other pictures of the enrolled."""
    unknown: dict[str, list[Path]]
    """Pictures of people who are not enrolled."""


class Rate(msgspec.Struct, frozen=True):
    """The detection and identification rate at a given rate of strangers called by a name."""

    false_positive_rate: float
    """FPIR as asked for."""
    threshold: float
    identified: float
    """DIR: share of known probes that are called by their own name, over the threshold."""
    strangers_above: int
    """On how many strangers' probes the figure rests."""


class ConfusedPeople(msgspec.Struct, frozen=True):
    """One person's pictures nearest to another person."""

    person: str
    taken_for: str
    times: int


class Identification(msgspec.Struct, frozen=True):
    """The results of an embedder in open-set identification."""

    people: int
    templates: int
    known_probes: int
    unknown_probes: int
    missed: int
    """Pictures without a face, enrolled or asked; they count as not identified."""
    rank_one: float
    """Share of known probes whose nearest person is the right one."""
    rates: list[Rate]
    confused: list[ConfusedPeople]


def split(people: Mapping[str, Sequence[Path]], each: int) -> Split:
    """Every second person with enough pictures is enrolled with the first `each`; who is not enrolled is a stranger.

    Raises DatasetError when nobody is left to be enrolled, to be asked, or to be a stranger.
    """
    able = [name for name, pictures in people.items() if len(pictures) > each]
    chosen = able[::2]
    parts = Split(
        {name: list(people[name][:each]) for name in chosen},
        {name: list(people[name][each:]) for name in chosen},
        {name: list(pictures) for name, pictures in people.items() if name not in set(chosen)},
    )
    if not parts.enrolled or not parts.unknown:
        raise DatasetError(
            f"people: found {len(people)}, {len(able)} of them with at least {each + 1} pictures; one to be enrolled "
            "and another to be a stranger are needed"
        )
    return parts


def identify(parts: Split, embedded: EmbeddedFaces, measure: Measure = COSINE) -> Identification:
    """Search every probe among the enrolled; a person is as near as their nearest template."""
    names = list(parts.enrolled)
    templates = [embedded.matrix(parts.enrolled[name]) for name in names]
    owners = [name for name, pictures in parts.known.items() for _ in pictures]
    asked = embedded.matrix([p for pictures in parts.known.values() for p in pictures])
    strangers = embedded.matrix([p for pictures in parts.unknown.values() for p in pictures])
    known, foreign = _nearest(asked, templates, measure), _nearest(strangers, templates, measure)
    best = known.argmax(1)
    seen = known.max(1) > NOBODY
    right = np.array([names[i] == owner for i, owner in zip(best, owners, strict=True)]) & seen
    mistaken = zip(owners, best, seen & ~right, strict=True)
    wrong = Counter((owner, names[i]) for owner, i, named in mistaken if named)
    everything = np.concatenate([asked, strangers, *templates])
    return Identification(
        people=len(names),
        templates=sum(len(t) for t in templates),
        known_probes=len(asked),
        unknown_probes=len(strangers),
        missed=int(np.isnan(everything[:, 0]).sum()),
        rank_one=float(right.mean()),
        rates=[_rate(known.max(1), right, foreign.max(1), rate) for rate in FALSE_POSITIVE_RATES],
        confused=[ConfusedPeople(a, b, n) for (a, b), n in wrong.most_common(CONFUSED_LIMIT)],
    )


def _nearest(
    probes: NDArray[np.float32], templates: Sequence[NDArray[np.float32]], measure: Measure
) -> NDArray[np.float64]:
    """(probes, people) similarity to the nearest template of each person; NOBODY without a face."""
    columns = []
    for own in templates:
        similar = measure.between(probes, own).astype(np.float64)
        columns.append(np.where(np.isnan(similar), NOBODY, similar).max(1))
    return np.stack(columns, 1)


def _rate(best: NDArray[np.float64], right: NDArray[np.bool_], foreign: NDArray[np.float64], rate: float) -> Rate:
    """The threshold lies just above the first stranger that is too many."""
    ranked = np.sort(foreign)[::-1]
    allowed = min(int(rate * len(ranked) + 1e-9), len(ranked) - 1)
    threshold = float(ranked[allowed])
    identified = float((right & (best > threshold)).mean())
    return Rate(rate, threshold, identified, int((foreign > threshold).sum()))
