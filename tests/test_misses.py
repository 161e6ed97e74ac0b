"""What the slider and the summary of the week say."""

import time
from pathlib import Path

import msgspec
import pytest

from edge.diary.diary_file import DiaryFile, NewVisit
from edge.diary.record import RefusedRecord, VisitRecord
from edge.diary.week import week_of
from edge.events import EventKind
from edge.models.card import Card, find, read_card
from edge.records import Problem
from edge.visits.misses import measured_on, miss_rate
from support.diaries import decision, visit
from support.portraits import whosthere


@pytest.fixture(scope="module")
def card() -> Card:
    return read_card(find("mobilefacenet", Path()))


def test_misses_are_those_that_the_card_measured(card: Card) -> None:
    # 97.71 % of pairs of one person are as similar as 1 in 1,000 pairs of strangers.
    assert miss_rate(card, 1e-3, 1) == pytest.approx(1 - 0.9771)
    assert miss_rate(card, 3e-4, 1) == pytest.approx(1 - 0.9645)
    assert 1 - 0.9771 < (miss_rate(card, 6e-4, 1) or 0) < 1 - 0.9645
    assert miss_rate(card, 0.3, 1) == pytest.approx(1 - 0.9987)
    assert miss_rate(card, 1e-9, 1) == pytest.approx(1 - 0.8583)


def test_more_templates_need_a_higher_bar_and_cost_more_misses(card: Card) -> None:
    rates = [miss_rate(card, 1e-3, count) or 0 for count in (1, 3, 10, 100)]
    assert rates == sorted(rates) and rates[0] < rates[-1]


def test_a_card_without_measurements_says_nothing(card: Card) -> None:
    assert measured_on(card) == "lfw-dev, 8399 pairs of pictures of one person"
    assert measured_on(msgspec.structs.replace(card, measured={})) == ""
    assert miss_rate(msgspec.structs.replace(card, measured={}), 1e-3, 3) is None


def blind(number: int, *refused: tuple[Problem, int]) -> VisitRecord:
    """Somebody came, and no face could be used."""
    found = [RefusedRecord(problem, count) for problem, count in refused]
    seen = decision(EventKind.NO_USABLE_FACE, "ada")
    return msgspec.structs.replace(visit(number), decisions=[seen], refused=found, usable=0)


def test_the_week_says_why_faces_could_not_be_used() -> None:
    dark = [blind(n, (Problem.TOO_DARK, 9), (Problem.CUT_OFF, 2)) for n in range(14)]
    away = [blind(n, (Problem.TURNED_AWAY, 4)) for n in range(14, 20)]
    found = week_of([*dark, *away, visit(20), visit(21), visit(22, None)])
    assert found.sentences() == [
        "23 visits within the last 7 days: 2 named, 1 unknown.",
        "14 of 20 visits without a usable face were too dark: add light, or raise camera.exposure_ev.",
    ]


def test_the_week_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gallery: {path: family.whg}\ndiary: {path: diary.sqlite3}\n")
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    for ago in (1, 2, 8):
        began = time.time() - ago * 86_400
        diary.add(NewVisit(msgspec.structs.replace(visit(ago), started_at=began, ended_at=began + 9)))
    diary.close()
    shown = whosthere("visits", "--week", "--config", tmp_path / "config.yaml")
    assert shown.stdout == "2 visits within the last 7 days: 2 named.\n", shown.output
    both = whosthere("visits", "--week", "--unknown", "--config", tmp_path / "config.yaml")
    assert both.exit_code == 2 and "--week is about all visits" in both.stderr


def test_an_empty_week() -> None:
    assert week_of([]).sentences() == ["Nobody came within the last 7 days."]
