"""`whosthere-converter train`: photos of people -> an embedder."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.commands import train_options
from converter.commands.train_network import Beginning, beginning
from converter.exits import Interrupted
from converter.files import write_whole
from converter.input_spec import PIXELS
from converter.label_names import LABELS
from converter.own_similarity import SIMILARITY
from converter.people_folder import photos_by_person, photos_in
from converter.sources import keras_of, load_network, tensorflow
from converter.training.augment import training_network
from converter.training.crops import CroppedDataset, crop_all
from converter.training.dataset import UNLABELLED, DataSplit, split
from converter.training.history import ONE_VECTOR, Epoch
from converter.training.judging import judge
from converter.training.losses import EVERY, LOSSES, TEACHER
from converter.training.plan import TrainingPlan
from converter.training.preview import preview
from converter.training.progress import TensorBoardLog
from converter.training.schedules import PLANNED
from converter.training.strategies import is_chief, strategy_named, worker_number
from converter.training.teacher import open_teacher, teach
from converter.training.trainer import BEST, CHECKPOINTS, CLASSIFIER, HISTORY, PLOT, SETTINGS, STATE, Run, Trainer
from edge.errors import UsageError
from edge.models.card import BUNDLED, InputSpec, LearnedSimilarity
from edge.models.measure import Measure, WeightedL1
from edge.terminal import echo, plural, print_left_out

SPLIT, RESULT, PREVIEW, BOARD = "split.json", "result.json", "preview.png", "tensorboard"


class Lessons(NamedTuple):
    """What there is to learn from."""

    data: DataSplit
    found: CroppedDataset
    taught: str
    """Fingerprint of a teacher's vectors; empty: there is no teacher."""


@click.command("train")
@train_options.everything
def command(
    images: Path, output: Path, epochs: int, patience: int | None, restart: bool, tensorboard: bool, **asked: Any
) -> None:
    """Train an embedder on photos of people, one folder per person, and write it to DIR.

    \b
    DIR/embedder.keras   the best embedder so far, judged by the people of the validation set
    DIR/classifier.keras with labels.txt, a classifier of the training set's people, for classes, arcface and cosface
    DIR/checkpoints/     the last three epochs
    DIR/similarity.json  how alike two vectors are, as learnt by siamese
    DIR/history.csv      loss and figures of each epoch; training.png plots them
    DIR/split.json       who is in which set; result.json: the best epoch, on the validation and the test set

    Faces are found and aligned as on a box. To continue an interrupted training, run the same command again; to
    continue a finished one, give more --epochs. `convert` then turns embedder.keras into what a box runs.

    \b
    Examples:
      whosthere-converter train --images people/ -o mine --network mobilefacenet --objective arcface
      whosthere-converter train --images people/ -o small --network cnn --teacher mobilefacenet
      whosthere-converter train --images people/ -o grey --size 100 --grey --range 0..1 --no-align
    """
    _check(asked, epochs)
    strategy = strategy_named(asked["strategy"])
    # Before anything random happens, the first weights included.
    keras_of(3).utils.set_random_seed(asked["seed"])
    told = {"unaligned": asked["unaligned"]}
    teacher = (
        open_teacher(asked["teacher"], asked["teacher_pixels"], asked["teacher_channels"], **told)
        if asked["teacher"]
        else None
    )
    output.mkdir(parents=True, exist_ok=True)
    photos = photos_by_person(images) | _unlabelled(asked["unlabelled"])
    own = output if is_chief(strategy) else output / f"worker-{worker_number()}"
    vectors, taught = teach(teacher, photos, own / TEACHER) if teacher else (None, "")
    with strategy.scope():
        begun = beginning(asked, None if vectors is None else vectors.shape[1])
    lessons = _lessons(photos, own, begun, vectors, taught, asked)
    if asked["preview"]:
        write_whole(output / PREVIEW, preview(lessons.data.training, begun.spec, asked["seed"]))
        echo(f"{output / PREVIEW}: photos and their variations; nothing was trained")
        return
    if restart:
        _forget(output)
    plan = _plan(begun, lessons, epochs, strategy, asked)
    trainer = Trainer(own, plan, begun.embedder, lessons.data, strategy)
    write_whole(own / SPLIT, msgspec.json.format(msgspec.json.encode(_people(lessons.data))))
    _announce(lessons, begun.embedder, trainer.done, strategy)
    board = TensorBoardLog(output / BOARD) if tensorboard and is_chief(strategy) else None

    def on_epoch(epoch: Epoch) -> None:
        _show(epoch)
        if board:
            board.add(epoch)

    try:
        trainer.run(Run(epochs, on_epoch, patience))
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted after epoch {trainer.done}; run the same command to go on") from None
    if trainer.done < epochs:
        echo(f"stopped after epoch {trainer.done}: no larger area in {trainer.waited} epochs (--patience)")
    if is_chief(strategy):
        _finish(trainer, output, begun.spec, lessons)
        _next(output / BEST, begun.spec, lessons, asked)


