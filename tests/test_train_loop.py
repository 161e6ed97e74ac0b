"""The course of a training: learning rates, when it stops, what it records, and on what it runs."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.sources import float_model, keras_of
from converter.training.dataset import Dataset, DataSplit
from converter.training.history import Epoch, read
from converter.training.judging import identified, judge
from converter.training.plan import TrainingPlan
from converter.training.schedules import factor, waited
from converter.training.strategies import strategy_named
from converter.training.trainer import Trainer
from edge.errors import UsageError
from edge.models.card import InputSpec, LearnedSimilarity
from edge.models.measure import WeightedL1
from support.needed import TENSORFLOW
from support.training import FEW, own_network, textures, train_tiny

pytestmark = TENSORFLOW


def test_schedules() -> None:
    cosine = [factor("cosine", epoch, 10, 0, []) for epoch in range(1, 11)]
    assert cosine[0] == 1 and cosine == sorted(cosine, reverse=True) and 0 < cosine[-1] < 0.05
    assert [factor("steps", epoch, 8, 0, []) for epoch in range(1, 9)] == [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    assert [factor("constant", epoch, 8, 3, []) for epoch in range(1, 6)] == [0.25, 0.5, 0.75, 1, 1]
    assert factor("plateau", 6, 8, 0, [0.5, 0.6, 0.6, 0.6, 0.6, 0.6]) == 0.5
    assert (waited([]), waited([0.5, 0.6, 0.6]), waited([0.5, 0.6, 0.7])) == (0, 1, 0)


def test_epochs_that_begin_collapsed_and_worse_than_none_are_progress(tmp_path: Path) -> None:
    """ArcFace and CosFace begin so: the learning rate stays, `--patience` waits on, and the best is another."""
    spec = InputSpec((1, 32, 32, 3), "rgb", 127.5, 127.5)
    plan = TrainingPlan("cnn", "arcface", spec, 8, 0.01, 4, True, None, 0.2, 0.0, 0, "")
    nothing = Dataset(np.empty((0, 32, 32, 3), np.uint8), np.empty(0, np.int64), np.empty(0, np.int32), [])
    trainer = Trainer(tmp_path, plan, None, DataSplit(nothing, nothing, None), None)
    for number, (area, strangers) in enumerate([(0.6, 0.9), *[(0.51 + n / 100, 0.999) for n in range(6)]]):
        trainer.epochs.append(Epoch(number, 1.0, None, area, 0.0, strangers))

    assert (trainer.learning_rate(7, 12), trainer.waited) == (0.01, 0)
    assert max(trainer.epochs, key=lambda epoch: epoch.merit).epoch == 0
    trainer.epochs += [trainer.epochs[-1]] * 4
    assert (trainer.learning_rate(11, 12), trainer.waited) == (0.005, 4)


def test_identification_counts_whom_it_names_right_over_the_strangers() -> None:
    """People 0 and 2 are known; the stranger 1 is 0.5 like 0, and one picture of 2 is only 0.4 like it."""
    axes = np.eye(4)

    def near(axis: int, cosine: float) -> np.ndarray:
        return cosine * axes[axis] + np.sqrt(1 - cosine**2) * axes[3]

    vectors = np.stack([axes[0], near(0, 0.9), near(0, 0.5), axes[1], axes[2], near(2, 0.8), near(2, 0.4)])
    alike = vectors @ vectors.T
    assert identified(alike, np.array([0, 0, 1, 1, 2, 2, 2], np.int32)) == pytest.approx(2 / 3)
    assert identified(alike[:2, :2], np.array([0, 0], np.int32)) is None


def test_strangers_are_compared_by_cosine_whatever_judges() -> None:
    """Pixels are vectors here: two people whose cosine is 0.8, and whose own similarity is far lower."""
    pixels = np.array([[4, 3], [4, 3], [5, 0], [5, 0]], np.uint8).reshape(4, 1, 1, 2)
    held = Dataset(pixels, np.arange(4), np.array([0, 0, 1, 1], np.int32), ["ada", "ben"])
    own = WeightedL1(LearnedSimilarity(1, 2.0, [9.0, 9.0]))
    judged = judge(lambda pictures, **_: pictures.reshape(len(pictures), 2), held, own)
    assert judged.strangers == pytest.approx(0.8)
    assert judged.area == 1.0


@pytest.mark.slow
def test_a_course_is_recorded_and_ends_early(tmp_path: Path) -> None:
    arguments = ("--patience", "2", "--schedule", "cosine", "--warm-up", "1", "--tensorboard", "--epochs", "40")
    code, printed, said = train_tiny(tmp_path, *arguments)
    assert code == 0, said
    epochs = read(tmp_path / "out" / "history.csv")
    assert len(epochs) < 41
    assert f"stopped after epoch {epochs[-1].epoch}: no larger area in 2 epochs (--patience)" in printed
    assert [epoch.learning_rate for epoch in epochs[1:3]] == pytest.approx([5e-4, 1e-3])
    assert all(epoch.identified is not None for epoch in epochs)
    (events,) = (tmp_path / "out" / "tensorboard").iterdir()
    assert b"validation/identified at 1 %" in events.read_bytes()
    code, _, said = train_tiny(tmp_path, *arguments[:-1], "50")
    assert (code, "planned_epochs was 40, is 50" in said) == (2, True)
    code, printed, _ = train_tiny(tmp_path, *arguments, "--restart")
    assert (code, " done" in printed) == (0, False)


def test_a_preview_shows_augmentation_and_trains_nothing(tmp_path: Path) -> None:
    code, printed, said = train_tiny(tmp_path, "--preview", "--grey")
    assert code == 0, said
    assert "nothing was trained" in printed
    sheet = cv2.imread(str(tmp_path / "out" / "preview.png"))
    assert sheet is not None and sheet.shape == (8 * 36 + 4, 10 * 36 + 4, 3)
    plain, varied = sheet[4:36, 4:36].astype(int), sheet[4:36, 40:72].astype(int)
    assert np.abs(plain - varied).mean() > 2
    assert not (tmp_path / "out" / "training.json").exists()


@pytest.mark.slow
def test_mixed_precision_gives_an_embedder_in_float32(tmp_path: Path) -> None:
    code, printed, said = train_tiny(tmp_path, "--mixed-precision", "--epochs", "2")
    assert code == 0, said
    model = keras_of(3).models.load_model(tmp_path / "out" / "embedder.keras", compile=False)
    assert "float16" in model.layers[-1].dtype_policy.name
    assert float_model(tmp_path / "out" / "embedder.keras")[4:8] == b"TFL3"
    code, printed, said = train_tiny(tmp_path, "--mixed-precision", "--epochs", "3")
    assert (code, "; 2 epochs done" in printed) == (0, True), said


@pytest.mark.parametrize(
    "config", ["{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_a_cluster_that_is_not_understood_is_refused(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UsageError, match=r"TF_CONFIG: found .*; allowed: "):
        strategy_named("multiworker")


TWO_DEVICES = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from converter.__main__ import main
main(sys.argv[1:])
"""


