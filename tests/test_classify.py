"""A label classifier, from a Keras file or trained here, to `whosthere identify --classify`."""

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from converter.sources import keras_of, load_network, to_tflite
from converter.training.crops import whole
from edge.config import typed_yaml
from edge.faces.embed import TfliteEmbedder
from edge.faces.label_classifier import LabelClassifier
from edge.models.tflite import Model, to_tensor
from support.converting import run
from support.needed import TENSORFLOW
from support.portraits import (
    BIDEN,
    COLLINS,
    HOPPER,
    OBAMA_2009,
    OBAMA_2010,
    analyser,
    read_picture,
    save,
    side_by_side,
    whosthere,
)
from support.training import train_tiny

pytestmark = TENSORFLOW

ENDS = ["softmax", "softmax layer", "activation", "sigmoid", "logits", "unit", "sub-centres"]


def classifier(path: Path, end: str = "softmax", labels: int = 5, version: int = 3) -> Any:
    """A label classifier as tutorials build it, with another end each; random weights."""
    keras = keras_of(version)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    ends: dict[str, list[Any]] = {
        "softmax": [layers.Dense(labels, activation="softmax", name="who")],
        "softmax layer": [layers.Dense(labels), layers.Softmax()],
        "activation": [layers.Dense(labels), layers.Activation("softmax")],
        "sigmoid": [layers.Dense(1, activation="sigmoid")],
        "logits": [layers.Dense(labels)],
        "unit": [layers.UnitNormalization(), layers.Dense(labels, use_bias=False), layers.Softmax()],
        "sub-centres": [
            layers.Dense(2 * labels),
            layers.Reshape((2, labels)),
            layers.GlobalMaxPooling1D(),
            layers.Softmax(),
        ],
    }
    body = [
        layers.Conv2D(4, 3, 2, activation="relu", name="body"),
        layers.MaxPooling2D(4),
        layers.Flatten(),
        layers.Dense(12, activation="relu", name="features"),
        layers.Dropout(0.5),
    ]
    model = keras.Sequential([keras.Input((32, 32, 3)), *body, *ends[end]])
    model.save(path)
    return model


def converted(model: Path, out: Path, *more: str | Path, variants: str = "fp32") -> Path:
    code, _, said = run("convert", model, "-o", out, "--range", "0..1", "--variants", variants, "--count", "8", *more)
    assert code == 0, said
    return out / f"{model.stem}-{variants}.yaml"


def opened(card: Path) -> LabelClassifier:
    return LabelClassifier(TfliteEmbedder(Model(card, "embed")), card)


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_labels_and_probabilities_are_those_of_the_whole_network(tmp_path: Path, end: str) -> None:
    count = 2 if end == "sigmoid" else 5
    model = classifier(tmp_path / "mine.keras", end)
    names = [f"Person {n}" for n in range(count)]
    (tmp_path / "names.txt").write_text("\n".join(names), encoding="utf-8")

    found = opened(converted(tmp_path / "mine.keras", tmp_path / "out", "--labels", tmp_path / "names.txt"))

    picture = np.random.default_rng(2).integers(0, 255, (32, 32, 3), np.uint8)
    spec = Model(tmp_path / "out" / "mine-fp32.yaml", "embed").card.input
    row = np.asarray(model(to_tensor(picture, spec)[None], training=False), np.float64)[0]
    wanted = np.array([1 - row[0], row[0]]) if end == "sigmoid" else row
    if end == "logits":
        wanted = np.exp(row) / np.exp(row).sum()
    ranked = found.ranked(picture)
    assert [one.label for one in ranked] == [names[i] for i in np.argsort(-wanted)]
    np.testing.assert_allclose([one.probability for one in ranked], np.sort(wanted)[::-1], atol=1e-4)
    assert found._embedder.dimensions == 12


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
def test_an_h5_file_as_it_is_keeps_its_head(tmp_path: Path, version: int) -> None:
    if version == 2:
        pytest.importorskip("tf_keras")
    classifier(tmp_path / "mine.h5", version=version)

    card = converted(tmp_path / "mine.h5", tmp_path / "out")
    done = whosthere("identify", "--classify", "--model", card, "--json", OBAMA_2009, COLLINS)

    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["embedder"], report["labels"]) == ("mine-fp32", ["0", "1", "2", "3", "4"])
    assert [row["outcome"] for row in report["rows"]] == ["labelled", "labelled"]
    assert all(0.2 <= row["probability"] <= 1 and row["label"] in report["labels"] for row in report["rows"])


