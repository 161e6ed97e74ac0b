"""One epoch over many synthetic crops: the memory that it takes, and for how long the network waited for its input.

    python -m tools.synthetic_epoch FOLDER [--crops 500000] [--people 20000] [--size 32]

Each "person" is a coarse random texture, each crop that texture with noise of its own, made from its number alone. They
are written as `train` writes the crops of photos, and trained on by the same trainer, without augmentation, so that the
network is as fast as it gets and has most reason to wait. FOLDER needs room for them: 1.5 GB for 500,000 of 32 pixels.
"""

import resource
import sys
import time
from pathlib import Path

import click
import cv2
import numpy as np

from converter.sources import keras_of
from converter.training.crop_file import Pixels
from converter.training.crops import STORE, stored, write_header
from converter.training.dataset import Dataset, DataSplit
from converter.training.plan import TrainingPlan
from converter.training.strategies import strategy_named
from converter.training.trainer import Run, Trainer
from edge.models.card import InputSpec

BLOCK = 1000
COARSE = 4
HELD = 0.002
"""The share of the people who judge."""


def crops_of(first: int, count: int, people: int, size: int) -> Pixels:
    """(count, size, size, 3): the crops with these numbers, the next person's after each other."""
    made = np.empty((count, size, size, 3), np.uint8)
    for place, number in enumerate(range(first, first + count)):
        texture = np.random.default_rng((1, number % people)).integers(0, 256, (COARSE, COARSE, 3))
        noisy = texture + np.random.default_rng((2, number)).normal(0, 40, texture.shape)
        coarse = np.clip(noisy, 0, 255).astype(np.uint8)
        made[place] = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return made


def write(folder: Path, count: int, people: int, spec: InputSpec) -> Path:
    """Write the crops, unless FOLDER has as many of this size."""
    path, size = folder / STORE, spec.shape[1]
    if path.is_file() and stored(folder).shape == (count, *spec.shape[1:]):
        return path
    with path.open("wb") as store:
        write_header(store, count, spec)
        for first in range(0, count, BLOCK):
            store.write(crops_of(first, min(BLOCK, count - first), people, size).tobytes())
    return path


def network(size: int) -> object:
    """Two convolutions and a linear layer."""
    keras = keras_of(3)
    layers = keras.layers
    given = keras.Input((size, size, 3))
    x = layers.Conv2D(16, 3, 2, "same", activation="relu")(given)
    x = layers.Conv2D(32, 3, 2, "same", activation="relu")(x)
    return keras.Model(given, layers.Dense(64)(layers.Flatten()(layers.AveragePooling2D(2)(x))))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--crops", default=500_000, show_default=True, help="How many crops there are.")
@click.option("--people", default=20_000, show_default=True, help="How many people they are of.")
@click.option("--size", default=32, show_default=True, help="The side of a crop, in pixels.")
@click.option("--batch", default=128, show_default=True, help="How many crops a step has.")
@click.option("--objective", default="triplet", show_default=True, help="What is learnt.")
def main(folder: Path, crops: int, people: int, size: int, batch: int, objective: str) -> None:
    """Train one epoch on synthetic crops in FOLDER, and print its memory and how long it waited."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = InputSpec((1, size, size, 3), "rgb", 127.5, 127.5)
    begun = time.perf_counter()
    path = write(folder, crops, people, spec)
    click.echo(f"{crops:,} crops of {people:,} people, {path.stat().st_size / 1e9:.2f} GB, "
               f"written in {time.perf_counter() - begun:.0f} s")  # fmt: skip
    person = (np.arange(crops) % people).astype(np.int32)
    everything = Dataset(stored(folder), np.arange(crops), person, [f"p{number}" for number in range(people)])
    held = max(2, round(people * HELD))
    data = DataSplit(everything.of(range(held, people)), everything.of(range(held)), None)
    plan = TrainingPlan("small", objective, spec, 64, 1e-3, batch, False, None, HELD, 0.0, 0, "synthetic", margin=0.2)
    keras_of(3).utils.set_random_seed(0)
    trainer = Trainer(folder / time.strftime("run-%H%M%S"), plan, network(size), data, strategy_named("single"))
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    trainer.run(Run(1, lambda epoch: click.echo(repr(epoch))))
    after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begun
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    epoch = trainer.epochs[-1]
    click.echo(f"{len(data.training):,} crops learnt from in {took:.0f} s ({len(data.training) / took:,.0f} per s, "
               f"{cpu:.0f} s of CPU time); waited for input {epoch.waited or 0.0:.2%}; "
               f"peak memory {after.ru_maxrss * (1 if sys.platform == 'darwin' else 1024) / 1e6:,.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
