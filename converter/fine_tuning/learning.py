"""The course of a fine-tuning: epochs of distillation from the float network, judged by people not learnt from."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from converter.fine_tuning.network import RoundedNetwork
from converter.fine_tuning.photos import TuningPhotos
from converter.graph import Values
from converter.sources import keras_of, tensorflow
from converter.training.augment import training_network
from converter.training.progress import TrainingProgress
from converter.training.schedules import factor
from edge.errors import ModelError
from edge.models.card import InputSpec
from edge.terminal import echo

JUDGED_AT_ONCE = 50


class TuningPlan(NamedTuple):
    """The settings of a fine-tuning."""

    epochs: int = 40
    seed: int = 0
    batch: int = 16
    learning_rate: float = 3e-5
    """How far a weight moves per step, relative to the largest of its channel. At 1e-4, early epochs make it worse."""


class Learning:
    """Teaches a rounded network the vectors of a float one, and keeps the weights of its best epoch."""

    def __init__(
        self, teacher: Callable[[Any], Any], network: RoundedNetwork, photos: TuningPhotos, spec: InputSpec,
        plan: TuningPlan,
    ) -> None:  # fmt: skip
        self._teacher, self._network, self._photos, self._plan = teacher, network, photos, plan
        keras, tf = keras_of(3), tensorflow()
        keras.utils.set_random_seed(plan.seed)
        tf.config.experimental.enable_op_determinism()
        self._input = training_network(lambda pictures: pictures, spec, augment=True)
        self._optimizer = keras.optimizers.Adam(plan.learning_rate)
        self._optimizer.build(network.variables)
        self._step, self._similar = (tf.function(f, autograph=False) for f in (self._one_step, self._cosines))

    def run(self) -> list[float]:
        """Train for all epochs; the network then has the weights of the best one, or those from before.

        It does not stop early: most epochs lose a little, and a better one may come late.

        Returns the mean cosine to the float network on the people who judge: before, and after each epoch. Raises
        ModelError when the loss is not a number.
        """
        cosines, best = [self._judged()], self._now()
        self._show(cosines)
        with TrainingProgress(0, self._plan.epochs) as progress:
            for number in range(1, self._plan.epochs + 1):
                self._epoch(number, progress)
                cosines.append(self._judged())
                if cosines[-1] > max(cosines[:-1]):
                    best = self._now()
                with progress.aside():
                    self._show(cosines)
        for variable, value in zip(self._network.variables, best, strict=True):
            variable.assign(value)
        return cosines

    def _epoch(self, number: int, progress: TrainingProgress) -> None:
        plan, learnt = self._plan, self._photos.learnt
        self._optimizer.learning_rate.assign(plan.learning_rate * factor("cosine", number, plan.epochs, 0, []))
        size = min(plan.batch, len(learnt))
        order = np.random.default_rng((plan.seed, number)).permutation(len(learnt))
        moving = progress.callback(len(learnt) // size)
        for step in range(len(learnt) // size):
            loss = float(self._step(self._pictures(learnt.pixels(order[step * size : (step + 1) * size]), varied=True)))
            if not math.isfinite(loss):
                raise ModelError(f"fine-tuning, epoch {number}: the loss is {loss}: it cannot go on")
            moving.on_train_batch_end(step, {"loss": loss})
        moving.on_epoch_end(number)

    def _one_step(self, pictures: Any) -> Any:
        tf, variables = tensorflow(), self._network.variables
        with tf.GradientTape() as tape:
            loss = 1.0 - tf.reduce_mean(self._cosines(pictures))
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._optimizer.apply(gradients, variables)
        return loss

    def _cosines(self, pictures: Any) -> Any:
        tf = tensorflow()
        taught, given = (tf.math.l2_normalize(n(pictures), -1) for n in (self._teacher, self._network))
        return tf.reduce_sum(tf.stop_gradient(taught) * given, -1)

    def _judged(self) -> float:
        judging, people = self._photos.judging, self._photos.held_out
        parts = (judging[at : at + JUDGED_AT_ONCE] for at in range(0, len(judging), JUDGED_AT_ONCE))
        cosines = [self._similar(self._pictures(people.pixels(np.array(part)), varied=False)) for part in parts]
        return float(np.concatenate(cosines).mean())

    def _pictures(self, pixels: Any, *, varied: bool) -> Any:
        """What the network takes, from pixels 0..255."""
        return self._input(pixels.astype(np.float32), training=varied)

    def _now(self) -> list[Values]:
        return [variable.numpy().copy() for variable in self._network.variables]

    def _show(self, cosines: list[float]) -> None:
        done = len(cosines) - 1
        where = f"epoch {done} of {self._plan.epochs}" if done else "before"
        judges = self._photos.judges()
        echo(f"fine-tuning, {where}: mean cosine {cosines[-1]:.5f} on {judges}, rounding imitated", err=True)
