"""A peer for `train --objective siamese`: the same network and photos in plain Keras, as tutorials train a Siamese one.

    python -m tools.peer_siamese IMAGES FOLDER [--epochs 8] [--size 48]

The plain loop decodes JPEGs, draws random pairs, half of one person and half of two, and takes steps with a
GradientTape on the L1 distance of the vectors, one Dense layer and a sigmoid. `train` does the same on its crops. Both
have the same CNN with the same first weights, as many pairs per epoch and per step, Adam with the same rate, no
augmentation and whole pictures. Their epochs take turns, in one process. Both are judged on people whom neither learns
from, over all pairs of their pictures: by the similarity that each has learnt, and by cosine.
"""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from converter.commands.train_network import Beginning
from converter.input_spec import PIXELS
from converter.networks import build
from converter.people_folder import photos_by_person
from converter.sources import keras_of, tensorflow
from converter.training.augment import training_network
from converter.training.crops import crop_all
from converter.training.dataset import Dataset, split
from converter.training.history import Epoch
from converter.training.judging import Judged, judge
from converter.training.plan import TrainingPlan
from converter.training.strategies import strategy_named
from converter.training.trainer import Run, Trainer
from edge.models.card import InputSpec
from edge.models.measure import COSINE, WeightedL1

RATE = 1e-3
DIMENSIONS = 64


class PlainSiamese:
    """The loop of the tutorials."""

    def __init__(self, embedder: Any, photos: list[list[Path]], spec: InputSpec, batch: int) -> None:
        keras = keras_of(3)
        self.network = training_network(embedder, spec, augment=False)
        self._photos, self._size, self._batch = photos, spec.shape[1], batch
        one, other = (keras.Input(spec.shape[1:]) for _ in range(2))
        unit = keras.layers.UnitNormalization()
        apart = keras.ops.abs(unit(self.network(one)) - unit(self.network(other))) * DIMENSIONS**0.5
        self.model = keras.Model([one, other], keras.layers.Dense(1, activation="sigmoid", name="same")(apart))
        self._optimizer = keras.optimizers.Adam(RATE)
        self._optimizer.build(self.model.trainable_variables)
        self._step = tensorflow().function(self._one_step)

    def epoch(self, pairs: int, seed: int) -> float:
        """Learn from so many random pairs; the mean loss."""
        tf = tensorflow()
        first, second, same = zip(*self._drawn(pairs, np.random.default_rng(seed)), strict=True)
        drawn = tf.data.Dataset.from_tensor_slices((list(first), list(second), np.array(same, np.float32)))
        batches = drawn.map(self._read, num_parallel_calls=2).batch(self._batch).prefetch(8)
        return statistics.fmean(float(self._step(*batch)) for batch in batches)

    def judged(self, held: Dataset) -> Judged:
        return judge(self.network, held, _Sigmoid(self.model))

    def _drawn(self, pairs: int, random: np.random.Generator) -> Iterator[tuple[str, str, int]]:
        for number in range(pairs):
            one, other = random.choice(len(self._photos), 2, replace=False)
            a, b = random.choice(len(self._photos[one]), 2, replace=False)
            if number % 2 == 0:
                yield str(self._photos[one][a]), str(self._photos[one][b]), 1
            else:
                c = random.integers(len(self._photos[other]))
                yield str(self._photos[one][a]), str(self._photos[other][c]), 0

    def _read(self, first: Any, second: Any, same: Any) -> Any:
        tf = tensorflow()

        def picture(path: Any) -> Any:
            pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            return tf.image.resize(pixels, (self._size, self._size), method="area")

        return picture(first), picture(second), same

    def _one_step(self, first: Any, second: Any, same: Any) -> Any:
        tf, keras = tensorflow(), keras_of(3)
        with tf.GradientTape() as tape:
            found = self.model([first, second], training=True)
            loss = keras.ops.mean(keras.losses.binary_crossentropy(same[:, None], found))
        weights = self.model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, weights), weights)
        return loss


