"""Calibration against brute force, and that a card keeps everything else."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from converter import calibrate, card_text
from converter.__main__ import main
from converter.calibrate import Measurement, Point, calibration, measure
from converter.datasets import DatasetError
from edge.errors import ModelError
from edge.models import card
from edge.models.card import Calibration
from support.portraits import PORTRAITS


def population(people: int = 60, pictures: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of people whose pictures resemble each other, and whose they are."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), pictures)
    vectors = generator.normal(size=(people, 16))[labels] + 0.5 * generator.normal(size=(len(labels), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def brute_force(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of all impostor pairs and of all genuine ones."""
    i, j = np.triu_indices(len(vectors), 1)
    all_pairs = (vectors @ vectors.T)[i, j]
    same = labels[i] == labels[j]
    return all_pairs[~same], all_pairs[same]


@pytest.mark.parametrize("chunk", [37, 512])
def test_points_are_what_counting_every_pair_gives(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(calibrate, "CHUNK", chunk)
    vectors, labels = population()
    impostors, genuine = brute_force(vectors, labels)

    found = measure(vectors, labels)

    assert (found.people, found.pictures, found.missed) == (60, 240, 0)
    assert (found.impostors, found.genuine) == (len(impostors), len(genuine))
    for point in found.points:
        above = int((impostors >= point.similarity - 1e-6).sum())
        assert above == point.impostors_above
        assert point.false_match_rate == pytest.approx(above / len(impostors))
        assert point.true_match_rate == pytest.approx((genuine >= point.similarity).mean())
        assert point.low <= point.false_match_rate <= point.high


def test_the_last_point_rests_on_thirty_comparisons_and_rates_fall() -> None:
    points = measure(*population()).points

    assert points[-1].impostors_above == 30
    assert points[0].false_match_rate == pytest.approx(0.1, rel=1e-3)
    assert all(a.similarity < b.similarity for a, b in itertools.pairwise(points))
    # What is rarer is less surely known.
    assert points[-1].high / points[-1].low > points[0].high / points[0].low


def test_missed_faces_are_no_impostors_and_refused_as_genuine() -> None:
    vectors, labels = population()
    impostors, genuine = brute_force(vectors[1:], labels[1:])
    missing = vectors.copy()
    missing[0] = np.nan

    found = measure(missing, labels)

    assert (found.pictures, found.missed, found.impostors) == (239, 1, len(impostors))
    assert found.genuine == len(genuine) + 3
    at = found.points[0].similarity
    assert found.points[0].true_match_rate == pytest.approx((genuine >= at).sum() / found.genuine)


def test_people_who_are_one_are_not_compared() -> None:
    vectors, labels = population()
    twin = labels.copy()
    twin[:2] = 60
    with_twin, without = measure(vectors, twin), measure(vectors, twin, [(0, 60)])

    assert with_twin.impostors - without.impostors == 4
    assert with_twin.points[-1].similarity > without.points[-1].similarity


def test_intervals_of_resampled_people_are_wider_than_of_resampled_pairs() -> None:
    last = measure(*population()).points[-1]
    independent = 1.96 * np.sqrt(last.impostors_above) / last.impostors_above

    assert (last.high - last.low) / 2 / last.false_match_rate > independent


def test_intervals_of_few_people_are_numbers() -> None:
    """When four people are drawn with replacement, one draw in 64 has a single one: nothing is compared."""
    vectors, labels = population(people=4)
    several = np.concatenate([vectors + noise for noise in np.linspace(0, 0.2, 5, dtype=np.float32)])
    several /= np.linalg.norm(several, axis=1, keepdims=True)

    for point in measure(several, np.tile(labels, 5)).points:
        assert 0 <= point.low <= point.false_match_rate <= point.high <= 1


def test_too_few_comparisons_are_refused() -> None:
    with pytest.raises(DatasetError, match="at least 300"):
        measure(*population(people=5))


def test_a_calibration_has_no_two_points_at_one_similarity() -> None:
    points = [Point(s, r, r, r, 30, None) for s, r in ((0.30001, 0.1), (0.30002, 0.05), (0.4, 0.01))]

    assert calibration(Measurement(1, 1, 0, 1, 0, points), "data", "command").points == [(0.3, 0.1), (0.4, 0.01)]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for path in card.BUNDLED.glob("mobilefacenet.*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "mobilefacenet.yaml"


NEW = Calibration("data: with a colon", "command", [(0.1234, 1e-1), (0.5, 1e-5)])


def test_a_card_gets_its_calibration_and_keeps_the_rest(copied: Path) -> None:
    before, text = card.read_card(copied), copied.read_text(encoding="utf-8")

    card_text.record(copied, {"figure": "1: one", "reach": "2"}, NEW)
    card_text.record(copied, {"figure": "3"})

    after, changed = card.read_card(copied), copied.read_text(encoding="utf-8")
    assert after.calibration == NEW
    assert after.measured == before.measured | {"figure": "3", "reach": "2"}
    assert changed.count("\ncalibration:") == 1
    head = text[: text.index("measured:")]
    assert changed.startswith(head)
    assert "#" in head


def test_the_two_calibrations_of_a_card_are_kept_apart(copied: Path) -> None:
    before = card.read_card(copied)

    card_text.record(copied, {}, NEW, "infrared_calibration")

    after = card.read_card(copied)
    assert (after.calibration, after.infrared_calibration) == (before.calibration, NEW)


def test_the_bundled_card_asks_for_more_similarity_at_night() -> None:
    known = card.read_card(card.find("mobilefacenet"))
    assert known.calibration is not None
    assert known.infrared_calibration is not None
    for rate in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        assert known.infrared_calibration.similarity_at(rate)[0] > known.calibration.similarity_at(rate)[0] + 0.05


def test_a_card_without_the_sections_gets_them_at_its_end(copied: Path) -> None:
    text = copied.read_text(encoding="utf-8")
    bare = text[: text.index("measured:")].rstrip("\n")
    copied.write_text(bare, encoding="utf-8")

    card_text.record(copied, {"figure": "1"}, NEW)

    assert card.read_card(copied).calibration == NEW
    assert copied.read_text(encoding="utf-8").startswith(bare + "\n")


@pytest.mark.parametrize("text", ["", "measured: {", "name: only\n"])
def test_what_is_no_card_is_left_as_it_is(copied: Path, text: str) -> None:
    copied.write_text(text, encoding="utf-8")

    with pytest.raises(ModelError, match=r"mobilefacenet\.yaml"):
        card_text.record(copied, {"figure": "1"}, NEW)

    assert copied.read_text(encoding="utf-8") == text
    assert not list(copied.parent.glob("*.part"))


def test_a_card_in_flow_style_is_refused_not_broken(copied: Path) -> None:
    text = copied.read_text(encoding="utf-8").replace("measured:", "'measured':", 1)
    copied.write_text(text, encoding="utf-8")

    with pytest.raises(ModelError, match=r"mobilefacenet\.yaml"):
        card_text.record(copied, {"figure": "1"}, NEW)

    assert copied.read_text(encoding="utf-8") == text


def test_the_command_refuses_too_few_people_and_leaves_the_card(copied: Path, tmp_path: Path) -> None:
    before = copied.read_text(encoding="utf-8")
    arguments = ["calibrate", "--model", str(copied), "--images", str(PORTRAITS / "enroll"), "--no-cache"]

    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 1
    assert "3 comparisons of different people in 3 pictures" in result.output
    assert copied.read_text(encoding="utf-8") == before
