"""One epoch on several devices. Keras' own loop cannot average results over several workers."""

from typing import Any

import numpy as np

from converter.sources import tensorflow
from converter.training.dataset import Dataset
from converter.training.heads import Head, Loss


def build(head: Head, loss: Loss, dataset: Dataset) -> None:
    """Build the metrics of a compiled model from one batch, in the scope of its strategy."""
    head.model._symbolic_build(data_batch=loss.draw(dataset, 8, np.random.default_rng(0), None))


def fit(model: Any, drawn: Any, strategy: Any, on_step: Any) -> dict[str, float]:
    """Train on every batch of a distributed data set, and return the mean results of all devices by name.

    `on_step` is a Keras callback.
    """
    tf = tensorflow()

    def one(batch: Any) -> Any:
        found = strategy.run(model.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in found.items()}

    step = tf.function(one, reduce_retracing=True)
    logs: dict[str, float] = {}
    with strategy.scope():
        model.reset_metrics()
    for number, batch in enumerate(drawn):
        logs = {name: float(value) for name, value in step(batch).items()}
        on_step.on_train_batch_end(number, logs)
    on_step.on_epoch_end(0, logs)
    return logs
