"""How alike the photos of one person are, by the embedder's calibration, and which of them belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.models.card import Calibration
from edge.models.similarity import NEAR_COPY, alike, same_person, spread
from edge.records import Vector

STRAY_RATE = 1e-2
"""A photo must be more like some other of its person than this share of strangers would be.

On lfw-dev (people with 3, 5 and 8 photos, 1,500 draws each) that sets aside 0.27, 0.15 and 0.10 % of people's own
photos, and 98.1, 99.3 and 99.1 % of photos of somebody else put among them.
"""
CHOICE_RATE = 1e-3
"""The same, for one face among several in a photo."""
LEAD = 10.0
"""How many times more strangers must be as like the person as the second face is than as the first."""


@dataclass(frozen=True, slots=True)
class LikenessBar:
    """Similarities that the photos of one person exceed."""

    calibration: Calibration
    """The embedder's, or what is assumed without one: `similarity_scale`."""

    def alike(self, similarity: float) -> float:
        """The similarity that means here what `similarity` means for the bundled embedder."""
        return alike(similarity, same_person(self.calibration))

    def shown(self, similarity: float) -> str:
        """A similarity in figures: more of them where all faces are alike."""
        return f"{similarity:.{2 if spread(same_person(self.calibration)) > 0.1 else 5}f}"

    def similarity(self, rate: float, comparisons: int = 1) -> float:
        """The similarity that a stranger reaches at most that often in so many comparisons (Bonferroni's bound)."""
        return self.calibration.similarity_at(rate / max(1, comparisons))[0]

    def leads(self, best: float, second: float) -> bool:
        """Whether one face is clearly more like the person than another one."""
        return self.calibration.rate_at(second) >= LEAD * self.calibration.rate_at(best)


def main_group(vectors: Sequence[Vector], anchors: int, bar: LikenessBar) -> NDArray[np.bool_]:
    """Which of a person's vectors belong together: those linked to one of the first `anchors`, which are certain.

    Without anchors: the largest group, photos of one moment, which are near-copies, counting once. Where two groups are
    equally large, or none holds half of the photos, nobody can say which of them is the person, and all belong.
    """
    if not vectors:
        return np.zeros(0, np.bool_)
    likeness = np.stack(vectors) @ np.stack(vectors).T
    groups = _linked(likeness >= bar.similarity(STRAY_RATE, len(vectors) - 1))
    if anchors:
        return np.isin(groups, groups[:anchors])
    first_of_moment = ~np.tril(likeness >= bar.alike(NEAR_COPY), -1).any(1)
    sizes = np.bincount(groups[first_of_moment])
    largest = np.flatnonzero(sizes == sizes.max())
    certain = len(largest) == 1 and 2 * sizes.max() >= sizes.sum()
    return groups == largest[0] if certain else np.ones(len(vectors), np.bool_)


def _linked(near: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Number the connected components of a symmetric relation (n, n), by the first row of each."""
    group = np.full(len(near), -1, np.intp)
    for start in range(len(near)):
        if group[start] >= 0:
            continue
        reached = near[start].copy()
        reached[start] = True
        while (grown := near[reached].any(0) | reached).sum() > reached.sum():
            reached = grown
        group[reached] = start
    return group
