"""What a false-alarm target comes to, on faces whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from converter.__main__ import main
from converter.datasets import DatasetError
from converter.households import UsableFaces, simulate
from edge.config.visits import MatchSettings
from edge.errors import ModelError
from edge.models.card import Calibration
from support.data_sets import data_set
from support.small_lfw import make

DIMENSIONS = 16
ONE_IN_A_HUNDRED = MatchSettings(false_alarm_target=0.01)


def exact() -> Calibration:
    """How often two random directions are as near as that."""
    similarities = np.linspace(-1, 1, 20_001)
    density = (1 - similarities**2) ** ((DIMENSIONS - 3) / 2)
    beyond = density[::-1].cumsum()[::-1] / density.sum()
    points = [(float(s), float(r)) for s, r in zip(similarities, beyond, strict=True)][13_000:19_500:150]
    return Calibration("random directions", "exact", points)


def crowd(people: int, each: int, spread: float) -> dict[str, NDArray[np.float32]]:
    """Faces as random directions, those of one person `spread` apart."""
    rng = np.random.default_rng(7)
    middles = rng.standard_normal((people, 1, DIMENSIONS))
    faces = middles / np.linalg.norm(middles, axis=2, keepdims=True)
    faces = faces + spread * rng.standard_normal((people, each, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    faces /= np.linalg.norm(faces, axis=2, keepdims=True)
    return {f"person {i}": own.astype(np.float32) for i, own in enumerate(faces)}


def test_as_many_strangers_are_named_as_the_target_says() -> None:
    found = simulate(UsableFaces(crowd(2000, 4, 0.2)), 3, 1, 100, ONE_IN_A_HUNDRED, exact())

    assert found.strangers == 50_000
    assert found.strangers_named / found.strangers == pytest.approx(0.01, rel=0.3)
    assert found.named > 0.99
    assert found.wrong == 0
    assert found.strangers_named / found.strangers < found.worst_twentieth < 0.05


def test_more_templates_raise_the_threshold_and_faces_that_vary_are_missed() -> None:
    faces = UsableFaces(crowd(400, 6, 1.0))
    one, four = (simulate(faces, 3, n, 40, ONE_IN_A_HUNDRED, exact()) for n in (1, 4))
    again = simulate(faces, 3, 1, 40, ONE_IN_A_HUNDRED, exact())

    assert four.threshold > one.threshold
    assert one.named < 0.9
    assert again == one


def test_whoever_may_be_the_same_person_is_no_stranger() -> None:
    faces = crowd(3, 3, 0.0)
    twins = faces | {f"{name}, again": own for name, own in faces.items()}
    pairs = [(name, f"{name}, again") for name in faces]
    settings = MatchSettings(threshold=0.99)

    assert simulate(UsableFaces(twins), 2, 2, 20, settings, None).strangers_named > 0
    assert simulate(UsableFaces(twins, pairs), 2, 2, 20, settings, None).strangers_named == 0


def test_residents_who_look_alike_are_listed_with_their_photos() -> None:
    faces = crowd(3, 3, 0.0)
    twins = faces | {f"{name}, again": own for name, own in faces.items()}
    sources = {name: ["a.jpg", "b.jpg", "c.jpg"] for name in twins}
    settings = MatchSettings(threshold=0.5)
    plain = simulate(UsableFaces(faces), 2, 2, 20, settings, None)
    assert (plain.look_alike_households, plain.lookalikes) == (0, [])
    found = simulate(UsableFaces(twins, sources=sources), 4, 2, 40, settings, None)
    assert found.look_alike_households == 40, "of six people in three pairs, four include a pair"
    assert 1 <= len(found.lookalikes) <= 3
    for pair in found.lookalikes:
        assert sorted(pair.names)[1] == f"{sorted(pair.names)[0]}, again"
        assert set(pair.photos) <= {"a.jpg", "b.jpg", "c.jpg"}
        assert pair.lead == pytest.approx(0, abs=1e-5) and pair.tried == 4


def test_what_cannot_be_drawn_is_refused() -> None:
    faces = UsableFaces(crowd(5, 2, 0.1))
    with pytest.raises(DatasetError, match="people with more than 2 usable pictures: found 0; 3 are needed"):
        simulate(faces, 3, 2, 20, ONE_IN_A_HUNDRED, exact())
    with pytest.raises(ModelError, match="no calibration"):
        simulate(faces, 3, 1, 20, ONE_IN_A_HUNDRED, None)


def test_the_command_on_a_few_portraits(tmp_path: Path) -> None:
    make(tmp_path)
    arguments = ["households", "--images", str(tmp_path / "images"), "--people", "1", "--enroll", "1", "--no-cache"]
    result = CliRunner().invoke(main, [*arguments, "--draws", "20"])

    assert result.exit_code == 0, result.output
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:2] == ["1", "1"])
    assert row[3:] == ["40", "100.0%", "0.0%", "0", "0.00%", "0.0%"]
    assert "1 person, 1 each: somebody looks like somebody else in 0 of 20 households" in result.stdout


def part_of_lfw(folder: Path) -> Path:
    """Links to what the test needs of 4,449 photos: five at most of those who may live in a household of three photos
    each, and one photo of every other person besides.
    """
    people = sorted((data_set("lfw-dev") / "images").iterdir())
    photos = [(person.name, sorted(person.iterdir())) for person in people]
    some = [(name, own[:5]) for name, own in photos if len(own) > 3]
    some += [(name, own[:1]) for name, own in photos if len(own) <= 3][::2]
    for name, own in some:
        (folder / name).mkdir(parents=True)
        for photo in own:
            (folder / name / photo.name).symlink_to(photo)
    return folder


@pytest.mark.slow(70)
@pytest.mark.data
def test_strangers_called_family_on_lfw(tmp_path: Path) -> None:
    """As often as asked: 0.07 to 0.10 % were measured for a target of 0.10 %."""
    listed = Path(__file__).parent.parent / "converter" / "lfw-not-compared.txt"
    arguments = ["households", "--images", str(part_of_lfw(tmp_path / "lfw")), "--not-compared", str(listed)]
    result = CliRunner().invoke(main, [*arguments, "--enroll", "3", "--draws", "100", "--people", "4"])

    assert result.exit_code == 0, result.output
    print(result.stdout)
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:2] == ["4", "3"])
    assert float(row[4].rstrip("%")) > 97
    assert row[6] == "0"
    assert float(row[7].rstrip("%")) < 0.2