def command(tmp_path: Path, out: str, *more: str) -> list[str]:
    images = textures(tmp_path / "people")
    network = ["--network", str(own_network(tmp_path))]
    course = ["--objective", "contrastive", "--epochs", "2"]
    return ["train", "--images", str(images), "-o", str(tmp_path / out), *FEW, *network, *course, *more]


@pytest.mark.slow(25)
def test_two_devices_share_each_step(tmp_path: Path) -> None:
    results = []
    for out in ("one", "two"):
        arguments = command(tmp_path, out, "--strategy", "mirrored")
        done = subprocess.run(
            [sys.executable, "-c", TWO_DEVICES, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "2 devices share each step" in done.stdout
        results.append((tmp_path / out / "history.csv").read_text(encoding="utf-8"))
    assert results[0] == results[1]
    assert len(read(tmp_path / "one" / "history.csv")) == 3


@pytest.mark.slow(30)
def test_two_workers_train_one_network(tmp_path: Path) -> None:
    """Each worker learns from batches of its own, and both end with the same weights."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    workers = []
    for index in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        arguments = [sys.executable, "-m", "converter", *command(tmp_path, "out", "--strategy", "multiworker")]
        workers.append(
            subprocess.Popen(
                arguments,
                env=os.environ | {"TF_CONFIG": config},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    outputs = [worker.communicate(timeout=600) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    # How long each of them waited for its own photos is its own affair.
    shown = [
        [line.partition("; waited")[0] for line in out.splitlines() if line.startswith("epoch ")] for out, _ in outputs
    ]
    assert len(shown[0]) == 3
    assert shown[0] == shown[1], "both judge the same weights"
    last = "checkpoints/epoch-0002.keras"
    begun, *ended = (
        keras_of(3).models.load_model(tmp_path / "out" / path, compile=False).get_weights()
        for path in ("checkpoints/epoch-0000.keras", last, f"worker-1/{last}")
    )
    assert all((one == other).all() for one, other in zip(*ended, strict=True))
    assert any((one != other).any() for one, other in zip(begun, ended[0], strict=True))


@pytest.mark.slow
def test_with_hard_negatives_too_one_seed_gives_one_result_interrupted_or_not(tmp_path: Path) -> None:
    course = ("--objective", "contrastive", "--mining", "all", "--warm-up", "2", "--schedule", "constant")
    for out, epochs in (("whole", "3"), ("parts", "2"), ("parts", "3")):
        code, _, said = train_tiny(tmp_path, *course, "--epochs", epochs, out=out)
        assert code == 0, said
    whole, parts = ((tmp_path / out / "history.csv").read_text(encoding="utf-8") for out in ("whole", "parts"))
    assert whole == parts
    assert train_tiny(tmp_path, *course, "--epochs", "3", "--seed", "1", out="other")[0] == 0
    assert (tmp_path / "other" / "history.csv").read_text(encoding="utf-8") != whole
