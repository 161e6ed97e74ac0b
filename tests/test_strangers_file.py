"""Strangers on disk: bounded, private, forgotten in time, and nothing that happens to the disk is worse than a gap."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.visits import UnknownFacesSettings
from edge.errors import WhosthereError
from edge.events import Event, GoodFace, StrangerVisits
from edge.records import Outcome, Vector
from edge.visits import strangers_file
from edge.visits.matcher import Matcher
from edge.visits.stranger_keeper import RESERVED, StrangerKeeper
from edge.visits.strangers import StrangerWatch
from edge.visits.strangers_file import NAME, VISITS_KEPT, StrangersFile, forget_everybody, number_of
from edge.visits.strangers_layout import StrangerPicture
from support.people import gallery_of, somebody
from test_strangers import CALIBRATION, TARGET, ended, unknown

HOUR_S = 3600.0
NOW = 1_750_000_000.0
EMBEDDER = "9" * 64
SECRET = b"the picture of somebody"


def visit(number: int, times: int = 1, seen: float = NOW, first: float = NOW) -> StrangerVisits:
    return StrangerVisits(number, times, first, None if times == 1 else first, seen)


def record(file: StrangersFile, number: int, times: int = 1, seen: float = NOW, person: int | None = None) -> bool:
    pictures = [StrangerPicture(0.5, SECRET + b" %d." % number)]
    vector = somebody(number if person is None else person)
    return file.record(visit(number, times, seen), f"v{number}-{times}", EMBEDDER, vector, pictures)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kept" / NAME


@pytest.fixture
def file(path: Path) -> Iterator[StrangersFile]:
    with closing(StrangersFile(path)) as opened:
        yield opened


def summary(file: StrangersFile) -> list[tuple[int, int]]:
    return [(stranger.number, stranger.times) for stranger in file.known(EMBEDDER).people]


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@contextmanager
def no_room() -> Iterator[None]:
    """The system refuses to write to any file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


# What is kept


def test_only_its_owner_can_read_it(file: StrangersFile, path: Path) -> None:
    record(file, 1)
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"
    assert {oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()} == {"0o600"}


def test_visits_of_a_stranger_add_up(file: StrangersFile) -> None:
    assert record(file, 1) and record(file, 2) and record(file, 1, 2, NOW + 60)
    first, second = file.known(EMBEDDER).people
    assert (first.number, first.times, first.first_seen, first.last_seen) == (1, 2, NOW, NOW + 60)
    assert float(first.embedding @ somebody(1)) == pytest.approx(1.0, abs=1e-5)
    assert (second.number, second.times) == (2, 1)


def test_a_stranger_who_was_forgotten_meanwhile_does_not_come_back(file: StrangersFile) -> None:
    """The visit had begun when the owner discarded them: nothing of it is kept."""
    record(file, 1)
    file.forget([1])
    assert not record(file, 1, 2, NOW + 60)
    assert summary(file) == []


def test_only_the_latest_visits_are_kept_with_faces_and_all_are_counted(file: StrangersFile) -> None:
    for times in range(1, VISITS_KEPT + 4):
        record(file, 1, times, NOW + times)
    visits = file.visits()
    assert [each.times for each in visits] == list(range(4, VISITS_KEPT + 4))
    assert {each.first_seen for each in visits} == {NOW}
    assert summary(file) == [(1, VISITS_KEPT + 3)]


def test_who_has_not_come_for_longest_goes_when_there_are_too_many(file: StrangersFile) -> None:
    for number in (1, 2, 3):
        record(file, number, seen=NOW + number)
    record(file, 1, 2, NOW + 9)
    file.tidy(NOW + 10, 2, HOUR_S, EMBEDDER)
    assert summary(file) == [(1, 2), (3, 1)]


def test_a_visit_is_forgotten_in_time_and_a_stranger_with_the_last_one(file: StrangersFile) -> None:
    record(file, 1, seen=NOW)
    record(file, 1, 2, NOW + 3000)
    file.tidy(NOW + HOUR_S + 1, 9, HOUR_S, EMBEDDER)
    assert [each.visit for each in file.visits()] == ["v1-2"]
    assert summary(file) == [(1, 2)], "they came twice, whatever is kept of it"
    assert not file.tidy(NOW + HOUR_S + 2, 9, HOUR_S, EMBEDDER), "nothing to do"
    assert file.tidy(NOW + 3000 + HOUR_S + 1, 9, HOUR_S, EMBEDDER)
    assert summary(file) == []


