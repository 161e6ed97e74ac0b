"""From photos of people to an embedder: the command as it is typed, on real faces."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from converter import networks
from converter.datasets import DatasetError
from converter.graph import Graph
from converter.input_spec import template as standard_template
from converter.sources import float_model, keras_of
from converter.training import fitting
from converter.training.crop_file import CropFile
from converter.training.crops import crop_all
from converter.training.dataset import Dataset, split
from converter.training.history import read
from converter.training.losses import LOSSES
from converter.training.schedules import decay
from converter.training.strategies import strategy_named
from converter.training.trainer import check_loss
from converter.training.triplets import MARGIN, semi_hard
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from support.converting import run
from support.needed import TENSORFLOW
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, read_picture, save
from support.training import FEW, NET_WITH_STATE, own_network, textures, train_tiny

pytestmark = TENSORFLOW

PEOPLE = {"barack": [OBAMA, OBAMA_2009, OBAMA_2010], "joe": [BIDEN], "grace": [HOPPER], "eileen": [COLLINS]}
SMALL = ("--size", "48", "--batch", "16", "--dimensions", "32", "--validation", "0.5", "--test", "0")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of each of the four people of the bundled portraits, turned and lit differently."""
    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(1)
    for name, portraits in PEOPLE.items():
        (root / name).mkdir()
        for number in range(6):
            image = read_picture(portraits[number % len(portraits)])
            scale = 400 / max(image.shape[:2])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            height, width = image.shape[:2]
            turned = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-8, 8), 1.0)
            image = cv2.convertScaleAbs(cv2.warpAffine(image, turned, (width, height)), alpha=random.uniform(0.7, 1.2))
            save(root / name / f"{number}.jpg", image)
    return root


def train(*arguments: str | Path) -> tuple[int, str, str]:
    return run("train", *arguments)


def check_learnt(out: Path, printed: str) -> None:
    """What six epochs write, with an embedder of 32 dimensions."""
    epochs = read(out / "history.csv")
    assert [epoch.epoch for epoch in epochs] == list(range(7))
    losses = [epoch.loss for epoch in epochs if epoch.loss is not None]
    assert min(losses[-2:]) < 0.9 * losses[0]
    assert len(list((out / "checkpoints").glob("*.keras"))) == 3
    assert cv2.imread(str(out / "training.png")) is not None
    best = max(epochs, key=lambda epoch: epoch.area)
    untrained = "" if best.epoch else ", the state before training: no epoch was better"
    assert f"epoch {best.epoch}{untrained}; area {best.area:.4f}" in printed
    graph = Graph(float_model(out / "embedder.keras"))
    assert graph.shape(graph.outputs[0]) == (1, 32)


@pytest.mark.slow(25)
def test_it_learns_from_photos(photos: Path, tmp_path: Path) -> None:
    code, printed, said = train("--images", photos, "-o", tmp_path / "out", *SMALL, "--epochs", "6")

    assert code == 0, said
    assert "training: 2 people in 12 pictures; validation: 2 people in 12 pictures;" in printed
    check_learnt(tmp_path / "out", printed)


@pytest.mark.slow
@pytest.mark.parametrize("objective", [name for name in LOSSES if name != "triplet"])
def test_it_learns_with_every_other_objective(tmp_path: Path, objective: str) -> None:
    given = ("--dimensions", "32", "--objective", objective, "--learning-rate", "0.01", "--epochs", "6")
    code, printed, said = train_tiny(tmp_path, *given)

    assert code == 0, said
    check_learnt(tmp_path / "out", printed)


