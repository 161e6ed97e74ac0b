"""Losses against their papers' formulas, hard negatives, teachers, and options that do not go together."""

import json
from pathlib import Path

import numpy as np
import pytest

from converter.sources import keras_of
from converter.training.crops import coloured
from converter.training.dataset import UNLABELLED, Dataset, split
from converter.training.heads import HeadSettings
from converter.training.history import read
from converter.training.labels import arcface, cosface, margin_loss
from converter.training.losses import EVERY
from converter.training.mining import HardNegatives
from converter.training.pairs import _contrastive
from converter.training.teacher import normalised, open_teacher
from edge.models.card import InputSpec
from edge.models.tflite import to_tensor
from support.needed import TENSORFLOW
from support.training import textures, train_tiny

pytestmark = TENSORFLOW

SCALE, ANGLE, MARGIN = 32.0, 0.5, 0.35


def cross_entropy(logits: np.ndarray, person: np.ndarray) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(person)), person]))


def test_the_margins_are_those_of_the_papers() -> None:
    random = np.random.default_rng(1)
    person = np.array([0, 3, 2, 2, 1])
    cosines = random.uniform(-0.6, 0.95, (5, 4)).astype(np.float32)
    rows = np.arange(5)
    turned, lowered = cosines.copy(), cosines.copy()
    turned[rows, person] = np.cos(np.arccos(cosines[rows, person]) + ANGLE)
    lowered[rows, person] -= MARGIN
    given = person[:, None].astype(np.float32)
    assert float(margin_loss(SCALE, ANGLE, 0)(given, cosines)) == pytest.approx(
        cross_entropy(SCALE * turned, person), rel=1e-4
    )
    assert float(margin_loss(SCALE, 0, MARGIN)(given, cosines)) == pytest.approx(
        cross_entropy(SCALE * lowered, person), rel=1e-4
    )


def test_beyond_a_straight_angle_the_margin_goes_on_growing() -> None:
    losses = [
        float(margin_loss(SCALE, ANGLE, 0)(np.zeros(1, np.float32), np.array([[own, 0.1]], np.float32)))
        for own in np.linspace(1, -1, 41)
    ]
    assert losses == sorted(losses)
    assert np.isfinite(losses).all()


def test_contrastive_pulls_together_and_pushes_apart_up_to_the_margin() -> None:
    same, distance = np.array([[1.0], [0.0], [0.0]], np.float32), np.array([[0.4], [0.4], [1.3]], np.float32)
    assert float(_contrastive(1.0)(same, distance)) == pytest.approx((0.16 + 0.36 + 0) / 3, rel=1e-5)


@pytest.mark.parametrize("head", [arcface, cosface])
def test_a_person_is_as_near_as_the_nearest_of_their_sub_centres(head: object) -> None:
    keras = keras_of(3)
    given = keras.Input((8,))
    network = keras.Model(given, given)
    made = head(network, HeadSettings(3, 0.2, 32.0, 2, 0))  # type: ignore[operator]
    vectors = np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    (centres,) = made.model.get_layer("people").get_weights()
    wanted = (unit @ centres).reshape(5, 2, 3).max(1)
    np.testing.assert_allclose(np.asarray(made.model(vectors)), wanted, atol=1e-5)


