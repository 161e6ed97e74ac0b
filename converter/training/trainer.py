"""Training in one folder, from the first epoch to the last, with interruptions; the best embedder is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from converter.datasets import DatasetError
from converter.files import replacing, write_whole
from converter.label_names import LABELS
from converter.own_similarity import SIMILARITY
from converter.sources import keras_of, tensorflow
from converter.training import fitting, history, state
from converter.training.augment import training_network
from converter.training.batches import batches
from converter.training.dataset import DataSplit
from converter.training.fitting import FittedEpoch
from converter.training.heads import Head, HeadSettings
from converter.training.history import Epoch
from converter.training.judging import judge
from converter.training.labels import whole_classifier
from converter.training.losses import EVERY
from converter.training.mining import mine
from converter.training.plan import TrainingPlan, begin
from converter.training.progress import TrainingProgress
from converter.training.schedules import factor, waited
from edge.errors import UsageError
from edge.models.card import LearnedSimilarity
from edge.models.measure import COSINE, WeightedL1

SETTINGS, HISTORY, PLOT = "training.json", "history.csv", "training.png"
BEST, CHECKPOINTS, STATE = "embedder.keras", "checkpoints", "state.npz"
CLASSIFIER = "classifier.keras"
"""The embedder with its head after the epoch with the least loss, where the objective has labels."""
KEPT = 3
"""How many checkpoints are kept, the newest ones."""


class Run(NamedTuple):
    """How long to train, and what is said of it. The embedder of an epoch does not depend on it."""

    epochs: int
    """How many in all, those of earlier runs included."""
    on_epoch: Callable[[Epoch], None]
    patience: int | None = None
    """Stop after so many epochs without a larger area; None: never."""


class Trainer:
    """One training, in one folder."""

    def __init__(self, folder: Path, plan: TrainingPlan, embedder: Any, data: DataSplit, strategy: Any) -> None:
        """`embedder` was made in the scope of `strategy`.

        Raises UsageError when the folder holds a training with another plan.
        """
        self._folder = folder
        self._plan = plan
        self._data = data
        self._embedder = embedder
        self._strategy = strategy
        self._step: Any = None
        self.learned: LearnedSimilarity | None = None
        """How alike two vectors are, as the head has learnt it by now; None: they are compared by cosine."""
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

    @property
    def waited(self) -> int:
        """The number of epochs since the last one whose area was larger than those of all before."""
        return waited(self._areas)

    @property
    def _areas(self) -> list[float]:
        """Those of the epochs of training.

        A collapsed epoch, or one worse than the untrained network, can still be progress: embedders that learn with a
        margin begin that way.
        """
        return [epoch.area for epoch in self.epochs if epoch.epoch]

    def run(self, run: Run) -> None:
        """Train until so many epochs are done, or nothing gets better. Raises DatasetError when the loss is not finite.

        The result is the same, number by number, whether it is run at once or in parts, on one machine.
        """
        keras, plan = keras_of(3), self._plan
        keras.utils.set_random_seed(plan.seed)
        tensorflow().config.experimental.enable_op_determinism()
        with self._strategy.scope():
            network, head = self._compiled()
        if self.done:
            state.restore(self._folder / STATE, head.model)
        elif not self.epochs:
            run.on_epoch(self._judge(network, head, 0, None, None))
        with TrainingProgress(self.done, run.epochs) as progress:
            for number in range(self.done + 1, run.epochs + 1):
                if run.patience is not None and self.waited >= run.patience:
                    break
                epoch = self._one(number, network, head, run, progress)
                with progress.aside():
                    run.on_epoch(epoch)

    def learning_rate(self, number: int, epochs: int) -> float:
        """That of epoch `number` of so many."""
        plan = self._plan
        planned = plan.planned_epochs or epochs
        return plan.learning_rate * factor(plan.schedule, number, planned, plan.warm_up, self._areas)

    def _compiled(self) -> tuple[Any, Head]:
        keras, plan, loss = keras_of(3), self._plan, EVERY[self._plan.objective]
        freeze(self._embedder, plan.last_layers)
        network = training_network(self._embedder, plan.spec, augment=plan.augment)
        head = loss.head(network, self._settings)
        optimizer = keras.optimizers.Adam(plan.learning_rate)
        if plan.mixed_precision:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        head.model.compile(optimizer, head.loss, metrics=head.metrics)
        fitting.build(head, loss, self._data.training)
        return network, head

    @property
    def _settings(self) -> HeadSettings:
        plan, people = self._plan, len(self._data.training.people)
        return HeadSettings(people, plan.margin or 0.0, plan.scale or 1.0, plan.sub_centres, plan.dimensions)

    def _one(self, number: int, network: Any, head: Head, run: Run, progress: TrainingProgress) -> Epoch:
        plan = self._plan
        rate = self.learning_rate(number, run.epochs)
        head.model.optimizer.learning_rate.assign(rate)
        hard = mine(network, self._data.training, plan.batch) if plan.mining == "all" else None
        drawn, steps = batches(EVERY[plan.objective], self._data.training, plan, number, hard, self._strategy)
        moving = progress.callback(steps)
        if self._step is None:
            self._step = fitting.step_of(head.model, self._strategy)
        fitted = fitting.fit(self._step, head.model, drawn, self._strategy, moving)
        epoch = self._judge(network, head, number, fitted, rate)
        state.save(self._folder / STATE, number, head.model)
        return epoch

    def _judge(self, network: Any, head: Head, number: int, fitted: FittedEpoch | None, rate: float | None) -> Epoch:
        logs = fitted.logs if fitted else {}
        loss = logs.get("loss")
        if loss is not None:
            check_loss(number, loss, self._plan.learning_rate)
        accuracy = next((value for name, value in logs.items() if "accuracy" in name), None)
        learning = EVERY[self._plan.objective].similarity
        self.learned = learning(head.model, self._plan.dimensions) if learning else None
        found = judge(network, self._data.validation, WeightedL1(self.learned) if self.learned else COSINE)
        epoch = Epoch(number, loss, accuracy, found.area, found.true_accepts, found.strangers, found.identified, rate)
        epoch = msgspec.structs.replace(epoch, waited=round(fitted.waited, 5) if fitted else None)
        best = max((e.merit for e in self.epochs), default=-np.inf)
        self.epochs.append(epoch)
        self._write(number, head, better=epoch.merit > best)
        return epoch

    def _write(self, number: int, head: Head, *, better: bool) -> None:
        self._save(self._embedder, self._folder / CHECKPOINTS / f"epoch-{number:04}.keras")
        if better:
            self._save(self._embedder, self._folder / BEST)
            if self.learned is not None:
                write_whole(self._folder / SIMILARITY, msgspec.json.encode(self.learned))
        losses = [epoch.loss for epoch in self.epochs if epoch.loss is not None]
        if EVERY[self._plan.objective].centres and losses and losses[-1] == min(losses):
            # Its people are not those of the validation set, so the loss chooses.
            classifier = whole_classifier(self._embedder, head.model, self._settings)
            self._save(classifier, self._folder / CLASSIFIER)
            write_whole(self._folder / LABELS, "".join(f"{name}\n" for name in self._data.training.people).encode())
        for old in sorted((self._folder / CHECKPOINTS).glob("epoch-*.keras"))[:-KEPT]:
            old.unlink()
        history.write(self._folder / HISTORY, self.epochs)
        write_whole(self._folder / PLOT, history.plot(self.epochs))

    def _save(self, model: Any, path: Path) -> None:
        """Write a Keras model in one step: a file that was cut off is never taken for a model."""
        with replacing(path) as part:
            model.save(part)


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