@pytest.fixture
def card(tmp_path: Path) -> Path:
    classifier(tmp_path / "mine.keras", labels=3)
    (tmp_path / "labels.txt").write_text("Ann\nBen\nCleo [red]\n", encoding="utf-8")
    return converted(tmp_path / "mine.keras", tmp_path / "out")


def test_every_face_of_a_picture_as_text_csv_and_copy(card: Path, tmp_path: Path) -> None:
    group = save(tmp_path / "group.png", side_by_side(COLLINS, OBAMA_2010, HOPPER))
    wall = save(tmp_path / "wall.png", np.full((300, 400, 3), 128, np.uint8))
    given = ("--csv", tmp_path / "who.csv", "--annotate", tmp_path / "marked")

    done = whosthere("identify", "--classify", "--model", card, *given, group, wall)

    assert done.exit_code == 0, done.output
    with (tmp_path / "who.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["outcome"], row["face"]) for row in rows] == [
        ("labelled", "1"), ("labelled", "2"), ("labelled", "3"), ("no_face", ""),
    ]  # fmt: skip
    lefts = [int(row["left_px"]) for row in rows[:3]]
    assert lefts == sorted(lefts)
    one = rows[0]
    assert one["label"] in {"Ann", "Ben", "Cleo [red]"}
    assert float(one["probability"]) >= float(one["second_probability"]) > 0
    assert f"{float(one['probability']):.1%}" in done.stdout
    assert one["label"] in done.stdout
    assert "no face" in done.stdout
    assert (read_picture(tmp_path / "marked" / "group.png") != read_picture(group)).any()


def test_an_unusable_face_and_an_unreadable_file_have_no_label(card: Path, tmp_path: Path) -> None:
    blurred = save(tmp_path / "blurred.jpg", np.asarray(cv2.GaussianBlur(read_picture(BIDEN), (0, 0), 7), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")

    done = whosthere("identify", "--classify", "--model", card, "--json", blurred, tmp_path / "broken.jpg")

    assert done.exit_code == 1
    assert "1 of 2 files could not be read" in done.stderr
    first, second = json.loads(done.stdout)["rows"]
    assert (first["outcome"], first["label"], first["problem"]) == ("no_usable_face", None, "too_blurred")
    assert (second["outcome"], second["label"]) == ("unreadable", None)


def test_what_cannot_be_classified_is_refused(card: Path, tmp_path: Path, demo_gallery: Path) -> None:
    plain = whosthere("identify", "--classify", OBAMA_2009)
    assert plain.exit_code == 4
    assert "mobilefacenet.yaml: found no `classifier` in this card" in plain.stderr
    both = whosthere("identify", "--classify", "--gallery", demo_gallery, "--model", card, OBAMA_2009)
    assert (both.exit_code, "--gallery: found with --classify" in both.stderr) == (2, True)
    alone = whosthere("identify", "--model", card, OBAMA_2009)
    assert (alone.exit_code, "--model belongs to --classify" in alone.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["missing", "altered", "other labels", "newer", "no probabilities"])
def test_a_head_that_does_not_fit_is_refused_by_name(card: Path, damage: str) -> None:
    head = card.with_name("mine-fp32-labels.tflite")
    text = card.read_text(encoding="utf-8")
    if damage == "missing":
        head.unlink()
    elif damage == "altered":
        head.write_bytes(head.read_bytes() + b"\0")
    elif damage == "other labels":
        card.write_text(re.sub(" *- Ben\n", "", text), encoding="utf-8")
    elif damage == "newer":
        card.write_text(
            text.replace("classifier:\n  schema_version: 1", "classifier:\n  schema_version: 2"), encoding="utf-8"
        )
        assert "schema_version: 2" in card.read_text(encoding="utf-8")
    else:
        embedder = typed_yaml.read(card)
        logits = classifier(card.parent / "logits.keras", "logits", 3)
        keras = keras_of(3)
        given = keras.Input((12,))
        keras.Model(given, logits.layers[-1](given)).save(card.parent / "head.keras")
        content = to_tflite(load_network(card.parent / "head.keras"), card)
        head.write_bytes(content)
        old = embedder["classifier"]["sha256"]
        card.write_text(text.replace(old, hashlib.sha256(content).hexdigest()), encoding="utf-8")

    done = whosthere("identify", "--classify", "--model", card, OBAMA_2009)

    assert done.exit_code == 4, done.output
    name = "mine-fp32.yaml" if damage == "newer" else "mine-fp32-labels.tflite"
    assert name in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "error"),
    [("Ann\nBen\n", "found 2 labels; allowed: 3"), ("Ann\nBen\nAnn\n", "found 'Ann' twice"), (b"\xff\xfe", "UTF-8")],
)
def test_names_that_do_not_go_with_the_outputs(tmp_path: Path, text: str | bytes, error: str) -> None:
    classifier(tmp_path / "mine.keras", labels=3)
    path = tmp_path / "names.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    given = ("--range", "0..1", "--variants", "fp32", "--labels", path)
    code, _, said = run("convert", tmp_path / "mine.keras", "-o", tmp_path / "out", *given)
    assert (code, error in said) == (4, True), said


