"""May the templates of one network be compared with the faces that another one embeds?"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.calibrate import CHUNK, Labels, Names, Vectors
from converter.datasets import DatasetError


class Agreement(msgspec.Struct, frozen=True):
    """How alike the embeddings of the same faces are."""

    faces: int
    mean: float
    """Cosine."""
    least: float


class MixedRate(msgspec.Struct, frozen=True):
    """How often faces match at a similarity, with templates of one network and probes of another."""

    templates: str
    probes: str
    similarity: float
    impostors: int
    """Comparisons of different people; each picture is a template for all others, and a probe."""
    false_matches: int
    genuine: int
    """Comparisons of different pictures of one person."""
    true_matches: int

    @property
    def false_match_rate(self) -> float:
        return self.false_matches / max(self.impostors, 1)

    @property
    def true_match_rate(self) -> float:
        return self.true_matches / max(self.genuine, 1)


def agreement(one: Vectors, other: Vectors) -> Agreement:
    """Compare unit vectors (n, d) of the same pictures. Raises DatasetError when no row has a face in both."""
    cosines = (one * other).sum(1)
    cosines = cosines[~np.isnan(cosines)]
    if not cosines.size:
        raise DatasetError("found no face in any picture: nothing can be compared")
    return Agreement(cosines.size, float(cosines.mean()), float(cosines.min()))


def mixed_rates(
    named: tuple[str, str],
    vectors: tuple[Vectors, Vectors],
    labels: Labels,
    similarities: Sequence[float],
    not_compared: Names = (),
) -> list[MixedRate]:
    """Compare every picture's template with every other one's probe, at each similarity.

    `vectors` are unit vectors (n, d) of templates and probes, in the order of `labels`, the number of each one's
    person; a row of NaN is a picture without a face, and is left out.
    """
    seen = ~np.isnan(vectors[0][:, 0]) & ~np.isnan(vectors[1][:, 0])
    templates, probes, persons = vectors[0][seen], vectors[1][seen], labels[seen]
    counts = np.zeros((len(similarities), 2), np.int64)
    impostors = genuine = 0
    for start in range(0, len(templates), CHUNK):
        block = templates[start : start + CHUNK] @ probes.T
        other, same = _kinds(persons, start, not_compared)
        impostors, genuine = impostors + int(other.sum()), genuine + int(same.sum())
        counts += [[(block[other] >= at).sum(), (block[same] >= at).sum()] for at in similarities]
    return [
        MixedRate(*named, at, impostors, int(false), genuine, int(true))
        for at, (false, true) in zip(similarities, counts, strict=True)
    ]


def _kinds(persons: Labels, start: int, not_compared: Names) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which comparisons of some rows with all others are of different people, and of one person's other pictures."""
    rows = persons[start : start + CHUNK]
    same = rows[:, None] == persons[None]
    other = ~same
    same[np.arange(len(rows)), start + np.arange(len(rows))] = False
    for a, b in not_compared:
        other[np.ix_(rows == a, persons == b)] = False
        other[np.ix_(rows == b, persons == a)] = False
    return other, same
