"""Triplets: a face must be nearer to another one of its person than to anybody else's, by a margin."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.sources import keras_of
from converter.training.dataset import Dataset
from converter.training.heads import Batch, Head, HeadSettings
from converter.training.mining import HardNegatives

MARGIN = 0.2
"""The margin between squared distances of unit vectors."""


def triplet(network: Any, settings: HeadSettings) -> Head:
    """FaceNet's: Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015."""
    vector = keras_of(3).layers.UnitNormalization(name="unit")(network.output)
    return Head(keras_of(3).Model(network.input, vector), semi_hard(settings.margin), [])


def semi_hard(margin: float = MARGIN) -> Callable[[Any, Any], Any]:
    """The loss over all pairs of one person in the batch, each with the nearest other that is farther away.

    It takes `person` (n,) or (n, 1) and `vectors` (n, d) of length one. Where nobody is farther, the farthest other
    counts.
    """

    def loss(person: Any, vectors: Any) -> Any:
        ops = keras_of(3).ops
        person = ops.reshape(person, (-1,))
        same = ops.equal(person[:, None], person[None, :])
        squared = ops.maximum(2.0 - 2.0 * ops.matmul(vectors, ops.transpose(vectors)), 0.0)
        others = ops.logical_not(same)[:, None, :]
        distances = squared[:, None, :]
        farther = ops.logical_and(others, distances > squared[:, :, None])
        nearest = ops.min(ops.where(farther, distances, 8.0), axis=2)
        farthest = ops.max(ops.where(others, distances, 0.0), axis=2)
        negative = ops.where(ops.any(farther, axis=2), nearest, farthest)
        pairs = ops.cast(same, "float32") - ops.eye(ops.shape(vectors)[0])
        return ops.sum(ops.relu(squared - negative + margin) * pairs) / ops.maximum(ops.sum(pairs), 1.0)

    return loss


def draw_people(dataset: Dataset, size: int, random: np.random.Generator, hard: HardNegatives | None) -> Batch:
    """Four pictures of each of some people, so that every picture has partners: (pixels, person)."""
    count = max(2, size // 4)
    people = random.permutation(len(dataset.people))[:count] if hard is None else hard.people(count, random)
    chosen = np.concatenate([dataset.some(int(p), 4, random) for p in people])
    return dataset.pixels(chosen), dataset.person[chosen].astype(np.float32)
