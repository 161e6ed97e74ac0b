"""Batches for one epoch: drawn from disk in other threads, while the network computes."""

from typing import Any

import numpy as np

from converter.sources import tensorflow
from converter.training.dataset import Dataset
from converter.training.losses import Batch, Loss


def batches(loss: Loss, dataset: Dataset, size: int, seed: int, epoch: int) -> tuple[Any, int]:
    """(a tf.data.Dataset, how many batches it has).

    What a batch holds depends on the seed, the epoch and its number alone, so that a training that was interrupted goes
    on as if it had not been.
    """
    tf = tensorflow()
    steps = max(1, round(len(dataset) / size))

    def draw(step: int) -> Batch:
        return loss.draw(dataset, size, np.random.default_rng((seed, epoch, step)))

    example = draw(0)
    parts = [np.asarray(part) for part in tf.nest.flatten(example)]

    def mapped(step: Any) -> Any:
        drawn = tf.numpy_function(lambda n: tf.nest.flatten(draw(int(n))), [step], [part.dtype for part in parts])
        for tensor, part in zip(drawn, parts, strict=True):
            tensor.set_shape((None, *part.shape[1:]))
        return tf.nest.pack_sequence_as(example, drawn)

    numbers = tf.data.Dataset.range(steps)
    return numbers.map(mapped, num_parallel_calls=2, deterministic=True).prefetch(tf.data.AUTOTUNE), steps
