"""Training in one folder, from the first epoch to the last, with interruptions; the best embedder is kept."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter.datasets import DatasetError
from converter.files import replacing, write_whole
from converter.sources import keras_of, tensorflow
from converter.training import history, state
from converter.training.augment import training_network
from converter.training.batches import batches
from converter.training.dataset import Dataset, DataSplit
from converter.training.history import Epoch
from converter.training.losses import LOSSES
from converter.verification import area_under_curve, operating_point
from edge.errors import UsageError
from edge.models.card import InputSpec

SETTINGS, HISTORY, PLOT = "training.json", "history.csv", "training.png"
BEST, CHECKPOINTS, STATE = "embedder.keras", "checkpoints", "state.npz"
KEPT = 3
"""How many checkpoints are kept, the newest ones."""
FALSE_ACCEPTS = 0.01
PATIENCE = 4
"""Epochs without a better embedder after which the learning rate is halved."""
LEAST_GAIN = 1e-4
"""The gain of area from which an epoch counts as better."""
MOST_JUDGED = 3000
"""The most pictures that an epoch is judged by: every two of them are compared."""


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
    validation: float
    test: float
    seed: int
    pictures: str
    """Fingerprint of the crops."""


class Trainer:
    """One training, in one folder."""

    def __init__(self, folder: Path, plan: TrainingPlan, embedder: Any, data: DataSplit) -> None:
        """Raises UsageError when the folder holds a training with another plan."""
        self._folder = folder
        self._plan = plan
        self._data = data
        self._embedder = embedder
        folder.mkdir(parents=True, exist_ok=True)
        begin(folder / SETTINGS, plan)
        done = state.epochs_done(folder / STATE)
        # An epoch that was shown, but whose state was not written when the process ended, is trained again.
        self.epochs = [epoch for epoch in history.read(folder / HISTORY) if epoch.epoch <= done]
        (folder / CHECKPOINTS).mkdir(exist_ok=True)

    @property
    def done(self) -> int:
        """The number of epochs done."""
        return self.epochs[-1].epoch if self.epochs else 0

    def run(self, epochs: int, on_epoch: Callable[[Epoch], None]) -> None:
        """Train until this many epochs are done in all. Raises DatasetError when the loss is NaN or infinite.

        The result is the same, number by number, whether it is run at once or in parts, on one machine.
        """
        keras, plan = keras_of(3), self._plan
        keras.utils.set_random_seed(plan.seed)
        tensorflow().config.experimental.enable_op_determinism()
        freeze(self._embedder, plan.last_layers)
        objective = LOSSES[plan.objective]
        network = training_network(self._embedder, plan.spec, augment=plan.augment)
        head = objective.head(network, len(self._data.training.people))
        head.model.compile(keras.optimizers.Adam(plan.learning_rate), head.loss, metrics=head.metrics)
        if self.done:
            state.restore(self._folder / STATE, head.model)
        elif not self.epochs:
            on_epoch(self._judge(network, 0, {}))
        for number in range(self.done + 1, epochs + 1):
            rate = plan.learning_rate * decay([epoch.area for epoch in self.epochs])
            head.model.optimizer.learning_rate.assign(rate)
            reseed(head.model, plan.seed, number)
            drawn, steps = batches(objective, self._data.training, plan.batch, plan.seed, number)
            stop = keras.callbacks.TerminateOnNaN()
            logs = head.model.fit(drawn, steps_per_epoch=steps, verbose=0, callbacks=[stop], shuffle=False).history
            epoch = self._judge(network, number, {name: values[-1] for name, values in logs.items()})
            state.save(self._folder / STATE, number, head.model)
            on_epoch(epoch)

    def _judge(self, network: Any, number: int, logs: dict[str, float]) -> Epoch:
        loss = logs.get("loss")
        if loss is not None:
            check_loss(number, loss, self._plan.learning_rate)
        area, accepted = verification(network, self._data.validation)
        epoch = Epoch(number, loss, logs.get("accuracy"), area, accepted)
        best = max((e.area for e in self.epochs), default=-1.0)
        self.epochs.append(epoch)
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


def decay(areas: Sequence[float]) -> float:
    """What the learning rate is multiplied by: halved whenever PATIENCE epochs bring no better embedder."""
    factor, best, waited = 1.0, -np.inf, 0
    for area in areas:
        better = area > best + LEAST_GAIN
        best, waited = max(best, area), 0 if better else waited + 1
        if waited == PATIENCE:
            factor, waited = factor / 2, 0
    return factor


def reseed(model: Any, seed: int, epoch: int) -> None:
    """Let everything random in the layers (augmentation, dropout) depend on the seed and the epoch alone."""
    for number, layer in enumerate(model._flatten_layers()):
        for generator in getattr(layer, "_seed_generators", ()):
            generator.state.assign(
                np.random.default_rng((seed, epoch, number)).integers(2**32, size=2, dtype=np.uint32)
            )


def verification(network: Any, held: Dataset) -> tuple[float, float]:
    """(area under the ROC curve, true-accept rate at a false-accept rate of 1 %) over all pairs of pictures.

    Of a large set, MOST_JUDGED pictures are used, always the same. Raises DatasetError when the network is broken.
    """
    chosen = np.arange(len(held))
    if len(held) > MOST_JUDGED:
        # Whole people, so that there are pairs of one person.
        people = np.random.default_rng(0).permutation(len(held.people))
        chosen = np.concatenate([held.own(int(person)) for person in people])[:MOST_JUDGED]
    parts = np.array_split(chosen, -(-len(chosen) // 64))
    vectors = np.concatenate([np.asarray(network(held.pixels(part), training=False), np.float64) for part in parts])
    if not np.isfinite(vectors).all():
        raise DatasetError("the network gives vectors with NaN or infinity: it is damaged")
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    first, second = np.triu_indices(len(vectors), 1)
    person = held.person[chosen]
    scores, same = (vectors @ vectors.T)[first, second], person[first] == person[second]
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
