"""Learning from a teacher: the vector that another network gives for each picture, without labels."""

from typing import Any

import numpy as np

from converter.sources import keras_of
from converter.training.dataset import Dataset
from converter.training.heads import Batch, Head, HeadSettings
from converter.training.mining import HardNegatives


def teacher(network: Any, _settings: HeadSettings) -> Head:
    """One less the cosine to the teacher's vector, which fixes the direction and leaves the length free."""
    keras = keras_of(3)
    unit = keras.layers.UnitNormalization(name="unit")(network.output)

    def loss(taught: Any, vectors: Any) -> Any:
        return 1.0 - keras.ops.mean(keras.ops.sum(taught * vectors, axis=1))

    return Head(keras.Model(network.input, unit), loss, [])


def draw_taught(dataset: Dataset, size: int, random: np.random.Generator, _hard: HardNegatives | None) -> Batch:
    """Random pictures: (pixels, the teacher's vectors of length one)."""
    chosen = random.choice(len(dataset), min(size, len(dataset)), replace=False)
    return dataset.pixels(chosen), dataset.taught(chosen)
