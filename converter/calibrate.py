"""Similarity -> false-match rate, from every pair of pictures of different people."""

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from edge.models.card import Calibration
from edge.models.measure import COSINE, Measure

TARGET_RATES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7)
MIN_COMPARISONS = 30
"""The fewest comparisons that a point may rest on; the last point rests on exactly this many."""
RESAMPLES = 400
CHUNK = 512

Vectors = NDArray[np.float32]
Labels = NDArray[np.int_]
Names = Sequence[tuple[int, int]]


class Point(msgspec.Struct, frozen=True):
    """One point of a calibration, with what it rests on."""

    similarity: float
    false_match_rate: float
    low: float
    high: float
    """95 % interval of the rate, by bootstrap over people."""
    impostors_above: int
    true_match_rate: float | None
    """Share of the pairs of one person that are at least as similar; None: there are no such pairs."""


class Measurement(msgspec.Struct, frozen=True):
    """A calibration and the data behind it."""

    people: int
    pictures: int
    """Pictures with a face."""
    missed: int
    """Pictures without a face: left out of the impostors, counted as refused among the genuine pairs."""
    impostors: int
    genuine: int
    points: list[Point]


class _Tail(msgspec.Struct, frozen=True):
    """The most similar impostor comparisons, most similar first, and whose pictures they are."""

    similarities: NDArray[np.float32]
    first: Labels
    second: Labels


class _Faces(msgspec.Struct, frozen=True):
    """Unit vectors, the number of each one's person, and the people who are not compared with each other."""

    vectors: Vectors
    persons: Labels
    not_compared: Names
    measure: Measure = COSINE

    def comparisons(self, drawn: NDArray[np.float64] | None = None) -> float:
        """The number of pairs of pictures of different people, when each person occurs `drawn` times."""
        pictures = np.bincount(self.persons).astype(np.float64)
        held = pictures if drawn is None else pictures * drawn
        left_out = sum(held[a] * held[b] for a, b in self.not_compared)
        return float((held.sum() ** 2 - (held**2).sum()) / 2 - left_out)


def measure(
    vectors: Vectors, labels: Labels, not_compared: Names = (), seed: int = 0, similarity: Measure = COSINE
) -> Measurement:
    """Calibrate from unit vectors (n, d) and the number of each one's person; a row of NaN is a picture without a face.

    Pairs of people in `not_compared` do not count as impostors of each other, whatever the labels say.
    Raises DatasetError when there are too few comparisons.
    """
    seen = ~np.isnan(vectors[:, 0])
    counts = np.bincount(labels)
    faces = _Faces(vectors[seen], labels[seen], not_compared, similarity)
    count = round(faces.comparisons())
    if count * TARGET_RATES[0] < MIN_COMPARISONS:
        raise DatasetError(
            f"{count} comparisons of different people in {int(seen.sum())} pictures with a face: "
            f"at least {MIN_COMPARISONS / TARGET_RATES[0]:.0f} are needed to calibrate"
        )
    genuine = int((counts * (counts - 1) // 2).sum())
    points = _points(faces, count, genuine, seed)
    return Measurement(int((counts > 0).sum()), int(seen.sum()), int((~seen).sum()), count, genuine, points)


def calibration(measured: Measurement, data: str, command: str) -> Calibration:
    """The calibration for a card: rounded, without points that rounding made equal."""
    points: list[tuple[float, float]] = []
    for point in measured.points:
        rounded = round(point.similarity, 4), float(f"{point.false_match_rate:.2e}")
        if not points or (rounded[0] > points[-1][0] and rounded[1] < points[-1][1]):
            points.append(rounded)
    return Calibration(data, command, points)


def _points(faces: _Faces, count: int, genuine: int, seed: int) -> list[Point]:
    wanted = dict.fromkeys(int(rate * count) for rate in TARGET_RATES)
    ranks = np.array([*(rank for rank in wanted if rank > MIN_COMPARISONS), MIN_COMPARISONS])
    tail = _most_similar(faces, int(ranks[0]))
    low, high = _bootstrap(tail, faces, ranks, seed)
    same = genuine_similarities(faces.vectors, faces.persons, faces.measure)
    return [
        Point(
            similarity=float(at),
            false_match_rate=float(rank / count),
            low=float(least),
            high=float(most),
            impostors_above=int(rank),
            true_match_rate=float((same >= at).sum()) / genuine if genuine else None,
        )
        for at, rank, least, most in zip(tail.similarities[ranks - 1], ranks, low, high, strict=True)
    ]


def genuine_similarities(vectors: Vectors, persons: Labels, measure: Measure = COSINE) -> NDArray[np.float32]:
    """(pairs,) similarities of all pairs of pictures of one person."""
    parts = [np.empty(0, np.float32)]
    for person in np.unique(persons):
        own = vectors[persons == person]
        parts.append(measure.between(own, own)[np.triu_indices(len(own), 1)])
    return np.concatenate(parts)


def _impostors(faces: _Faces) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
    """Blocks of the matrix of similarities above its diagonal: first row, similarities, which are of two people."""
    for start in range(0, len(faces.vectors), CHUNK):
        rows, columns = faces.persons[start : start + CHUNK], faces.persons[start:]
        block = faces.measure.between(faces.vectors[start : start + CHUNK], faces.vectors[start:])
        wanted = np.triu(rows[:, None] != columns[None], 1)
        for a, b in faces.not_compared:
            wanted[np.ix_(rows == a, columns == b)] = False
            wanted[np.ix_(rows == b, columns == a)] = False
        yield start, block, wanted


def _most_similar(faces: _Faces, count: int) -> _Tail:
    """The `count` most similar impostor comparisons, without holding all of them at once."""
    floor, best = -math.inf, _Tail(np.empty(0, np.float32), np.empty(0, int), np.empty(0, int))
    for start, block, wanted in _impostors(faces):
        i, j = np.nonzero(wanted & (block >= floor))
        joined = np.concatenate([best.similarities, block[i, j]])
        order = np.argsort(-joined, kind="stable")[:count]
        first = np.concatenate([best.first, faces.persons[start + i]])[order]
        second = np.concatenate([best.second, faces.persons[start + j]])[order]
        best = _Tail(joined[order], first, second)
        floor = float(best.similarities[-1]) if len(order) == count else floor
    return best


def _bootstrap(tail: _Tail, faces: _Faces, ranks: Labels, seed: int) -> NDArray[np.float64]:
    """(2, n): 95 % interval of the rate at each rank, people being drawn with replacement.

    Comparisons of one person depend on each other, so that an interval for independent trials would be too narrow:
    Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap", CVIU 2004.
    """
    generator = np.random.default_rng(seed)
    size = int(faces.persons.max()) + 1
    there = np.unique(faces.persons)
    rates = np.empty((RESAMPLES, len(ranks)))
    for row in rates:
        drawn = np.bincount(generator.choice(there, len(there)), minlength=size).astype(np.float64)
        weighted = np.cumsum(drawn[tail.first] * drawn[tail.second])
        # Of few people, one alone may be drawn: then nothing is compared.
        row[:] = weighted[ranks - 1] / (faces.comparisons(drawn) or np.nan)
    interval: NDArray[np.float64] = np.nanpercentile(rates, [2.5, 97.5], axis=0)
    return interval