@pytest.mark.slow(25)
def test_what_was_interrupted_goes_on(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["train", "--images", str(photos), "-o", str(out), *SMALL, "--no-augment", "--epochs"]
    process = subprocess.Popen(
        [sys.executable, "-m", "converter", *command, "500"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch 3:"):
            process.send_signal(signal.SIGINT)
            break
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted after epoch" in said
    assert "Traceback" not in said
    done = read(out / "history.csv")[-1].epoch

    again = [sys.executable, "-m", "converter", *command, str(done + 2)]
    resumed = subprocess.run(again, capture_output=True, text=True, check=False)
    printed = resumed.stdout

    assert resumed.returncode == 0, resumed.stderr
    assert f"; {done} epoch{'s' * (done != 1)} done" in printed
    assert "epoch 1:" not in printed
    assert [epoch.epoch for epoch in read(out / "history.csv")] == list(range(done + 3))


@pytest.mark.slow
def test_fine_tuning_never_ends_worse_than_it_began(photos: Path, tmp_path: Path) -> None:
    built = networks.build("cnn", 48, 3, 16)
    # As `import` saves it: a list of one output.
    begun = keras_of(3).Model(built.input, [built.output])
    begun.save(tmp_path / "begun.keras")
    feeding = ("--from", tmp_path / "begun.keras", "--range", "0..1", "--last-layers", "1")

    code, printed, said = train(
        "--images", photos, "-o", tmp_path / "out", "--validation", "0.5", "--test", "0", *feeding, "--epochs", "2"
    )

    assert code == 0, said
    epochs = read(tmp_path / "out" / "history.csv")
    assert epochs[0].loss is None
    assert "epoch 0: before training" in printed
    tuned = keras_of(3).models.load_model(tmp_path / "out" / "checkpoints" / "epoch-0002.keras", compile=False)
    assert (tuned.layers[1].get_weights()[0] == begun.layers[1].get_weights()[0]).all()
    assert (tuned.layers[-1].get_weights()[0] != begun.layers[-1].get_weights()[0]).any()


@pytest.mark.slow(15)
def test_another_training_in_the_folder_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    arguments = ("--images", photos, "-o", tmp_path / "out", *SMALL, "--epochs", "1")
    assert train(*arguments)[0] == 0

    code, _, said = train(*arguments, "--objective", "classes")
    assert code == 2
    assert "objective was triplet, is classes" in said
    elsewhere = ("--images", tmp_path, *arguments[2:])
    assert train(*elsewhere, "--restart")[0] == 1
    assert (tmp_path / "out" / "embedder.keras").is_file(), "what cannot start over deletes nothing"
    code, printed, _ = train(*arguments, "--objective", "classes", "--restart")
    assert code == 0
    assert " done" not in printed


@pytest.mark.slow
def test_bad_input_is_told(photos: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for name in ("barack", "joe", "grace"):
        (few / name).mkdir(parents=True)
        for photo in sorted((photos / name).iterdir())[:2]:
            (few / name / photo.name).write_bytes(photo.read_bytes())
    (few / "joe" / "torn.jpg").write_bytes(b"\xff\xd8torn")
    save(few / "joe" / "wall.jpg", np.full((200, 200, 3), 128, np.uint8))
    code, _, said = train("--images", few, "-o", tmp_path / "out", *SMALL)
    assert code == 1
    assert "people with 2 pictures with a face or more: found 3; 4 are needed" in said
    assert "torn.jpg: not an image in a supported format" in said
    assert "wall.jpg: no face in it" in said

    broken = networks.build("cnn", 48, 3, 16)
    broken.layers[-1].set_weights([np.full_like(w, np.nan) for w in broken.layers[-1].get_weights()])
    broken.save(tmp_path / "broken.keras")
    begun = ("--images", photos, "-o", tmp_path / "out2", "--from", tmp_path / "broken.keras")
    assert "give --card, --range, or --mean and --std" in train(*begun)[2]
    code, _, said = train(*begun, "--range", "0..1", "--validation", "0.5", "--test", "0")
    assert (code, "vectors with NaN or infinity: it is damaged" in said) == (1, True)
    inputs = keras_of(3).Input((48, 48, 3))
    keras_of(3).Model(inputs, [inputs[:, 0, 0], inputs[:, 1, 1]]).save(tmp_path / "two.keras")
    two = train("--images", photos, "-o", tmp_path / "out2", "--from", tmp_path / "two.keras", "--range", "0..1")
    assert "one square picture of fixed size in and one vector out are needed" in two[2]
    card = ("--card", "mobilefacenet")
    assert "the network takes (1, 112, 112, 3), but it takes (1, 48, 48, 3)" in train(*begun, *card)[2]
    assert "'mobilefac': no bundled model has that name" in train(*begun, "--card", "mobilefac")[2]
    assert "give --network or --from, not both" in train(*begun, "--range", "0..1", "--network", "cnn")[2]
    assert (
        "--size: found 48: inception-resnet-v2: "
        in train("--images", photos, "-o", tmp_path / "out3", *SMALL, "--network", "inception-resnet-v2")[2]
    )


@pytest.mark.parametrize(("loss", "found"), [(float("nan"), "NaN"), (float("inf"), "inf")])
def test_a_loss_that_is_not_finite_ends_the_training(loss: float, found: str) -> None:
    with pytest.raises(DatasetError, match=rf"epoch 3: loss is {found}: the learning rate, 0\.1, is too high"):
        check_loss(3, loss, 0.1)
    check_loss(3, 0.5, 0.1)


def test_semi_hard_triplets_are_those_of_the_paper() -> None:
    vectors = np.random.default_rng(5).normal(size=(12, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    person = np.repeat(np.arange(4), 3)
    squared = ((vectors[:, None] - vectors[None]) ** 2).sum(-1)
    losses = []
    for anchor in range(12):
        others = squared[anchor, person != person[anchor]]
        for positive in np.flatnonzero((person == person[anchor]) & (np.arange(12) != anchor)):
            farther = others[others > squared[anchor, positive]]
            negative = farther.min() if len(farther) else others.max()
            losses.append(max(0.0, squared[anchor, positive] - negative + MARGIN))

    assert float(semi_hard()(person[:, None].astype(np.float32), vectors)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_nobody_is_in_two_sets() -> None:
    person = np.repeat(np.arange(10), [1, 2, 3, 1, 2, 3, 4, 2, 1, 5]).astype(np.int32)
    pixels = np.arange(len(person), dtype=np.uint8)[:, None, None, None]
    dataset = Dataset(pixels, np.arange(len(person)), person, [f"p{i}" for i in range(10)])

    parts = split(dataset, 0.3, 0.2, seed=4)

    assert parts.test is not None
    sets = [parts.training, parts.validation, parts.test]
    assert sorted(name for part in sets for name in part.people) == [f"p{i}" for i in range(10) if i not in {0, 3, 8}]
    for part in sets:
        for number, name in enumerate(part.people):
            own = pixels[person == int(name[1:])]
            assert (part.pixels(part.own(number)) == own).all()
            assert (part.person[part.own(number)] == number).all()
    assert split(dataset, 0.3, 0, seed=4).test is None
    again = split(dataset, 0.3, 0.2, seed=4)
    assert [part.people for part in again if part] == [part.people for part in sets]
    with pytest.raises(DatasetError, match=r"6 are needed .*with --test 0, 4 are enough"):
        split(dataset.of([1, 2, 4, 5]), 0.3, 0.2, seed=4)
    with pytest.raises(DatasetError, match="4 are needed"):
        split(dataset.of([0, 1, 2, 3]), 0.3, 0, seed=4)


def weights(path: Path) -> list[np.ndarray]:
    return list(keras_of(3).models.load_model(path, compile=False).get_weights())


def same_training(one: Path, other: Path, epochs: int) -> bool:
    """Whether two folders have the same figures and, after so many epochs, the same weights, number by number."""
    figures = {(folder / "history.csv").read_text(encoding="utf-8") for folder in (one, other)}
    last = [weights(folder / "checkpoints" / f"epoch-{epochs:04}.keras") for folder in (one, other)]
    return len(figures) == 1 and all((a == b).all() for a, b in zip(*last, strict=True))


@pytest.mark.slow(15)
@pytest.mark.parametrize("objective", list(LOSSES))
def test_one_seed_gives_one_result_interrupted_or_not(tmp_path: Path, objective: str) -> None:
    """All in one process: what is left of an earlier run must not matter."""
    course = ("--network", own_network(tmp_path, NET_WITH_STATE), "--augment", "--objective", objective)
    for folder, epochs, seed in (("parts", 1, 0), ("other", 1, 1), ("whole", 3, 0)):
        code, _, said = train_tiny(tmp_path, *course, "--epochs", str(epochs), "--seed", str(seed), out=folder)
        assert code == 0, said
    first, other = (read(tmp_path / folder / "history.csv")[-1].loss for folder in ("parts", "other"))
    assert first != other
    code, _, said = train_tiny(tmp_path, *course, "--epochs", "3", out="parts")
    assert code == 0, said
    assert same_training(tmp_path / "whole", tmp_path / "parts", 3)


@pytest.mark.slow(40)
def test_a_training_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Each part in a process of its own. Siamese has most to remember: the head is part of what is learnt."""
    network = own_network(tmp_path, NET_WITH_STATE)
    given = ["--images", str(textures(tmp_path / "people")), *FEW, "--augment", "--network", str(network)]
    command = [sys.executable, "-m", "converter", "train", *given, "--objective", "siamese", "--epochs", "3", "-o"]
    with subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line.startswith("epoch 1:") for line in process.stdout)
        process.kill()
    done = {}
    for folder in ("killed", "whole"):
        done[folder] = subprocess.run([*command, str(tmp_path / folder)], capture_output=True, text=True, check=False)
        assert done[folder].returncode == 0, done[folder].stderr
    assert "epoch 0:" not in done["killed"].stdout and "epoch 3:" in done["killed"].stdout
    assert same_training(tmp_path / "whole", tmp_path / "killed", 3)


def test_the_learning_rate_is_halved_when_nothing_gets_better() -> None:
    assert decay([]) == decay([0.5, 0.6, 0.6, 0.6, 0.6]) == 1
    assert decay([0.5, 0.6, 0.6, 0.6, 0.6, 0.6]) == 0.5
    assert decay([0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7, 0.7]) == 0.5
    assert decay([0.6] + [0.5] * 8) == 0.25


@pytest.mark.slow
def test_a_test_set_judges_the_best_embedder(photos: Path, tmp_path: Path) -> None:
    for number, source in enumerate(("barack", "joe")):
        shutil.copytree(photos / source, photos / f"twin{number}", dirs_exist_ok=True)
    given = [*SMALL[:-4], "--validation", "0.3", "--test", "0.3"]

    code, printed, said = train("--images", photos, "-o", tmp_path / "out", *given, "--epochs", "1")

    for number in range(2):
        shutil.rmtree(photos / f"twin{number}")
    assert code == 0, said
    assert "test, 2 people that nothing was chosen by, 66 pairs: area 0." in printed
    people = json.loads((tmp_path / "out" / "split.json").read_text(encoding="utf-8"))
    assert {name: len(own) for name, own in people.items()} == {"training": 2, "validation": 2, "test": 2}
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert 0 <= result["test"]["area"] <= 1


@pytest.mark.slow
def test_a_file_of_keras_2_is_fine_tuned(photos: Path, tmp_path: Path) -> None:
    old = pytest.importorskip("tf_keras")
    given = old.Input((48, 48, 3))
    x = old.layers.ReLU()(old.layers.BatchNormalization()(old.layers.Conv2D(8, 3, 4, use_bias=False)(given)))
    old.Model(given, old.layers.Dense(16)(old.layers.Flatten()(x))).save(tmp_path / "old.h5")
    begun = ("--from", tmp_path / "old.h5", "--range", "-1..1", "--validation", "0.5", "--test", "0", "--epochs", "1")

    code, printed, said = train("--images", photos, "-o", tmp_path / "out", *begun)

    assert code == 0, said
    assert "epoch 1: loss" in printed


def test_crops_stay_on_disk(photos: Path, tmp_path: Path) -> None:
    framing = Framing(np.array(standard_template(48), np.float32))
    spec = InputSpec((1, 48, 48, 3), "rgb", mean=127.5, scale=127.5)
    pictures = {folder.name: sorted(folder.iterdir()) for folder in sorted(photos.iterdir())}

    found = crop_all(pictures, spec, framing, tmp_path)

    store = np.load(tmp_path / "crops.npy", mmap_mode="r")
    assert store.shape == (24, 48, 48, 3)
    assert isinstance(found.dataset._store, CropFile)
    assert (found.dataset.pixels(np.array([3, 1])) == store[[3, 1]]).all()
    before = (tmp_path / "crops.npy").stat().st_mtime_ns
    again = crop_all(pictures, spec, framing, tmp_path)
    assert (again.digest, (tmp_path / "crops.npy").stat().st_mtime_ns) == (found.digest, before)
    fewer = crop_all({"joe": pictures["joe"], "grace": pictures["grace"]}, spec, framing, tmp_path)
    assert (len(fewer.dataset), fewer.digest == found.digest) == (12, False)


def test_crops_are_read_from_their_file_and_nothing_else(tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), np.uint8)
    path = tmp_path / "crops.npy"
    np.save(path, crops)
    store = CropFile(path)
    chosen = np.array([7, 0, 19, 7])
    assert (store[chosen] == crops[chosen]).all()
    assert (len(store), store.shape, store[chosen[:0]].shape) == (20, (20, 6, 6, 3), (0, 6, 6, 3))
    with ThreadPoolExecutor(4) as pool:
        assert all((found == crops[chosen]).all() for found in pool.map(lambda _: store[chosen], range(50)))
    for wrong in ([20], [-1]):
        with pytest.raises(IndexError, match="crops 0 to 19"):
            store[np.array(wrong)]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut off"):
        CropFile(path)
    for other in (crops.astype(np.float32), crops[0], np.asfortranarray(crops)):
        np.save(path, other)
        with pytest.raises(ValueError, match="is expected"):
            CropFile(path)


def test_what_an_epoch_waited_for_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = [0.0], []
    monkeypatch.setattr(fitting, "perf_counter", lambda: clock[0])

    def drawn() -> Iterator[int]:
        for number in range(5):
            clock[0] += 3.0
            yield number

    def step(loss: float) -> dict[str, float]:
        clock[0] += 1.0
        return {"loss": loss}

    callback = Mock(on_train_batch_end=lambda number, _logs: told.append(number))
    strategy = strategy_named("single")
    late = fitting.fit(lambda batch: step(float(batch)), Mock(), drawn(), strategy, callback)
    assert (late.logs, late.waited, told) == ({"loss": 4.0}, 0.75, [0, 1, 2, 3, 4])
    early = fitting.fit(lambda _: step(1.0), Mock(), range(5), strategy, callback)
    assert early.waited == 0.0
    told.clear()
    broken = fitting.fit(lambda _: step(float("nan")), Mock(), drawn(), strategy, callback)
    assert told == [0] and np.isnan(broken.logs["loss"])


@pytest.mark.parametrize(
    "name", ["cnn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobilefacenet", "mobilenet-v2"))]
)
def test_every_network_becomes_a_file_for_the_box(name: str, tmp_path: Path) -> None:
    model = networks.build(name, 64, 3, 32)
    model.save(tmp_path / "model.keras")
    graph = Graph(float_model(tmp_path / "model.keras"))
    assert graph.shape(graph.inputs[0]) == (1, 64, 64, 3)
    assert graph.shape(graph.outputs[0]) == (1, 32)