def test_a_visit_from_before_the_clock_was_set_ages_from_now_on(file: StrangersFile) -> None:
    record(file, 1, seen=NOW + 9999 * HOUR_S)
    file.tidy(NOW, 9, HOUR_S, EMBEDDER)
    assert [stranger.last_seen for stranger in file.known(EMBEDDER).people] == [NOW]
    file.tidy(NOW + HOUR_S + 1, 9, HOUR_S, EMBEDDER)
    assert summary(file) == []


def test_all_pictures_together_are_bounded(file: StrangersFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers_file, "MAX_BYTES", 100_000)
    for number in range(1, 21):
        pictures = [StrangerPicture(0.5, bytes(10_000))]
        file.record(visit(number, seen=NOW + number), f"v{number}", EMBEDDER, somebody(number), pictures)
    file.tidy(NOW + 99, 500, HOUR_S, EMBEDDER)
    assert [number for number, _ in summary(file)] == list(range(12, 21)), "the newest, as many as fit"


def test_another_embedder_cannot_compare_them(file: StrangersFile) -> None:
    record(file, 1)
    assert file.known("1" * 64).people == ()
    file.tidy(NOW, 9, HOUR_S, "1" * 64)
    assert file.visits() == []


def test_a_clock_that_is_not_set_yet_changes_no_time_and_forgets_nobody(file: StrangersFile) -> None:
    """A box without a battery starts in the past: every visit seems to lie in the future."""
    record(file, 1)
    assert not file.tidy(0.0, 9, HOUR_S, EMBEDDER, clock_set=False)
    file.tidy(NOW + 60, 9, HOUR_S, EMBEDDER)
    assert [stranger.last_seen for stranger in file.known(EMBEDDER).people] == [NOW]


@pytest.mark.parametrize("how", ["forget", "tidy", "everybody"])
def test_what_is_forgotten_is_in_no_file_any_more(file: StrangersFile, path: Path, how: str) -> None:
    for number in range(1, 30):
        record(file, number, seen=NOW + number)
    aside = path.with_name(f"{NAME}.damaged-20250101T000000Z")
    aside.write_bytes(SECRET + b" 7.")
    vector = somebody(7).tobytes()[:64]
    assert SECRET + b" 7." in bytes_in(path.parent) and vector in bytes_in(path.parent)
    match how:
        case "forget":
            file.forget([7])
        case "tidy":
            os.utime(aside, (NOW - 2 * HOUR_S, NOW - 2 * HOUR_S))
            file.tidy(NOW + 7.5, 22, HOUR_S, EMBEDDER)
        case _:
            assert set(forget_everybody(path)) == {path, aside}
    left = bytes_in(path.parent)
    assert SECRET + b" 7." not in left and vector not in left
    assert (SECRET + b" 9." in left) == (how != "everybody")


def test_what_a_reader_kept_in_the_log_goes_with_the_next_look(file: StrangersFile, path: Path) -> None:
    for number in range(1, 9):
        record(file, number)
    with closing(StrangersFile(path)) as reader:
        cursor = reader._db.execute("SELECT * FROM visits")
        cursor.fetchone()
        file.forget([1])
        assert SECRET + b" 1." in bytes_in(path.parent)
        cursor.close()
    file.tidy(NOW, 9, HOUR_S, EMBEDDER)
    assert SECRET + b" 1." not in bytes_in(path.parent)


# Numbers


def test_numbers_are_never_used_twice(path: Path) -> None:
    with closing(StrangersFile(path)) as file:
        assert list(file.reserve(3)) == [1, 2, 3]
        record(file, 2)
        file.forget([2])
    with closing(StrangersFile(path)) as file:
        assert list(file.reserve(2)) == [4, 5]
        file.give_back([5])
        assert list(file.reserve(1)) == [5]
        file.give_back([2, 3])
        assert list(file.reserve(1)) == [6], "only the latest ones can be given back"


def test_a_counter_that_was_lost_goes_on_after_the_highest_number(file: StrangersFile) -> None:
    record(file, 41)
    assert list(file.reserve(1)) == [42]