def test_names_are_the_folders_of_people(tmp_path: Path) -> None:
    classifier(tmp_path / "mine.keras", labels=3)
    for name in ("zoe", "Ada", ".cache", "ben"):
        (tmp_path / "people" / name).mkdir(parents=True)
    card = converted(tmp_path / "mine.keras", tmp_path / "out", "--labels", tmp_path / "people")
    assert opened(card).labels == ["Ada", "ben", "zoe"]


def test_layouts_whose_labels_cannot_be_told_are_refused(tmp_path: Path) -> None:
    keras = keras_of(3)
    classifier(tmp_path / "mine.keras", labels=3)
    card = converted(tmp_path / "mine.keras", tmp_path / "out")
    given = keras.Input((32, 32, 3))
    end = keras.layers.Dense(3, activation="tanh")(keras.layers.Flatten()(given))
    keras.Model(given, end).save(tmp_path / "tanh.keras")
    (tmp_path / "names.txt").write_text("a\nb\nc\n", encoding="utf-8")
    for model, error in (
        (tmp_path / "tanh.keras", "with activation tanh"),
        (card.with_suffix(".tflite"), "a .tflite file was found"),
    ):
        options = ("--range", "0..1", "--variants", "fp32", "--labels", tmp_path / "names.txt")
        code, _, said = run("convert", model, "-o", tmp_path / "other", *options)
        assert (code, error in said) == (4, True), said


@pytest.mark.slow
def test_an_unfit_variant_takes_its_head_along(tmp_path: Path) -> None:
    classifier(tmp_path / "mine.keras")
    given = ("--range", "0..1", "--variants", "fp32,fp16", "--count", "8", "--min-cosine", "1")
    run("convert", tmp_path / "mine.keras", "-o", tmp_path / "out", *given)
    run("convert", tmp_path / "mine.keras", "-o", tmp_path / "out", *given[:-1], "-1")
    moved = tmp_path / "out" / "mine-fp16.yaml"
    assert opened(moved).labels == ["0", "1", "2", "3", "4"]
    assert not [*(tmp_path / "out").glob("unfit/mine-fp16*")]


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["classes", "arcface"])
def test_one_that_was_trained_here_knows_its_people(tmp_path: Path, objective: str) -> None:
    more = ("--sub-centres", "2") if objective == "arcface" else ()
    code, printed, said = train_tiny(
        tmp_path, "--objective", objective, "--epochs", "12", "--learning-rate", "0.01", "--range", "0..1", *more
    )
    assert code == 0, said
    out = tmp_path / "out"
    assert f"for labels: whosthere-converter convert {out / 'classifier.keras'}" in printed
    people = (out / "labels.txt").read_text(encoding="utf-8").split()
    assert people == json.loads((out / "split.json").read_bytes())["training"]

    found = opened(converted(out / "classifier.keras", out / "box", "--no-align"))

    assert found.labels == people
    right = 0
    for person in people:
        picture = whole(read_picture(tmp_path / "people" / person / "0.png"), 32)
        right += found.ranked(picture)[0].label == person
    assert right >= len(people) - 1


def test_its_csv_is_scored(card: Path, tmp_path: Path) -> None:
    for name, photo in (("Ann", OBAMA_2009), ("Ben", HOPPER)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(photo, tmp_path / "photos" / name)
    done = whosthere("identify", "--classify", "--model", card, "--csv", tmp_path / "who.csv", tmp_path / "photos")
    assert done.exit_code == 0, done.output
    code, printed, said = run("score", tmp_path / "who.csv", "--truth", tmp_path / "photos", "--json")
    assert code == 0, said
    with (tmp_path / "who.csv").open(encoding="utf-8", newline="") as file:
        right = [Path(row["file"]).parent.name == row["label"] for row in csv.DictReader(file)]
    assert json.loads(printed)["accuracy"] == sum(right) / 2


def test_a_card_without_a_head_is_as_valid_as_ever() -> None:
    assert analyser().embedder.card.classifier is None
