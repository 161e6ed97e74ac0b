"""How similar two faces are: by cosine, or as a Siamese network has learnt it. Whatever asks for a name compares here.

What links the faces of one visit, groups strangers and chooses templates goes by the cosine in any case, and by its
calibration: it was made for that, and serves every embedder alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import ModelError
from edge.models.card import Card, LearnedSimilarity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
else:
    from edge import lazy_numpy as np

    Vectors = Any

ROWS_AT_ONCE = 4096
"""Bounds the memory: that many vectors of differences at a time."""


class Measure(Protocol):
    """A symmetric similarity of unit vectors; two equal ones have 1."""

    def between(self, some: Vectors, others: Vectors) -> NDArray[np.float32]:
        """(n, m): of each of n vectors (n, d) to each of m (m, d). Not a number where a vector is none."""

    def of_pairs(self, some: Vectors, others: Vectors) -> NDArray[np.float64]:
        """(n,): of the vectors (n, d) to those in the same row (n, d)."""


class Cosine:
    """The cosine of the angle between them, -1 to 1."""

    def between(self, some: Vectors, others: Vectors) -> NDArray[np.float32]:
        found: NDArray[np.float32] = some @ others.T
        return found

    def of_pairs(self, some: Vectors, others: Vectors) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.einsum("nd,nd->n", some.astype(np.float64), others.astype(np.float64))
        return found


COSINE = Cosine()


class WeightedL1:
    """sigmoid(bias - sum of weights x |differences|), as a share of what two equal vectors get: 0 to 1."""

    def __init__(self, learned: LearnedSimilarity) -> None:
        self._weights = np.array(learned.weights, np.float32)
        self._bias = learned.bias

    def between(self, some: Vectors, others: Vectors) -> NDArray[np.float32]:
        if len(some) < len(others):
            # The loop goes over the fewer ones.
            turned: NDArray[np.float32] = np.ascontiguousarray(self.between(others, some).T)
            return turned
        distances = np.empty((len(some), len(others)), np.float32)
        for start in range(0, len(some), ROWS_AT_ONCE):
            part = some[start : start + ROWS_AT_ONCE]
            for number, other in enumerate(others):
                distances[start : start + ROWS_AT_ONCE, number] = np.abs(part - other) @ self._weights
        return self._similarity(distances).astype(np.float32)

    def of_pairs(self, some: Vectors, others: Vectors) -> NDArray[np.float64]:
        distances = np.abs(some.astype(np.float64) - others.astype(np.float64)) @ self._weights.astype(np.float64)
        return self._similarity(distances)

    def _similarity(self, distances: NDArray[np.floating]) -> NDArray[np.float64]:
        # sigmoid(bias - distance) / sigmoid(bias), without overflow.
        far = distances.astype(np.float64) - self._bias
        found: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, far) + math.log1p(math.exp(-self._bias)))
        return found


def learned_measure(card: Card) -> WeightedL1 | None:
    """The similarity that the card carries, whether it is in force or not; None: it carries none.

    Raises ModelError when it does not fit the embedder.
    """
    learned = card.similarity
    if learned is None:
        return None
    if len(learned.weights) != card.outputs[0][-1]:
        raise ModelError(
            f"the card of {card.name!r}: similarity.weights: found {len(learned.weights)} numbers; allowed: "
            f"{card.outputs[0][-1]}, one per number of its vectors"
        )
    return WeightedL1(learned)


def measure_of(card: Card) -> Measure:
    """By what the card says that faces are compared for a name. Raises ModelError."""
    learned = learned_measure(card)
    return learned if learned is not None and card.similarity is not None and card.similarity.in_force else COSINE
