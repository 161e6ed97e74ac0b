"""What an embedder is trained with: triplets, Siamese pairs or class labels, each on a head that is thrown away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.sources import keras_of
from converter.training.dataset import Dataset, Numbers

MARGIN = 0.2
"""The margin between squared distances of unit vectors."""
SHARPNESS = 16.0
"""The factor on cosines before the softmax, which would stay flat between -1 and 1."""

Batch = tuple[Any, NDArray[np.float32]]


class Head(NamedTuple):
    """How an embedder is trained."""

    model: Any
    """Keras: pixels 0..255 in."""
    loss: Any
    metrics: list[str]


@dataclass(frozen=True, slots=True)
class Loss:
    """A head, and how to draw batches for it."""

    head: Callable[[Any, int], Head]
    """(training network: pixels -> vector, number of people)"""
    draw: Callable[[Dataset, int, np.random.Generator], Batch]


def triplet(network: Any, _people: int) -> Head:
    """FaceNet's: Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015."""
    layers = keras_of(3).layers
    vector = layers.UnitNormalization(name="unit")(network.output)
    return Head(keras_of(3).Model(network.input, vector), semi_hard, [])


def siamese(network: Any, _people: int) -> Head:
    """L1 distance and a sigmoid: Koch et al., "Siamese Neural Networks for One-shot Image Recognition", 2015."""
    keras = keras_of(3)
    first, second = (keras.Input(network.input.shape[1:], name=name) for name in ("first", "second"))
    unit = keras.layers.UnitNormalization(name="unit")
    # Scaled so that each number is about one, and differences are large enough for the sigmoid.
    longer = float(network.output.shape[-1]) ** 0.5
    apart = keras.ops.abs(unit(network(first)) - unit(network(second))) * longer
    same = keras.layers.Dense(1, activation="sigmoid", name="same")(apart)
    return Head(keras.Model([first, second], same), "binary_crossentropy", ["accuracy"])


def classes(network: Any, people: int) -> Head:
    """A label classifier by cosine: Wang et al., "NormFace: L2 Hypersphere Embedding for Face Verification", 2017."""
    keras = keras_of(3)
    unit = keras.layers.UnitNormalization(name="unit")(network.output)
    straight = keras.constraints.UnitNorm(axis=0)
    cosines = keras.layers.Dense(people, use_bias=False, kernel_constraint=straight, name="people")(unit)
    labels = keras.layers.Softmax(name="labels")(cosines * SHARPNESS)
    return Head(keras.Model(network.input, labels), "sparse_categorical_crossentropy", ["accuracy"])


def semi_hard(person: Any, vectors: Any) -> Any:
    """Scalar loss over all pairs of one person in the batch, each with the nearest other that is farther away.

    `person` (n,) or (n, 1), `vectors` (n, d) of length one. Where nobody is farther, the farthest other counts.
    """
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
    return ops.sum(ops.relu(squared - negative + MARGIN) * pairs) / ops.maximum(ops.sum(pairs), 1.0)


def draw_people(dataset: Dataset, size: int, random: np.random.Generator) -> Batch:
    """Four pictures of each of some people, so that every picture has partners: (pixels, person)."""
    people = random.permutation(len(dataset.people))[: max(2, size // 4)]
    chosen = np.concatenate([_some(dataset, int(p), 4, random) for p in people])
    return dataset.pixels(chosen), dataset.person[chosen].astype(np.float32)


def draw_pairs(dataset: Dataset, size: int, random: np.random.Generator) -> Batch:
    """Half of the pairs of one person, half of two: ((pixels, pixels), 1 or 0)."""
    pairs = []
    for number in range(max(2, size // 2)):
        first, second = random.choice(len(dataset.people), 2, replace=False)
        one = _some(dataset, int(first), 2, random)
        pairs.append(one if number % 2 == 0 else [one[0], _some(dataset, int(second), 1, random)[0]])
    left, right = np.array(pairs).T
    same = (dataset.person[left] == dataset.person[right]).astype(np.float32)
    return (dataset.pixels(left), dataset.pixels(right)), same[:, None]


def draw_pictures(dataset: Dataset, size: int, random: np.random.Generator) -> Batch:
    """Random pictures: (pixels, person)."""
    chosen = random.choice(len(dataset), min(size, len(dataset)), replace=False)
    return dataset.pixels(chosen), dataset.person[chosen].astype(np.float32)


def _some(dataset: Dataset, person: int, count: int, random: np.random.Generator) -> Numbers:
    own = dataset.own(person)
    return random.choice(own, min(count, len(own)), replace=False).astype(np.int32)


LOSSES = {
    "triplet": Loss(triplet, draw_people),
    "siamese": Loss(siamese, draw_pairs),
    "classes": Loss(classes, draw_pictures),
}
