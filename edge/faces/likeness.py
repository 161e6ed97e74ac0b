"""How alike the photos of one person are, by the embedder's calibration, and which of them belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.models.card import Calibration
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
UNCALIBRATED = {STRAY_RATE: 0.35, CHOICE_RATE: 0.45}
UNCALIBRATED_LEAD = 0.1
REPEATED = 0.95
"""Photos of one moment are this similar, and count once among the photos that agree."""


@dataclass(frozen=True, slots=True)
class LikenessBar:
    """Similarities that the photos of one person exceed."""

    calibration: Calibration | None
    """None: the embedder has none, and fixed similarities are used."""

    def similarity(self, rate: float, comparisons: int = 1) -> float:
        """The similarity that a stranger reaches at most that often in so many comparisons (Bonferroni's bound)."""
        if self.calibration is None:
            return UNCALIBRATED[rate]
        return self.calibration.similarity_at(rate / max(1, comparisons))[0]

    def leads(self, best: float, second: float) -> bool:
        """Whether one face is clearly more like the person than another one."""
        if self.calibration is None:
            return best - second >= UNCALIBRATED_LEAD
        return self.calibration.rate_at(second) >= LEAD * self.calibration.rate_at(best)


def main_group(vectors: Sequence[Vector], anchors: int, bar: LikenessBar) -> NDArray[np.bool_]:
    """Which of a person's vectors belong together: those linked to one of the first `anchors`, which are certain.

    Without anchors: the largest group, photos of one moment counting once. Where two groups are equally large nobody
    can say which of them is the person, and all belong.
    """
    if not vectors:
        return np.zeros(0, np.bool_)
    alike = np.stack(vectors) @ np.stack(vectors).T
    groups = _linked(alike >= bar.similarity(STRAY_RATE, len(vectors) - 1))
    if anchors:
        return np.isin(groups, groups[:anchors])
    first_of_moment = ~np.tril(alike >= REPEATED, -1).any(1)
    sizes = np.bincount(groups[first_of_moment])
    largest = np.flatnonzero(sizes == sizes.max())
    return groups == largest[0] if len(largest) == 1 else np.ones(len(vectors), np.bool_)


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