def _check(asked: dict[str, Any], epochs: int) -> None:
    """Set the objective, and raise UsageError for options that do not go with it, or with each other."""
    if asked["warm_up"] > epochs:
        raise UsageError(f"--warm-up: found {asked['warm_up']}; allowed: at most the {epochs} of --epochs")
    if asked["validation"] + asked["test"] >= 1:
        kept = f"found {asked['validation']:g} and {asked['test']:g}"
        raise UsageError(
            f"--validation, --test: {kept}; allowed: less than 1 together, so that people are left to learn from"
        )
    asked["objective"] = objective = asked["objective"] or (TEACHER if asked["teacher"] else next(iter(LOSSES)))
    loss = EVERY[objective]
    if (objective == TEACHER) != bool(asked["teacher"]):
        raise UsageError("--objective teacher and --teacher belong together: found only one of them")
    for option in ("teacher_pixels", "teacher_channels", "unlabelled"):
        if asked[option] and not asked["teacher"]:
            raise UsageError(
                f"--{option.replace('pixels', 'range').replace('_', '-')} belongs to --teacher; give it too"
            )
    wrong = {
        "--margin": asked["margin"] is not None and loss.margin is None,
        "--scale": asked["scale"] is not None and loss.scale is None,
        "--sub-centres": asked["sub_centres"] > 1 and not loss.centres,
        "--mining": asked["mining"] == "all" and not loss.minable,
    }
    able = {
        "--margin": [name for name, one in EVERY.items() if one.margin is not None],
        "--scale": [name for name, one in EVERY.items() if one.scale is not None],
        "--sub-centres": [name for name, one in EVERY.items() if one.centres],
        "--mining": [name for name, one in EVERY.items() if one.minable],
    }
    for option, bad in wrong.items():
        if bad:
            raise UsageError(f"{option}: found with --objective {objective}; allowed with {', '.join(able[option])}")


def _unlabelled(folder: Path | None) -> dict[str, list[Path]]:
    if folder is None:
        return {}
    left_out: list[str] = []
    found = photos_in(folder, left_out)
    print_left_out(left_out)
    if not found:
        raise UsageError(f"--unlabelled: {folder} holds no photos")
    return {UNLABELLED: found}


def _lessons(
    photos: dict[str, list[Path]],
    folder: Path,
    begun: Beginning,
    vectors: NDArray[np.float32] | None,
    taught: str,
    asked: dict[str, Any],
) -> Lessons:
    folder.mkdir(parents=True, exist_ok=True)
    found = crop_all(photos, begun.spec, begun.framing, folder)
    for said in [*found.unreadable, *(f"{path}: no face in it" for path in found.faceless)]:
        echo(f"left out: {said}", err=True)
    data = split(found.dataset, asked["validation"], asked["test"], asked["seed"], taught=vectors is not None)
    alone = len(found.dataset.people) - sum(len(people) for people in _people(data).values())
    if alone:
        echo(f"left out: {plural(alone, 'person', 'people')} with only one photo", err=True)
    if vectors is None:
        return Lessons(data, found, taught)
    given, wanted = vectors.shape[1], int(begun.embedder.outputs[0].shape[-1])
    if given != wanted:
        raise UsageError(f"--dimensions: found {wanted}; allowed: {given}, as many as the teacher gives")
    return Lessons(data._replace(training=data.training.with_teacher(vectors)), found, taught)


def _people(data: DataSplit) -> dict[str, list[str]]:
    return {name: part.people for name, part in zip(data._fields, data, strict=True) if part is not None}


def _announce(lessons: Lessons, embedder: Any, done: int, strategy: Any) -> None:
    data = lessons.data
    counts = {
        name: f"{plural(sum(one != UNLABELLED for one in part.people), 'person', 'people')} in {len(part)} pictures"
        for name, part in zip(data._fields, data, strict=True)
        if part is not None
    }
    listed = "; ".join(f"{name}: {count}" for name, count in counts.items())
    echo(f"{listed}; {embedder.count_params():,} parameters" + f"; {plural(done, 'epoch')} done" * bool(done))
    gpus, replicas = tensorflow().config.list_physical_devices("GPU"), strategy.num_replicas_in_sync
    shared = f"; {replicas} devices share each step" if replicas > 1 else ""
    echo(f"training on {f'{len(gpus)} GPU(s)' if gpus else 'the CPU: TensorFlow finds no GPU'}{shared}")


