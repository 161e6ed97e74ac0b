"""Pairs of pictures, half of one person and half of two: a Siamese network, and the contrastive loss."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.sources import keras_of
from converter.training.dataset import Dataset
from converter.training.heads import Batch, Head, HeadSettings
from converter.training.mining import HardNegatives
from edge.models.card import LearnedSimilarity

STRANGERS_APART = 4.0
"""The weighted distance of two strangers, about, before anything is learnt."""
CONTRASTIVE_MARGIN = 1.0
"""The distance of unit vectors from which two people are far enough apart."""


def siamese(network: Any, _settings: HeadSettings) -> Head:
    """L1 distance and a sigmoid: Koch et al., "Siamese Neural Networks for One-shot Image Recognition", 2015."""
    keras, inputs, one, other = _both(network)
    # Scaled so that each number is about one, and differences are large enough for the sigmoid.
    longer = float(network.output.shape[-1]) ** 0.5
    apart = keras.ops.abs(one - other) * longer
    # Only distances that make two people less alike: then two equal faces are the most alike, as the box needs.
    start = keras.initializers.Constant(-STRANGERS_APART / network.output.shape[-1])
    bias = keras.initializers.Constant(STRANGERS_APART / 2)
    same = keras.layers.Dense(
        1, activation="sigmoid", name="same", kernel_initializer=start, bias_initializer=bias,
        kernel_constraint=lambda kernel: -keras.ops.relu(-kernel),
    )(apart)  # fmt: skip
    return Head(keras.Model(inputs, same), "binary_crossentropy", ["accuracy"])


def own_similarity(head: Any, dimensions: int) -> LearnedSimilarity:
    """What the head of a Siamese network has learnt, for a card."""
    kernel, bias = head.get_layer("same").get_weights()
    weights = [round(max(0.0, -float(weight)) * dimensions**0.5, 4) for weight in kernel[:, 0]]
    return LearnedSimilarity(1, round(float(np.clip(bias[0], -50, 50)), 4), weights)


def contrastive(network: Any, settings: HeadSettings) -> Head:
    """Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006."""
    keras, inputs, one, other = _both(network)
    squared = keras.ops.sum(keras.ops.square(one - other), axis=1, keepdims=True)
    # The slope of a root is infinite at 0, where two equal pictures are.
    return Head(keras.Model(inputs, keras.ops.sqrt(squared + 1e-12)), _contrastive(settings.margin), [])


def _both(network: Any) -> tuple[Any, list[Any], Any, Any]:
    keras = keras_of(3)
    inputs = [keras.Input(network.input.shape[1:], name=name) for name in ("first", "second")]
    unit = keras.layers.UnitNormalization(name="unit")
    return keras, inputs, *(unit(network(pixels)) for pixels in inputs)


def _contrastive(margin: float) -> Callable[[Any, Any], Any]:
    def loss(same: Any, distance: Any) -> Any:
        ops = keras_of(3).ops
        return ops.mean(same * ops.square(distance) + (1.0 - same) * ops.square(ops.relu(margin - distance)))

    return loss


def draw_pairs(dataset: Dataset, size: int, random: np.random.Generator, hard: HardNegatives | None) -> Batch:
    """Half of the pairs of one person, half of two: ((pixels, pixels), 1 or 0)."""
    pairs = []
    for number in range(max(2, size // 2)):
        first, second = random.choice(len(dataset.people), 2, replace=False)
        one = dataset.some(int(first), 2, random)
        if number % 2 == 0:
            pairs.append((int(one[0]), int(one[1])))
        else:
            other = dataset.some(int(second), 1, random)[0] if hard is None else hard.picture(int(one[0]))
            pairs.append((int(one[0]), int(other)))
    left, right = np.array(pairs, np.int32).T
    same = (dataset.person[left] == dataset.person[right]).astype(np.float32)
    return (dataset.pixels(left), dataset.pixels(right)), same[:, None]