def data(people: int, each: int) -> tuple[Dataset, np.ndarray]:
    """A data set without pictures, and vectors in which people 0 and 1, 2 and 3, ... are alike."""
    random = np.random.default_rng(5)
    person = np.repeat(np.arange(people), each).astype(np.int32)
    bases = random.normal(size=(people // 2, 16))
    vectors = (
        bases[person // 2]
        + 0.3 * random.normal(size=(people, 16))[person]
        + 0.05 * random.normal(size=(len(person), 16))
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    dataset = Dataset(
        np.zeros((len(person), 1, 1, 1), np.uint8), np.arange(len(person)), person, [str(i) for i in range(people)]
    )
    return dataset, vectors.astype(np.float32)


def test_hard_negatives_are_the_nearest_of_the_whole_set() -> None:
    dataset, vectors = data(40, 3)
    hard = HardNegatives(dataset, vectors)
    alike = vectors @ vectors.T
    for anchor in range(0, 120, 7):
        others = np.where(dataset.person == dataset.person[anchor], -2, alike[anchor])
        assert hard.picture(anchor) == int(others.argmax())
    people = hard.people(8, np.random.default_rng(0))
    assert len(people) == len(set(people.tolist())) == 8
    assert sum(int(one) ^ 1 in people for one in people) >= 4
    assert (hard.people(8, np.random.default_rng(0)) == people).all()


def test_with_a_teacher_everybody_who_judges_nothing_is_learnt_from() -> None:
    person = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4, 5], np.int32)
    store = np.zeros((10, 1, 1, 1), np.uint8)
    dataset = Dataset(store, np.arange(10), person, [UNLABELLED, "a", "b", "c", "d", "e"])
    parts = split(dataset, 0.4, 0, seed=1, taught=True)
    judging = set(parts.validation.people)
    assert len(judging) == 2 and not judging & {UNLABELLED, "e"}
    assert set(parts.training.people) == {UNLABELLED, "a", "b", "c", "d", "e"} - judging
    vectors = np.ones((10, 4), np.float32)
    vectors[0] = np.nan
    taught = parts.training.with_teacher(vectors)
    assert len(taught) == len(parts.training) - 1
    assert np.isfinite(taught.taught(np.arange(len(taught)))).all()
    assert UNLABELLED not in split(dataset, 0.4, 0, seed=1).training.people


@pytest.mark.parametrize("order", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["n", 1])
def test_an_onnx_teacher_gives_what_its_graph_says(tmp_path: Path, order: str, batch: str | int) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, float_ = onnx.helper, onnx.TensorProto.FLOAT
    shape = [batch, 3, 16, 16] if order == "nchw" else [batch, 16, 16, 3]
    axes = [2, 3] if order == "nchw" else [1, 2]
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)],
        "mean",
        [helper.make_tensor_value_info("x", float_, shape)],
        [helper.make_tensor_value_info("y", float_, [batch, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    path = tmp_path / "mean.onnx"
    onnx.save(model, path)

    teacher = open_teacher(str(path), "0..1", "bgr")

    pictures = np.random.default_rng(0).random((5, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(teacher.network(pictures), pictures.mean((1, 2)), atol=1e-6)
    assert teacher.spec.channels == "bgr"


@pytest.mark.parametrize("channels", ["rgb", "grey"])
@pytest.mark.parametrize("per_picture", [False, True])
def test_a_teacher_is_fed_as_on_the_box(channels: str, per_picture: bool) -> None:
    depth = 1 if channels == "grey" else 3
    spec = InputSpec((1, 16, 16, depth), channels, 127.5, 128.0, per_picture)  # type: ignore[arg-type]
    picture = np.random.default_rng(4).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    fed = normalised(coloured(picture, channels)[None], spec)[0]
    np.testing.assert_allclose(fed, to_tensor(picture, spec), atol=1e-5)


@pytest.mark.slow
def test_a_student_learns_its_teachers_vectors_without_labels(tmp_path: Path) -> None:
    keras = keras_of(3)
    keras.utils.set_random_seed(3)
    given = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(given))
    keras.Model(given, keras.layers.Dense(6)(x)).save(tmp_path / "teacher.keras")
    more = textures(tmp_path / "more", people=3)
    code, printed, said = train_tiny(
        tmp_path, "--teacher", tmp_path / "teacher.keras", "--teacher-range", "-1..1", "--unlabelled", more,
        "--epochs", "6", "--learning-rate", "0.01",
    )  # fmt: skip
    assert code == 0, said
    assert "training: 4 people in 28 pictures; validation: 2 people in 8 pictures" in printed
    losses = [epoch.loss for epoch in read(tmp_path / "out" / "history.csv") if epoch.loss is not None]
    assert losses[-1] < 0.5 * losses[0]
    plan = json.loads((tmp_path / "out" / "training.json").read_text(encoding="utf-8"))
    assert (plan["objective"], plan["dimensions"], bool(plan["teacher"])) == ("teacher", 6, True)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            ("--objective", "classes", "--margin", "0.3"),
            "--margin: found with --objective classes; allowed",
        ),
        (("--scale", "8"), "--scale: found with --objective triplet; allowed with classes, arcface, cosface"),
        (("--sub-centres", "3"), "--sub-centres: found with --objective triplet"),
        (("--mining", "all", "--objective", "arcface"), "allowed with triplet, siamese, contrastive"),
        (("--objective", "teacher"), "--objective teacher and --teacher belong together"),
        (("--teacher", "mobilefacenet", "--objective", "triplet"), "belong together"),
        (("--teacher-range", "0..1"), "--teacher-range belongs to --teacher"),
        (("--teacher", "nothing.onnx"), "nothing.onnx', which is not there"),
        (("--teacher", "mobilefacenet", "--teacher-range", "0..1"), "leave out --teacher-range"),
        (("--strategy", "multiworker"), "TF_CONFIG is not set; allowed, on each machine"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, options: tuple[str, ...], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    code, _, said = train_tiny(tmp_path, *options)
    assert (code, error in said) == (2, True), said
    assert not (tmp_path / "out" / "training.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("objective", [name for name in EVERY if name != "teacher"])
def test_every_objective_runs(tmp_path: Path, objective: str) -> None:
    more = ("--mining", "all") if EVERY[objective].minable else ("--sub-centres", "2")
    code, printed, said = train_tiny(tmp_path, "--objective", objective, *more, "--epochs", "1")
    assert code == 0, said
    assert "epoch 1: loss" in printed
