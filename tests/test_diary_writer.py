"""The diary's subscriber: one row per visit, and nothing lost while the disk fails for a while."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from edge.config.diary import DiarySettings
from edge.diary.reader import DiaryReader
from edge.diary.record import VisitRecord
from edge.diary.writer import WAITING, Circumstances, Diary
from edge.events import Event, EventKind, Look, RefusedFaces, VisitAccount
from edge.records import Box, Doubt, Outcome, Problem
from support.diaries import RULES, VECTOR, contents
from support.publishing import event, match, quality, recognized

PICTURE = np.full((480, 640, 3), 128, np.uint8)


def ended(visit: str = "v1", *decisions: Event, **fields: Any) -> Event:
    """The end of a visit that began 1.5 s before, as `VisitManager` reports it."""
    end = event(EventKind.ENDED, visit, 2, match=decisions[-1].match if decisions else None, **fields)
    start = end.started_at
    account = VisitAccount(
        decisions=tuple(replace(one, at=start + 1, started_at=start) for one in decisions),
        looks=(Look(start + 0.1, 0.8, None, 0.6123, 0.6123), Look(start + 0.2, 0.1, Problem.TOO_DARK, None, None)),
        analysed=2,
        usable=1,
        refused=(RefusedFaces(Problem.TOO_DARK, 1, 4.123, 4.123),),
        doubtful=0,
        rang_at=start + 0.5,
        embeddings=(VECTOR,),
    )
    return replace(end, account=account, picture=PICTURE, picture_box=Box(300, 200, 360, 260))


def diary(folder: Path, people: set[str] | None = None, **settings: Any) -> Diary:
    known = {"ada", "grace"} if people is None else people

    def circumstances() -> Circumstances:
        return Circumstances(frozenset(known), "mobilefacenet", "3", RULES, clock_set=True)

    return Diary(DiarySettings(path=str(folder / "diary.sqlite3"), **settings), circumstances, time.monotonic)


def written(folder: Path) -> list[VisitRecord]:
    with DiaryReader(folder / "diary.sqlite3") as reader:
        return reader.visits(1000)


def test_a_visit_is_written_once_with_all_that_led_to_its_name(tmp_path: Path) -> None:
    book, before = diary(tmp_path), time.time()
    unsure = structs.replace(match(Outcome.UNCERTAIN), doubt=Doubt.MARGIN)
    first = event(EventKind.UNCERTAIN, "v1", 1, match=unsure, usable_faces=4)
    book.take(event(EventKind.STARTED))
    book.take(first)
    book.take(ended("v1", first, recognized("v1", 2, corrects=1)))
    [found] = written(tmp_path)
    assert (found.id, found.person_id, found.kind) == ("v1", "ada", EventKind.RECOGNIZED)
    assert before - 2 < found.started_at < time.time() - 1.4
    assert found.ended_at == pytest.approx(found.started_at + 1.5, abs=0.01)
    assert (found.rang_s, found.analysed, found.usable, found.gallery_version) == (0.5, 2, 1, "3")
    uncertain, name = found.decisions
    assert (uncertain.doubt, uncertain.at_s, uncertain.usable_faces, uncertain.person_id) == (Doubt.MARGIN, 1, 4, None)
    assert (name.corrects, name.threshold, name.false_match_rate) == (1, 0.42, 0.000123456)
    assert name.margin == pytest.approx(0.4023, abs=1e-3)
    assert [tuple(getattr(look, f) for f in look.__struct_fields__) for look in found.looks] == [
        (0.1, 0.8, None, 0.612, 0.612),
        (0.2, 0.1, Problem.TOO_DARK, None, None),
    ]
    assert [(r.problem, r.count, r.least, r.most) for r in found.refused] == [(Problem.TOO_DARK, 1, 4.123, 4.123)]
    assert b"Lovelace" not in contents(tmp_path), "ids only, so that a new name shows everywhere"
    assert (book.state.visits, book.state.on_disk, book.state.replaced, book.state.dropped) == (1, True, 0, 0)


@pytest.mark.parametrize("days", [0, 2])
def test_pictures_and_embeddings_are_written_only_when_the_owner_asks(tmp_path: Path, days: int) -> None:
    book = diary(tmp_path, pictures_days=days, embeddings_days=days)
    book.take(ended("v1", recognized()))
    with DiaryReader(tmp_path / "diary.sqlite3") as reader:
        assert len(reader.embeddings("v1", len(VECTOR))) == bool(days)
        picture = reader.picture("v1")
        assert (picture is not None and picture[:2] == b"\xff\xd8") == bool(days)


def test_without_a_diary_nothing_is_written_and_an_old_one_goes(tmp_path: Path) -> None:
    diary(tmp_path).take(ended("v1", recognized()))
    off = diary(tmp_path, keep_days=0)
    assert not off.wants(ended())
    off.take(ended("v2"))
    assert len(written(tmp_path)) == 1
    off.tidy()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("people", "left"), [({"ada", "grace"}, ["v1", "v2"]), ({"ada"}, ["v1", "v2"]), ({"grace"}, ["v2"])]
)
def test_who_has_left_the_gallery_by_now_is_not_written(tmp_path: Path, people: set[str], left: list[str]) -> None:
    book = diary(tmp_path, people)
    book.take(ended("v1", recognized()))
    book.take(ended("v2", event(EventKind.UNKNOWN, "v2", 1, match=match(Outcome.UNKNOWN), usable_faces=4)))
    assert [visit.id for visit in written(tmp_path)] == left
    gone = {"ada", "grace"} - people
    assert all(f'"{person}"'.encode() not in contents(tmp_path) for person in gone)


def test_visits_wait_for_a_disk_that_fails_and_the_oldest_are_counted_as_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    folder.write_text("in the way")
    book = diary(folder)
    for n in range(WAITING + 3):
        book.take(ended(f"v{n}", recognized()))
    assert (book.state.on_disk, book.state.dropped) == (False, 3)
    assert len([m for m in caplog.messages if "diary.path: " in m and "memory" in m]) == 1, "an outage is logged once"
    folder.unlink()
    book.tidy()
    assert [visit.id for visit in written(folder)] == [f"v{n}" for n in range(3, WAITING + 3)]
    assert (book.state.on_disk, book.state.visits) == (True, WAITING)


def damage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for n in range(4096, len(content), 64):
        content[n] ^= 0x55
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_header, damage_middle])
def test_a_damaged_diary_is_set_aside_and_reported(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    book = diary(tmp_path)
    for n in range(20):
        book.take(ended(f"v{n}", recognized()))
    book.close()
    damage(tmp_path / "diary.sqlite3")
    again = diary(tmp_path)
    again.tidy()
    again.take(ended("v100", recognized()))
    assert (again.state.on_disk, again.state.replaced) == (True, 1)
    assert len(list(tmp_path.glob("*.damaged-*Z"))) == 1
    assert written(tmp_path)[-1].id == "v100"


def test_quality_names_the_value_that_a_problem_is_about() -> None:
    assert {problem: quality().measured(problem) for problem in Problem} == {
        Problem.TOO_SMALL: 61.0,
        Problem.TOO_BLURRED: 220.0,
        Problem.TOO_DARK: 120.0,
        Problem.TOO_BRIGHT: 120.0,
        Problem.TURNED_AWAY: pytest.approx(quality().pose.off_axis),
        Problem.CUT_OFF: None,
        Problem.NOT_A_FACE: 0.99,
    }
