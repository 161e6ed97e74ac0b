"""`whosthere-converter train`: photos of people -> an embedder."""

import shutil
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from converter import networks, sources
from converter.commands import options
from converter.exits import Interrupted
from converter.files import write_whole
from converter.input_spec import PIXELS, model_input, template
from converter.people_folder import photos_by_person
from converter.sources import keras_of, tensorflow
from converter.training.augment import training_network
from converter.training.dataset import DataSplit, crop_all, split
from converter.training.history import Epoch
from converter.training.losses import LOSSES
from converter.training.trainer import (
    BEST,
    CHECKPOINTS,
    HISTORY,
    PLOT,
    SETTINGS,
    STATE,
    Trainer,
    TrainingPlan,
    verification,
)
from edge.bare_address import ExistingPath
from edge.errors import UsageError
from edge.models.card import InputSpec
from edge.terminal import echo

SPLIT, RESULT = "split.json", "result.json"
FINE_TUNING_RATE, RATE = 1e-4, 1e-3


@click.command("train")
@options.images
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write to; it is created if necessary.",
)
@click.option(
    "--network", type=click.Choice(networks.NETWORKS), help="Start with this architecture, untrained.  [default: cnn]"
)
@click.option(
    "--from",
    "begun",
    type=ExistingPath(),
    metavar="MODEL",
    help="Start with this trained .keras or .h5 model instead, and fine-tune it.",
)
@click.option("--card", "known", type=options.FILE, help="With --from: a card that describes MODEL's input.")
@click.option(
    "--range",
    "pixels",
    type=click.Choice(list(PIXELS)),
    help="With --from: the range to which MODEL's training scaled the pixels.",
)
@click.option(
    "--objective",
    type=click.Choice(list(LOSSES)),
    default="triplet",
    show_default=True,
    help="What the embedder learns. triplet: photos of one person are nearer to each other than to others; "
    "siamese: whether two photos show one person; classes: who is in a photo.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="How many epochs to train in all, those of earlier runs included.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 299),
    default=112,
    show_default=True,
    help="The side of the square crops, in pixels.",
)
@click.option("--grey", is_flag=True, help="Train on grey crops.")
@click.option(
    "--dimensions",
    type=click.IntRange(2, 2048),
    default=128,
    show_default=True,
    help="How many numbers an embedding has.",
)
@click.option(
    "--batch",
    type=click.IntRange(4, 1024),
    default=64,
    show_default=True,
    help="How many photos, or pairs with `siamese`, one step uses.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, 1, min_open=True),
    help=f"The learning rate to start with.  [default: {RATE:g}, or {FINE_TUNING_RATE:g} with --from]",
)
@click.option(
    "--last-layers",
    type=click.IntRange(1),
    help="Train only this many layers, the last ones; the others stay as they are.",
)
@click.option(
    "--validation",
    type=click.FloatRange(0, 0.8, min_open=True),
    default=0.1,
    show_default=True,
    help="The share of people who are kept out of training and choose the best epoch and the learning rate.",
)
@click.option(
    "--test",
    type=click.FloatRange(0, 0.8),
    default=0.1,
    show_default=True,
    help="The share of people who are kept out of everything; they judge the best embedder when training ends.",
)
@click.option(
    "--augment/--no-augment",
    default=True,
    help="Vary the photos while training: mirrored, moved, in other light, blurred.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The seed of everything random.")
@click.option("--restart", is_flag=True, help="Start over: delete what DIR holds of an earlier training.")
def command(images: Path, output: Path, epochs: int, restart: bool, **asked: Any) -> None:  # fmt: skip
    """Train an embedder on photos of people, one folder per person, and write it to DIR.

    \b
    DIR/embedder.keras   the best embedder so far, judged by the people of the validation set
    DIR/checkpoints/     the last three epochs
    DIR/history.csv      loss and figures of each epoch; training.png plots them
    DIR/split.json       who is in which set; result.json: the best epoch, on the validation and the test set

    Faces are found and aligned as on a box. To continue an interrupted training, run the same command again; to
    continue a finished one, give more --epochs. `convert` then turns embedder.keras into what a box runs.

    \b
    Example:
      whosthere-converter train --images people/ -o mine --network mobilefacenet
    """
    # Before anything random happens, the first weights included.
    keras_of(3).utils.set_random_seed(asked["seed"])
    embedder, spec, alignment = _beginning(asked)
    output.mkdir(parents=True, exist_ok=True)
    data, digest = _datasets(images, output, spec, alignment, asked)
    if restart:
        _forget(output)
    plan = _plan(embedder, spec, digest, asked)
    trainer = Trainer(output, plan, embedder, data)
    write_whole(output / SPLIT, msgspec.json.format(msgspec.json.encode(_people(data))))
    _announce(data, embedder, trainer.done)
    try:
        trainer.run(epochs, _show)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted after epoch {trainer.done}; run the same command to go on") from None
    _finish(trainer, output, spec, data)


def _people(data: DataSplit) -> dict[str, list[str]]:
    return {name: part.people for name, part in zip(data._fields, data, strict=True) if part is not None}


