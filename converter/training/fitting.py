"""One epoch, on one device or several.

Keras' own loop cannot average results over several workers, nor say how long it waited for batches.
"""

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from converter.sources import tensorflow
from converter.training.dataset import Dataset
from converter.training.heads import Head, Loss


class FittedEpoch(NamedTuple):
    """What came of an epoch."""

    logs: dict[str, float]
    """The loss and the metrics by name: means over the epoch, and over all devices."""
    waited: float
    """The share of the time, 0..1, in which the network had no batch to compute with."""


def build(head: Head, loss: Loss, dataset: Dataset) -> None:
    """Build the metrics of a compiled model from one batch, in the scope of its strategy."""
    head.model._symbolic_build(data_batch=loss.draw(dataset, 8, np.random.default_rng(0), None))


def step_of(model: Any, strategy: Any) -> Callable[[Any], dict[str, Any]]:
    """A compiled function that trains a model on one batch; compile it once per training."""
    tf = tensorflow()

    def one(batch: Any) -> Any:
        found = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in found.items()}

    # XLA, where Keras would use it: it does not work on every strategy.
    alone = strategy.num_replicas_in_sync == 1
    step: Callable[[Any], dict[str, Any]] = tf.function(
        one, reduce_retracing=True, jit_compile=(model.jit_compile or None) if alone else None
    )
    return step


def fit(step: Callable[[Any], dict[str, Any]], model: Any, drawn: Any, strategy: Any, on_step: Any) -> FittedEpoch:
    """Train on every batch of a data set until the loss is not finite. `on_step` is a Keras callback."""
    logs: dict[str, float] = {}
    with strategy.scope():
        model.reset_metrics()
    begun = perf_counter()
    batches, waited, number = iter(drawn), 0.0, 0
    while True:
        asked = perf_counter()
        batch = next(batches, None)
        waited += perf_counter() - asked
        if batch is None:
            break
        # Reading the results waits for the step, so that its time is not taken for waiting.
        logs = {name: float(value) for name, value in step(batch).items()}
        on_step.on_train_batch_end(number, logs)
        number += 1
        if not math.isfinite(logs["loss"]):
            break
    on_step.on_epoch_end(0, logs)
    return FittedEpoch(logs, waited / max(perf_counter() - begun, 1e-9))
