"""Cards vouch for models: a file that is wrong, missing or altered is refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import typed_yaml
from edge.errors import ModelError
from edge.models import card
from edge.models.card import BUNDLED, Calibration

EMBEDDER = BUNDLED / "mobilefacenet.yaml"
POINTS = [(0.2, 1e-1), (0.35, 1e-2), (0.45, 1e-3), (0.6, 1e-5)]
CALIBRATION = Calibration("data", "command", POINTS)


def copied(folder: Path, **changed: Any) -> Path:
    """The bundled embedder's card and model in another folder; keys that are None are dropped."""
    (folder / "mobilefacenet.tflite").write_bytes((BUNDLED / "mobilefacenet.tflite").read_bytes())
    document = typed_yaml.read(EMBEDDER) | changed
    path = folder / "mine.yaml"
    path.write_text(typed_yaml.dump({k: v for k, v in document.items() if v is not None}), encoding="utf-8")
    return path


def refusal(path: Path, task: str = "embed") -> str:
    with pytest.raises(ModelError) as caught:
        card.load(path, task)
    assert caught.value.exit_code == 4
    return str(caught.value)


@pytest.mark.parametrize("name", card.bundled())
def test_bundled_cards_vouch_for_their_files_and_the_notice_names_them(name: str) -> None:
    known = card.read_card(card.find(name))
    loaded = card.load(card.find(name), known.task)

    assert known.name == name
    assert loaded.path.name in (BUNDLED / "NOTICE").read_text(encoding="utf-8")
    assert known.licence
    assert known.origin


def test_every_bundled_model_has_a_card() -> None:
    files = {card.read_card(card.find(name)).file for name in card.bundled()}

    assert files == {path.name for path in BUNDLED.glob("*.tflite")}


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    model = tmp_path / "mobilefacenet.tflite"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)

    said = refusal(path)

    assert str(model) in said
    assert "9cec88a5ac42" in said
    assert "altered or damaged" in said


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path, file="gone.tflite")

    said = refusal(path)

    assert str(tmp_path / "gone.tflite") in said
    assert "mine.yaml" in said


def test_a_model_for_another_task_is_refused() -> None:
    assert re.search(r"mobilefacenet\.yaml.*'embed'.*'detect'", refusal(EMBEDDER, "detect"))


def test_a_missing_card_says_which_are_bundled(tmp_path: Path) -> None:
    said = refusal(tmp_path / "none.yaml")

    assert str(tmp_path / "none.yaml") in said
    assert "blazeface-back" in said


def test_an_unknown_name_says_which_are_bundled(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'arcface'.*mobilefacenet"):
        card.find("arcface")


def test_names_and_paths_of_cards() -> None:
    assert card.find("mobilefacenet", Path("/etc/whosthere")) == EMBEDDER
    assert card.find("own/card.yaml", Path("/etc/whosthere")) == Path("/etc/whosthere/own/card.yaml")
    assert card.find("/own/card.yml", Path("/etc/whosthere")) == Path("/own/card.yml")


@pytest.mark.parametrize("text", ["a: [", "- one\n- two\n", "", "just words", "\x00\x01", "a: 1\n\tb: 2\n"], ids=repr)
def test_what_is_no_card_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")

    assert str(path) in refusal(path)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = copied(tmp_path, task="guess", sha256="abc", licence=None, alignement=[[1, 2]], schema_version=2)

    said = refusal(path)

    for word in ("task", "sha256", "licence", "alignement", "schema_version"):
        assert re.search(rf"^\s+{word}\b", said, re.MULTILINE), word


@pytest.mark.parametrize(
    "points",
    [
        [[0.2, 0.1]],
        [[0.2, 0.1], [0.1, 0.01]],
        [[0.2, 0.1], [0.3, 0.2]],
        [[0.2, 0.1], [0.3, 0.0]],
        [[0.2, 0.1], [0.3, "often"]],
    ],
    ids=["one", "falling", "rate rises", "zero", "words"],
)
def test_a_calibration_that_makes_no_sense_is_refused(tmp_path: Path, points: list[list[Any]]) -> None:
    path = copied(tmp_path, calibration={"data": "d", "command": "c", "points": points})

    assert "calibration.points" in refusal(path)


@pytest.mark.parametrize(("similarity", "rate"), POINTS)
def test_calibration_at_its_points(similarity: float, rate: float) -> None:
    assert CALIBRATION.rate_at(similarity) == pytest.approx(rate)
    assert CALIBRATION.similarity_at(rate) == (pytest.approx(similarity), True)


def test_calibration_is_log_linear_between_points_and_ends_where_the_data_end() -> None:
    assert CALIBRATION.rate_at(0.4) == pytest.approx(10**-2.5)
    assert CALIBRATION.rate_at(-1) == 1e-1
    assert CALIBRATION.rate_at(0.99) == 1e-5
    assert CALIBRATION.similarity_at(0.5) == (0.2, True)
    assert CALIBRATION.similarity_at(1e-9) == (0.6, False)


@settings(deadline=None)
@given(st.floats(0.2, 0.599))
def test_similarity_and_rate_are_inverse(similarity: float) -> None:
    found, known = CALIBRATION.similarity_at(CALIBRATION.rate_at(similarity))

    assert found == pytest.approx(similarity, abs=1e-6)
    assert known
