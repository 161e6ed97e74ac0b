"""Training in one folder, from the first epoch to the last, with interruptions; the best embedder is kept."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter.datasets import DatasetError
from converter.files import replacing, write_whole
from converter.sources import keras_of
from converter.training import history
from converter.training.augment import training_network
from converter.training.dataset import Dataset
from converter.training.history import Epoch
from converter.training.losses import LOSSES, Batch
from converter.verification import area_under_curve, operating_point
from edge.errors import UsageError
from edge.models.card import InputSpec

SETTINGS, HISTORY, PLOT = "training.json", "history.csv", "training.png"
BEST, CHECKPOINTS, BACKUP = "embedder.keras", "checkpoints", "backup"
KEPT = 3
"""How many checkpoints are kept, the newest ones."""
FALSE_ACCEPTS = 0.01
PATIENCE = 4
"""Epochs without a better embedder after which the learning rate is halved."""


class TrainingPlan(msgspec.Struct, frozen=True):
    """Everything that an embedder depends on, except the number of epochs."""

    network: str
    objective: str
    spec: InputSpec
    dimensions: int
    learning_rate: float
    batch: int
    augment: bool
    last_layers: int | None
    """How many layers with weights are trained, the last ones; None: all."""
    held_out: float
    seed: int
    pictures: str
    """Fingerprint of the crops."""


class Trainer:
    """One training, in one folder."""

    def __init__(self, folder: Path, plan: TrainingPlan, embedder: Any, learning: Dataset, held: Dataset) -> None:
        """Raises UsageError when the folder holds a training with another plan."""
        self._folder = folder
        self._plan = plan
        self._held = held
        self._embedder = embedder
        self._learning = learning
        folder.mkdir(parents=True, exist_ok=True)
        begin(folder / SETTINGS, plan)
        self.epochs = history.read(folder / HISTORY)
        (folder / CHECKPOINTS).mkdir(exist_ok=True)

    @property
    def done(self) -> int:
        """The number of epochs done."""
        return self.epochs[-1].epoch if self.epochs else 0

    def run(self, epochs: int, on_epoch: Callable[[Epoch], None]) -> None:
        """Train until this many epochs are done in all. Raises DatasetError when the loss is NaN or infinite."""
        keras, plan = keras_of(3), self._plan
        keras.utils.set_random_seed(plan.seed + self.done)
        freeze(self._embedder, plan.last_layers)
        objective = LOSSES[plan.objective]
        network = training_network(self._embedder, plan.spec, augment=plan.augment)
        head = objective.head(network, len(self._learning.people))
        head.model.compile(keras.optimizers.Adam(plan.learning_rate), head.loss, metrics=head.metrics)

        if not self.epochs:
            on_epoch(self._judge(network, 0, {}))

        def after(number: int, logs: dict[str, float]) -> None:
            epoch = self._judge(network, number + 1, logs)
            logs["area"] = epoch.area
            on_epoch(epoch)

        callbacks = [
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.LambdaCallback(on_epoch_end=after),
            keras.callbacks.ReduceLROnPlateau("area", factor=0.5, patience=PATIENCE, mode="max"),
            keras.callbacks.BackupAndRestore(self._folder / BACKUP, delete_checkpoint=False),
        ]
        steps = max(1, round(len(self._learning.person) / plan.batch))
        batches = self._batches(objective.draw, plan.seed + self.done)
        head.model.fit(batches, steps_per_epoch=steps, epochs=epochs, verbose=0, callbacks=callbacks, shuffle=False)

    def _batches(self, draw: Callable[[Dataset, int, np.random.Generator], Batch], seed: int) -> Iterator[Batch]:
        random = np.random.default_rng(seed)
        while True:
            yield draw(self._learning, self._plan.batch, random)

    def _judge(self, network: Any, number: int, logs: dict[str, float]) -> Epoch:
        loss = logs.get("loss")
        if loss is not None:
            check_loss(number, loss, self._plan.learning_rate)
        area, accepted = verification(network, self._held)
        epoch = Epoch(number, loss, logs.get("accuracy"), area, accepted)
        best = max((e.area for e in self.epochs if e.epoch < number), default=-1.0)
        # An epoch that was shown, but not backed up when the process ended, is trained again.
        self.epochs = [*(e for e in self.epochs if e.epoch < number), epoch]
        self._save(self._folder / CHECKPOINTS / f"epoch-{number:04}.keras")
        if area > best:
            self._save(self._folder / BEST)
        for old in sorted((self._folder / CHECKPOINTS).glob("epoch-*.keras"))[:-KEPT]:
            old.unlink()
        history.write(self._folder / HISTORY, self.epochs)
        write_whole(self._folder / PLOT, history.plot(self.epochs))
        return epoch

    def _save(self, path: Path) -> None:
        """Write the embedder in one step: a file that was cut off is never taken for a model."""
        with replacing(path) as part:
            self._embedder.save(part)


def check_loss(epoch: int, loss: float, learning_rate: float) -> None:
    """Raises DatasetError when the loss is NaN or infinite: the weights are lost then."""
    if not np.isfinite(loss):
        found = "NaN" if np.isnan(loss) else f"{loss:g}"
        raise DatasetError(
            f"epoch {epoch}: loss is {found}: the learning rate, {learning_rate:g}, is too high; start over with "
            "--restart and a lower --learning-rate"
        )


def freeze(embedder: Any, last: int | None) -> None:
    """Train only the last layers with weights, this many; None: all. Raises UsageError when there are fewer."""
    embedder.trainable = True
    weighty = [layer for layer in embedder.layers if layer.weights]
    if last is None:
        return
    if last > len(weighty):
        raise UsageError(f"--last-layers: the network has {len(weighty)} layers with weights, found {last}")
    for layer in weighty[:-last]:
        layer.trainable = False


def verification(network: Any, held: Dataset) -> tuple[float, float]:
    """(area under the ROC curve, true-accept rate at a false-accept rate of 1 %) over all pairs of pictures.

    Raises DatasetError when the network is broken.
    """
    vectors = np.asarray(network.predict(held.pixels, batch_size=64, verbose=0), np.float64)
    if not np.isfinite(vectors).all():
        raise DatasetError("the network gives vectors with NaN or infinity: it is damaged")
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    first, second = np.triu_indices(len(vectors), 1)
    scores, same = (vectors @ vectors.T)[first, second], held.person[first] == held.person[second]
    return area_under_curve(scores, same), operating_point(scores, same, FALSE_ACCEPTS).true_accept_rate


def begin(path: Path, plan: TrainingPlan) -> None:
    """Write the plan, or check that the folder holds the same one. Raises UsageError naming what differs."""
    if not path.is_file():
        write_whole(path, msgspec.json.format(msgspec.json.encode(plan)))
        return
    try:
        old = msgspec.json.decode(path.read_bytes(), type=TrainingPlan)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: not the plan of a training ({error}); give another folder, or start over with --restart"
        ) from error
    names = [field.name for field in msgspec.structs.fields(TrainingPlan)]
    changed = [
        f"{n} was {getattr(old, n)}, is {getattr(plan, n)}" for n in names if getattr(old, n) != getattr(plan, n)
    ]
    if changed:
        listed = "; ".join(changed)
        raise UsageError(
            f"{path.parent}: holds another training: {listed}. Give another folder, or start over with --restart"
        )