def _plan(begun: Beginning, lessons: Lessons, epochs: int, strategy: Any, asked: dict[str, Any]) -> TrainingPlan:
    loss = EVERY[asked["objective"]]
    usual = train_options.FINE_TUNING_RATE if asked["begun"] else train_options.RATE
    same = {name: asked[name] for name in (
        "objective", "batch", "augment", "last_layers", "validation", "test", "seed", "sub_centres", "mining",
        "schedule", "warm_up", "mixed_precision",
    )}  # fmt: skip
    return TrainingPlan(
        network=begun.name,
        spec=begun.spec,
        dimensions=int(begun.embedder.outputs[0].shape[-1]),
        learning_rate=asked["learning_rate"] or usual,
        pictures=lessons.found.digest,
        aligned=begun.framing is not None,
        margin=loss.margin if asked["margin"] is None else asked["margin"],
        scale=asked["scale"] or loss.scale,
        teacher=lessons.taught,
        planned_epochs=epochs if asked["schedule"] in PLANNED else None,
        replicas=strategy.num_replicas_in_sync,
        **same,
    )


def _show(epoch: Epoch) -> None:
    learnt = "before training" if epoch.loss is None else f"loss {epoch.loss:.4f}"
    accuracy = "" if epoch.accuracy is None else f", accuracy {epoch.accuracy:.1%}"
    waited = "" if epoch.waited is None else f"; waited for input {epoch.waited:.1%}"
    alike = "; all faces nearly the same vector" if epoch.collapsed else ""
    named = "" if epoch.identified is None else f", {epoch.identified:.1%} identified"
    echo(
        f"epoch {epoch.epoch}: {learnt}{accuracy}; validation: area {epoch.area:.4f}, "
        f"{epoch.true_accepts:.1%} accepted at 1 % false accepts{named}{alike}{waited}"
    )


def _finish(trainer: Trainer, output: Path, spec: InputSpec, lessons: Lessons) -> None:
    best = max(trainer.epochs, key=lambda epoch: epoch.merit)
    untrained = "" if best.epoch else ", the state before training: no epoch was better"
    echo(f"{output / BEST}: epoch {best.epoch}{untrained}; area {best.area:.4f}; {output / PLOT} plots the training")
    result: dict[str, object] = {"epoch": best.epoch, "validation": {"area": best.area, "at 1 %": best.true_accepts}}
    network = training_network(load_network(output / BEST), spec, augment=False)
    own, test = _own_similarity(output), lessons.data.test
    cosine = judge(network, test or lessons.data.validation)
    if cosine.strangers > ONE_VECTOR:
        echo(f"warning: two different people have a mean cosine of {cosine.strangers:.6f}: every face gets nearly the "
             "same embedding, and int8 cannot keep what tells them apart; use more photos, or another --learning-rate "
             "or --network", err=True)  # fmt: skip
    if test is not None:
        found = judge(network, test, own) if own else cosine
        echo(f"test, {len(test.people)} people that nothing was chosen by, {found.pairs} pairs: area {found.area:.4f}, "
             f"{found.true_accepts:.1%} accepted at 1 % false accepts")  # fmt: skip
        if own:
            echo(f"by its own similarity, {output / SIMILARITY}; by cosine: area {cosine.area:.4f}, "
                 f"{cosine.true_accepts:.1%} accepted at 1 % false accepts")  # fmt: skip
        result["test"] = {"area": found.area, "at 1 %": found.true_accepts, "pairs": found.pairs}
    write_whole(output / RESULT, msgspec.json.format(msgspec.json.encode(result)))


def _own_similarity(output: Path) -> Measure | None:
    """What a Siamese training has learnt; None: it is none."""
    path = output / SIMILARITY
    return WeightedL1(msgspec.json.decode(path.read_bytes(), type=LearnedSimilarity)) if path.is_file() else None


def _next(embedder: Path, spec: InputSpec, lessons: Lessons, asked: dict[str, Any]) -> None:
    """Print the command that makes a box's files of it."""
    pixels = next((name for name, values in PIXELS.items() if _as(spec, values)), None)
    known: Path | None = asked["known"]
    card = known and (known.stem if known.parent == BUNDLED else known)
    feeding = f"--card {card}" if card and not asked["pixels"] else f"--range {pixels}"
    if asked["unaligned"]:
        feeding += f" --no-align --crop {lessons.found.times}" if lessons.found.times else " --no-align"
    echo(f"next: whosthere-converter convert {embedder} -o {embedder.with_name('variants')} {feeding}")
    classifier = embedder.with_name(CLASSIFIER)
    if classifier.is_file():
        echo(f"for labels: whosthere-converter convert {classifier} -o {embedder.with_name('classifier')} {feeding}")


def _as(spec: InputSpec, values: dict[str, Any]) -> bool:
    return all(getattr(spec, name) == value for name, value in ({"per_picture": False} | values).items())


def _forget(output: Path) -> None:
    """Delete the earlier training, and nothing else in the folder."""
    for folder in (CHECKPOINTS, BOARD):
        shutil.rmtree(output / folder, ignore_errors=True)
    for name in (SETTINGS, HISTORY, PLOT, BEST, CLASSIFIER, LABELS, SIMILARITY, STATE, SPLIT, RESULT):
        (output / name).unlink(missing_ok=True)