class _Sigmoid:
    """The distances of a head whose weights may have either sign."""

    def __init__(self, model: Any) -> None:
        kernel, bias = model.get_layer("same").get_weights()
        self._weights, self._bias = kernel[:, 0] * DIMENSIONS**0.5, float(bias[0])

    def between(self, some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = [np.abs(others - one) @ self._weights + self._bias for one in some]
        return np.stack(rows).astype(np.float32)

    def of_pairs(self, some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(np.abs(some - others) @ self._weights + self._bias, np.float64)


@click.command()
@click.argument("images", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--epochs", default=8, show_default=True)
@click.option("--size", default=48, show_default=True)
@click.option("--batch", default=64, show_default=True, help="Pictures per step: half as many pairs.")
@click.option("--most", default=6, show_default=True, help="The most photos of a person that are used.")
@click.option("--least", default=3, show_default=True, help="People with fewer photos are left out.")
@click.option("--seed", default=0, show_default=True)
def main(images: Path, folder: Path, epochs: int, size: int, batch: int, most: int, least: int, seed: int) -> None:
    """Train both on IMAGES, turn by turn, and print times and areas."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = {name: own[:most] for name, own in photos_by_person(images).items() if len(own) >= least}
    spec = InputSpec((1, size, size, 3), "rgb", **PIXELS["-1..1"])
    found = crop_all(photos, spec, None, folder)
    data = split(found.dataset, 0.1, 0.25, seed)
    test = data.test or data.validation
    learnt = [photos[name] for name in data.training.people]
    strategy = strategy_named("single")
    keras_of(3).utils.set_random_seed(seed)
    begun = Beginning(build("cnn", size, 3, DIMENSIONS), spec, None, "cnn")
    other = build("cnn", size, 3, DIMENSIONS)
    other.set_weights(begun.embedder.get_weights())
    plain = PlainSiamese(other, learnt, spec, batch // 2)
    pairs = max(1, round(len(data.training) / batch)) * (batch // 2)
    plan = TrainingPlan("cnn", "siamese", spec, DIMENSIONS, RATE, batch, False, None, 0.1, 0.25, seed, found.digest,
                        aligned=False, schedule="constant")  # fmt: skip
    trainer = Trainer(folder / time.strftime("run-%H%M%S"), plan, begun.embedder, data, strategy)
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    click.echo(f"{len(data.training.people)} people in {len(data.training)} pictures learnt from, {pairs} pairs per "
               f"epoch; {len(test.people)} people in {len(test)} pictures judge")  # fmt: skip
    begun_at = [time.perf_counter()]

    def turn(epoch: Epoch) -> None:
        """One epoch of ours has ended: the plain loop's turn. Both are judged by the validation set in their time."""
        ours = time.perf_counter() - begun_at[0]
        started = time.perf_counter()
        if epoch.epoch:
            loss = plain.epoch(pairs, seed + epoch.epoch)
            area = plain.judged(data.validation).area
            times["ours"].append(ours)
            times["plain"].append(time.perf_counter() - started)
            click.echo(
                f"epoch {epoch.epoch}: ours {ours:.1f} s, loss {epoch.loss:.4f}, area {epoch.area:.4f}, waited "
                f"{epoch.waited or 0:.1%}; plain {times['plain'][-1]:.1f} s, loss {loss:.4f}, area {area:.4f}"
            )
        begun_at[0] = time.perf_counter()

    trainer.run(Run(epochs, turn))
    ours = training_network(begun.embedder, spec, augment=False)
    learned = trainer.learned
    results = {
        "ours, the last epoch": (judge(ours, test, WeightedL1(learned) if learned else COSINE),
                                 judge(ours, test)),
        "plain, the last epoch": (plain.judged(test), judge(plain.network, test)),
    }  # fmt: skip
    for name, (own, cosine) in results.items():
        click.echo(f"{name}: {own.pairs} pairs of {len(test.people)} people: area {own.area:.4f} by the similarity "
                   f"learnt, {cosine.area:.4f} by cosine")  # fmt: skip
    for name, took in times.items():
        click.echo(f"{name}: {statistics.median(took[1:] or took):.1f} s per epoch, the median without the first")


if __name__ == "__main__":
    main()
