"""How well strangers are told apart, on faces whose answers are known."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.__main__ import main
from converter.datasets import DatasetError
from converter.strangers import simulate
from edge.visits.thresholds import again_threshold
from support.small_lfw import make
from test_households import crowd, exact

ONE_IN_TEN, RARELY = 0.1, 0.0001


def test_people_who_always_look_the_same_are_all_grouped() -> None:
    found = simulate(crowd(60, 4, 0.0), 20, 1, 10, RARELY, exact())

    assert (found.again, found.grouped, found.astray) == (20 * 3 * 10, 20 * 3 * 10, 0)
    assert (found.first, found.merged, found.mixed, found.numbers) == (200, 0, 0, 200)
    assert found.bar == pytest.approx(again_threshold(exact(), RARELY, 20).similarity)


def test_strangers_are_merged_about_as_often_as_the_target_says() -> None:
    """A tenth of the target for each visit of somebody new, when all strangers are kept; at most, as the bar rises."""
    found = simulate(crowd(3000, 2, 0.0), 30, 1, 100, ONE_IN_TEN, exact())

    assert found.first == 3000
    assert 0.002 < found.merged / found.first <= 0.013
    assert found.mixed > 0


def test_people_who_vary_get_several_numbers() -> None:
    steady, varied = (simulate(crowd(60, 4, spread), 20, 1, 10, ONE_IN_TEN, exact()) for spread in (0.2, 1.0))

    assert varied.grouped < steady.grouped
    assert varied.numbers > steady.numbers


def test_too_few_people_are_refused() -> None:
    with pytest.raises(
        DatasetError, match="people with 4 usable pictures, enough for two visits: found 5; 6 are needed"
    ):
        simulate(crowd(5, 4, 0.1), 6, 2, 1, ONE_IN_TEN, exact())


def test_the_command_on_a_few_portraits(tmp_path: Path) -> None:
    make(tmp_path)
    arguments = ["strangers", "--images", str(tmp_path / "images"), "--people", "1", "--faces", "1", "--no-cache"]
    result = CliRunner().invoke(main, [*arguments, "--draws", "3", "--false-alarm", "0.001"])

    assert result.exit_code == 0, result.output
    row = next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == ["0.001"])
    assert row[5] == "100.00%" and row[8] == "0"
