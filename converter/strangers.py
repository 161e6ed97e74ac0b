"""Strangers who come again: how often a stranger's visits are grouped, and how often two strangers are taken for one.

The box's own rule decides, with the bar that follows from target, calibration and the number of strangers kept.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from converter.datasets import DatasetError
from edge.events import Event, EventKind
from edge.models.card import Calibration
from edge.records import Match, Outcome, Vector, direction
from edge.visits.strangers import KnownStrangers, Stranger, StrangerWatch

UNKNOWN = Match(Outcome.UNKNOWN, None, None, 1.0, None)
Visits = list[tuple[str, Vector]]
"""Whose visit, and its probe, in the order in which they come."""


class Street(msgspec.Struct, frozen=True):
    """Streets of one size, together: strangers who come to a box that knows none of them at first."""

    target: float
    """The false-alarm target."""
    strangers: int
    faces: int
    """How many pictures make a visit."""
    streets: int
    bar: float
    """The similarity that two visits need, at the end of a street; the mean of all streets."""
    again: int
    """Visits of people who had come before."""
    grouped: int
    """How many of `again` got the number of the same person."""
    astray: int
    """How many of `again` got a number whose first visitor was somebody else."""
    first: int
    """First visits of a person."""
    merged: int
    """How many of `first` were taken for somebody who had come before."""
    mixed: int
    """Numbers that two people or more have got, of all that were given."""
    numbers: int


def simulate(
    faces: Mapping[str, NDArray[np.float32]],
    strangers: int,
    each: int,
    streets: int,
    target: float,
    calibration: Calibration,
) -> Street:
    """Draw streets, the same ones every time. Raises DatasetError when there are too few people with enough pictures.

    `faces` are unit vectors (n, d) by person. Everybody comes at least twice, with `each` pictures per visit, all
    visits in random order; all of them are kept.
    """
    able = [name for name, vectors in faces.items() if len(vectors) >= 2 * each]
    if len(able) < strangers:
        raise DatasetError(
            f"people with {2 * each} usable pictures, enough for two visits: found {len(able)}; {strangers} are needed"
        )
    rng = np.random.default_rng(0)
    counts = np.zeros(7, int)
    bars = []
    for _ in range(streets):
        chosen = [able[i] for i in rng.choice(len(able), strangers, replace=False)]
        watch = StrangerWatch(calibration, target)
        counts += _play(watch, _visits(faces, chosen, each, rng))
        bars.append(watch.bar)
    return Street(target, strangers, each, streets, float(np.mean(bars)), *map(int, counts))


def _visits(vectors: Mapping[str, NDArray[np.float32]], people: Sequence[str], each: int, rng: Generator) -> Visits:
    found: Visits = []
    for name in people:
        rows = rng.permutation(len(vectors[name]))
        groups = [rows[i : i + each] for i in range(0, len(rows) - each + 1, each)]
        found += [(name, direction(vectors[name][group].sum(0))) for group in groups]
    return [found[i] for i in rng.permutation(len(found))]


def _play(watch: StrangerWatch, visits: Visits) -> NDArray[np.int_]:
    """(again, grouped, astray, first, merged, mixed, numbers)."""
    known: dict[int, Stranger] = {}
    sums: dict[int, Vector] = {}
    who: dict[int, list[str]] = {}
    come: set[str] = set()
    again = grouped = astray = merged = 0
    watch.add_numbers(range(1, len(visits) + 1))
    for name, probe in visits:
        number = _told(watch, probe)
        before = who.setdefault(number, [])
        again += name in come
        grouped += name in come and before[:1] == [name]
        astray += name in come and before[:1] not in ([], [name])
        merged += name not in come and bool(before)
        come.add(name)
        before.append(name)
        sums[number] = sums[number] + probe if number in sums else probe
        known[number] = Stranger(number, len(before), 0.0, 0.0, direction(sums[number]))
        watch.known = KnownStrangers(tuple(known.values()))
    mixed = sum(len(set(people)) > 1 for people in who.values())
    return np.array([again, grouped, astray, len(come), merged, mixed, len(who)])


def _told(watch: StrangerWatch, probe: Vector) -> int:
    """The number that the box gives to a visit."""
    event = Event(EventKind.ENDED, "visit", 1, 0.0, 0.0, 0.0, match=UNKNOWN, probe=probe)
    told = watch.mark(event, 0.0).stranger
    if told is None:
        raise ValueError("a visit got no number, although there are enough")
    return told.number