def _announce(data: DataSplit, embedder: Any, done: int) -> None:
    counts = {
        name: f"{len(part.people)} people in {len(part)} pictures"
        for name, part in zip(data._fields, data, strict=True)
        if part is not None
    }
    listed = "; ".join(f"{name}: {count}" for name, count in counts.items())
    echo(f"{listed}; {embedder.count_params():,} parameters" + f"; {done} epochs done" * bool(done))
    gpus = tensorflow().config.list_physical_devices("GPU")
    echo(f"training on {f'{len(gpus)} GPU(s)' if gpus else 'the CPU: TensorFlow finds no GPU'}")


def _beginning(asked: dict[str, Any]) -> tuple[Any, InputSpec, list[tuple[float, float]]]:
    """(Keras embedder, its input, where the five points lie in it). Raises UsageError."""
    begun, known, pixels = asked["begun"], asked["known"], asked["pixels"]
    if begun is None:
        if known or pixels:
            raise UsageError("--card and --range describe the model of --from; give --from too")
        size, channels = asked["size"], 1 if asked["grey"] else 3
        spec = InputSpec((1, size, size, channels), "grey" if asked["grey"] else "rgb", **PIXELS["-1..1"])
        name = asked["network"] or networks.NETWORKS[0]
        return networks.build(name, size, channels, asked["dimensions"]), spec, template(size)
    if asked["network"]:
        raise UsageError("give --network or --from, not both")
    model = sources.trainable_network(begun)
    told = model_input(begun, _picture(model, begun), known, pixels)
    return model, told.spec, told.alignment


def _picture(model: Any, path: Path) -> tuple[int, int, int]:
    """(side, side, channels) of its input. Raises UsageError unless a picture goes in and a vector comes out."""
    taken, given = [tuple(t.shape) for t in model.inputs], [tuple(t.shape) for t in model.outputs]
    one = len(taken) == len(given) == 1 and len(taken[0]) == 4 and len(given[0]) == 2
    if not one or None in taken[0][1:] or taken[0][1] != taken[0][2] or taken[0][3] not in {1, 3}:
        raise UsageError(
            f"{path}: takes {taken}, gives {given}; one square picture of fixed size in and one vector out are needed"
        )
    return taken[0][1:]


def _datasets(
    images: Path, output: Path, spec: InputSpec, alignment: list[tuple[float, float]], asked: dict[str, Any]
) -> tuple[DataSplit, str]:
    found = crop_all(photos_by_person(images), spec, np.array(alignment, np.float32), output)
    for said in [*found.unreadable, *(f"{path}: no face in it" for path in found.faceless)]:
        echo(f"left out: {said}", err=True)
    data = split(found.dataset, asked["validation"], asked["test"], asked["seed"])
    alone = len(found.dataset.people) - sum(len(people) for people in _people(data).values())
    if alone:
        echo(f"left out: {alone} people with only one photo", err=True)
    return data, found.digest


def _plan(embedder: Any, spec: InputSpec, fingerprint: str, asked: dict[str, Any]) -> TrainingPlan:
    begun = asked["begun"]
    return TrainingPlan(
        network=str(begun or asked["network"] or networks.NETWORKS[0]),
        objective=asked["objective"],
        spec=spec,
        dimensions=int(embedder.outputs[0].shape[-1]),
        learning_rate=asked["learning_rate"] or (FINE_TUNING_RATE if begun else RATE),
        batch=asked["batch"],
        augment=asked["augment"],
        last_layers=asked["last_layers"],
        validation=asked["validation"],
        test=asked["test"],
        seed=asked["seed"],
        pictures=fingerprint,
    )


def _show(epoch: Epoch) -> None:
    learnt = "before training" if epoch.loss is None else f"loss {epoch.loss:.4f}"
    accuracy = "" if epoch.accuracy is None else f", accuracy {epoch.accuracy:.1%}"
    echo(
        f"epoch {epoch.epoch}: {learnt}{accuracy}; validation: area {epoch.area:.4f}, "
        f"{epoch.true_accepts:.1%} accepted at 1 % false accepts"
    )


def _finish(trainer: Trainer, output: Path, spec: InputSpec, data: DataSplit) -> None:
    best = max(trainer.epochs, key=lambda epoch: epoch.area)
    echo(f"{output / BEST}: epoch {best.epoch}, area {best.area:.4f}; {output / PLOT} plots the training")
    result: dict[str, object] = {"epoch": best.epoch, "validation": {"area": best.area, "at 1 %": best.true_accepts}}
    if data.test is not None:
        embedder = keras_of(3).models.load_model(output / BEST, compile=False)
        area, accepted = verification(training_network(embedder, spec, augment=False), data.test)
        echo(f"test, {len(data.test.people)} people that nothing was chosen by: area {area:.4f}, "
             f"{accepted:.1%} accepted at 1 % false accepts")  # fmt: skip
        result["test"] = {"area": area, "at 1 %": accepted}
    write_whole(output / RESULT, msgspec.json.format(msgspec.json.encode(result)))
    pixels = next((name for name, values in PIXELS.items() if _as(spec, values)), None)
    feeding = f"--range {pixels}" if pixels else "--card CARD"
    echo(f"next: whosthere-converter convert {output / BEST} -o {output / 'variants'} {feeding}")


def _as(spec: InputSpec, values: dict[str, Any]) -> bool:
    return all(getattr(spec, name) == value for name, value in ({"per_picture": False} | values).items())


def _forget(output: Path) -> None:
    """Delete the earlier training, and nothing else in the folder."""
    shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
    for name in (SETTINGS, HISTORY, PLOT, BEST, STATE, SPLIT, RESULT):
        (output / name).unlink(missing_ok=True)
