"""Batches for one epoch: drawn from disk in other threads, while the network computes."""

from typing import Any

import numpy as np

from converter.sources import tensorflow
from converter.training.dataset import Dataset
from converter.training.heads import Batch, Loss
from converter.training.mining import HardNegatives
from converter.training.plan import TrainingPlan

READERS = 4
"""Batches that are drawn at a time: a disk answers several requests as fast as one."""
AHEAD = 16
"""Batches that are ready before they are needed: a disk, or a busy machine, stalls at times."""


def batches(
    loss: Loss, dataset: Dataset, plan: TrainingPlan, epoch: int, hard: HardNegatives | None, strategy: Any
) -> tuple[Any, int]:
    """(a tf.data.Dataset, or one that is distributed; how many steps it has).

    What a batch holds depends on the seed, the epoch and its number alone, so that a training that was interrupted goes
    on as if it had not been. With several devices, each has its own batches, the batch size shared out.
    """
    tf = tensorflow()
    steps = max(1, round(len(dataset) / plan.batch))
    size = max(4, plan.batch // plan.replicas)

    def draw(number: int) -> Batch:
        return loss.draw(dataset, size, np.random.default_rng((plan.seed, epoch, number)), hard)

    example = draw(0)
    parts = [np.asarray(part) for part in tf.nest.flatten(example)]

    def mapped(number: Any) -> Any:
        # Stateless, which it is: else op determinism makes the pipeline draw each batch only when it is asked for.
        kinds = [part.dtype for part in parts]
        drawn = tf.numpy_function(lambda n: tf.nest.flatten(draw(int(n))), [number], kinds, stateful=False)
        for tensor, part in zip(drawn, parts, strict=True):
            tensor.set_shape((None, *part.shape[1:]))
        return tf.nest.pack_sequence_as(example, drawn)

    def read(numbers: Any) -> Any:
        return numbers.map(mapped, num_parallel_calls=READERS, deterministic=True).prefetch(AHEAD)

    everything = tf.data.Dataset.range(steps * plan.replicas)
    if plan.replicas == 1:
        return read(everything), steps

    def of_worker(context: Any) -> Any:
        return read(everything.shard(context.num_input_pipelines, context.input_pipeline_id))

    return strategy.distribute_datasets_from_function(of_worker), steps