@pytest.mark.parametrize("text", ["", "stranger-", "stranger-x", "-1", "٣", "stranger-9999999999", "../1", "1 "])
def test_what_is_no_stranger_is_refused(text: str) -> None:
    with pytest.raises(WhosthereError, match=r"found .*; allowed: a stranger such as stranger-3"):
        number_of(text)
    assert number_of("stranger-3") == number_of("3") == 3


# What disks do


def test_a_damaged_file_is_set_aside_and_what_can_be_read_goes_on(path: Path) -> None:
    with closing(StrangersFile(path)) as file:
        for number in range(1, 60):
            record(file, number)
    content = bytearray(path.read_bytes())
    content[-4096:] = os.urandom(4096)
    path.write_bytes(content)
    with closing(StrangersFile(path)) as file:
        assert file.was_replaced
        assert 20 < len(summary(file)) <= 59
        assert min(file.reserve(1)) > max(number for number, _ in summary(file))
    assert oct(next(path.parent.glob(f"{NAME}.damaged-*")).stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("content", [b"", b"garbage" * 999, b"SQLite format 3\0" + bytes(4080)])
def test_garbage_is_no_reason_to_stop(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with closing(StrangersFile(path)) as file:
        assert file.visits() == []
        assert record(file, 1)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bytes_leave_a_file_that_works(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flipped") / NAME
    with closing(StrangersFile(path)) as file:
        for number in range(1, 9):
            record(file, number)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] ^= 1 + data.draw(st.integers(0, 254))
    path.write_bytes(content)
    with closing(StrangersFile(path)) as file:
        assert {number for number, _ in summary(file)} <= set(range(1, 9)) or file.known(EMBEDDER).people
        (number,) = file.reserve(1)
        assert record(file, number)


# The keeper


class Box:
    """A watch and its keeper, without a thread."""

    def __init__(self, folder: Path, now: float = NOW, **changes: float | bool) -> None:
        defaults = UnknownFacesSettings(keep=5, keep_hours=1.0, group=True, path=str(folder))
        self.settings = msgspec.structs.replace(defaults, **changes)
        self.watch = StrangerWatch(CALIBRATION, TARGET)
        self.matcher = Matcher(gallery_of(ada=somebody(1)), 0.5, 0.05, CALIBRATION)
        self.keeper = StrangerKeeper(self.settings, EMBEDDER, self.watch, self.matcher)
        self.now = now
        self.keeper.tidy(self.now)

    def come(self, visit: str, person: Vector, outcome: Outcome = Outcome.UNKNOWN) -> StrangerVisits | None:
        self.now += 60
        told = self.watch.mark(unknown(visit, person), self.now)
        last = self.watch.mark(ended(visit, person, outcome=outcome), self.now)
        face = GoodFace(np.full((20, 20, 3), 99, np.uint8), 0.7, person, 0.7)
        self.finish(replace(last, good_faces=(face,)))
        return told.stranger

    def finish(self, event: Event) -> None:
        if self.keeper.wants(event):
            self.keeper.take(event, self.now)

    @property
    def kept(self) -> list[tuple[int, int]]:
        return [(stranger.number, stranger.times) for stranger in self.watch.known.people]


def test_the_keeper_counts_visits_over_restarts(tmp_path: Path) -> None:
    eve, carol = somebody(2), somebody(3)
    box = Box(tmp_path)
    assert [(v := box.come(str(n), who)) and (v.number, v.times) for n, who in enumerate((eve, carol, eve))] == [
        (1, 1), (2, 1), (1, 2),
    ]  # fmt: skip
    box.keeper.close()
    again = Box(tmp_path, box.now)
    assert again.kept == [(1, 2), (2, 1)] and again.keeper.count == 2
    assert again.watch.numbers[0] == 3, "unused numbers were handed back"
    known = again.come("v9", eve)
    assert known and (known.number, known.times, known.first_seen) == (1, 3, NOW + 56)


def test_after_a_crash_numbers_are_skipped_rather_than_used_again(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.watch.mark(unknown("v", somebody(2)), NOW).stranger is not None
    # No close: the process is gone.
    assert Box(tmp_path).watch.numbers[0] == RESERVED + 1


def test_somebody_who_is_enrolled_later_is_no_stranger_any_more(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    box.come("v2", somebody(3))
    box.keeper.matcher = Matcher(gallery_of(ada=somebody(1), eve=somebody(2)), 0.5, 0.05, CALIBRATION)
    box.keeper.tidy(NOW + 100)
    assert box.kept == [(2, 1)]
    assert somebody(2).tobytes()[:64] not in bytes_in(tmp_path)


def test_a_visit_that_ends_with_a_name_takes_the_stranger_along(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    box.come("v2", somebody(2), Outcome.RECOGNIZED)
    assert box.kept == []


def test_somebody_whose_good_faces_the_gallery_knows_is_not_kept(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(1))
    assert box.kept == []


def test_what_another_process_discards_is_not_recognised_any_more(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    with closing(StrangersFile(box.keeper.path, replace=False)) as other:
        other.forget([1])
    box.keeper.tidy(box.now)
    assert box.kept == []
    new = box.come("v2", somebody(2))
    assert new and (new.number, new.times) == (2, 1)


def test_switching_it_off_forgets_everybody(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    box.keeper.close()
    (tmp_path / "v1.jpg").touch()
    off = StrangerKeeper(UnknownFacesSettings(keep=5, path=str(tmp_path)), EMBEDDER, None, box.matcher)
    off.tidy(NOW)
    assert not off.wants(ended("v", somebody(2)))
    assert [path.name for path in tmp_path.iterdir()] == ["v1.jpg"]


def test_a_full_disk_is_told_once_and_strangers_are_kept_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    with no_room():
        box.come("v2", somebody(3))
        again = box.come("v3", somebody(2))
        assert again and again.number == 1, "whom the file knows is still recognised"
        assert not box.keeper.on_disk
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert box.kept == [(1, 1)], "what could not be written is not remembered"
    later = box.come("v4", somebody(2))
    assert later and box.kept == [(1, 2)] and box.keeper.on_disk


def test_while_the_disk_fails_time_still_runs_out(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.come("v1", somebody(2))
    with no_room():
        box.keeper.tidy(box.now + HOUR_S + 61)
    assert box.kept == []


def test_a_folder_that_cannot_be_made_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    box = Box(tmp_path / "file" / "strangers")
    assert box.come("v1", somebody(2)) is None
    assert not box.keeper.on_disk


def test_a_file_damaged_under_the_daemon_is_set_aside_and_counted(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with closing(StrangersFile(path)) as file:
        for n in range(2, 62):
            big = [StrangerPicture(0.5, os.urandom(100_000))]
            file.record(visit(n, seen=NOW), f"v{n}", EMBEDDER, somebody(n), big)
    box = Box(tmp_path, keep=500)
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    assert box.keeper._file
    box.keeper._file._db.execute("PRAGMA shrink_memory")
    for n in range(3):
        box.come(f"w{n}", somebody(70 + n))
    assert box.keeper.replaced == 1 and box.keeper.on_disk
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    assert [times for _, times in box.kept[-2:]] == [1, 1]


KILLED = """
import itertools, sys
from test_strangers_file import Box, somebody
from pathlib import Path
box = Box(Path(sys.argv[1]), keep=500)
for n in itertools.count(2):
    visit = box.come(f"v{n}", somebody(n % 40 + 2))
    print(visit.number, visit.times, flush=True)
"""


def test_a_kill_loses_at_most_the_visit_that_was_being_written(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    told: dict[int, int] = {}
    for lines in (7, 23, 51):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "kept")],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": f"{tests.parent}:{tests}"},
        )  # fmt: skip
        assert process.stdout
        for _ in range(lines):
            number, times = map(int, process.stdout.readline().split())
            assert times == told.get(number, 0) + 1 or number not in told, "nobody's number is given to another"
            told[number] = times
        process.kill()
        rest = process.stdout.read().split("\n")
        process.wait()
        for line in rest:
            if len(line.split()) == 2:
                told[int(line.split()[0])] = int(line.split()[1])
        with closing(StrangersFile(tmp_path / "kept" / NAME)) as file:
            assert not file.was_replaced
            counted = dict(summary(file))
        assert all(counted.get(number, 0) in {times, times + 1} for number, times in told.items())
        told = counted
