"""The diary on disk: bounded, private, and readable after a kill, a full disk and flipped bytes."""

import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config.diary import DiarySettings
from edge.diary.diary_file import DAY_S, DiaryFile, NewVisit
from edge.diary.reader import DiaryReader, NoSuchVisit
from edge.storage.database import StorageError
from support.diaries import BEGAN, VECTOR, contents, ids, new, visit

FULL = os.environ.get("WHOSTHERE_FULL") == "1"
KEEPING = DiarySettings(keep_days=30, pictures_days=2, embeddings_days=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "diary.sqlite3"


def read(path: Path, limit: int = 1000) -> list[int]:
    with DiaryReader(path) as diary:
        return ids(diary.visits(limit))


def test_what_was_written_is_read_while_the_writer_goes_on(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        diary.add(new(0, vector=True, jpeg=b"picture"))
        diary.add(new(1, None))
        with DiaryReader(path) as reader:
            assert reader.visits(10) == [visit(0), visit(1, None)]
            first = visit(0).id
            [vector] = reader.embeddings(first, len(VECTOR))
            assert (vector == VECTOR).all() and reader.picture(first) == b"picture"
            assert reader.embeddings(visit(1).id, len(VECTOR)) == [] and reader.picture(visit(1).id) is None
            assert reader.embeddings(first, 128) == [], "those of another embedder"
            diary.add(new(2))
            assert ids(reader.visits(10)) == [0, 1, 2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_visits_are_found_by_day_person_and_the_beginning_of_an_id(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(30):
            diary.add(new(n, ["ada", "ben", None][n % 3]))
    with DiaryReader(path) as reader:
        assert ids(reader.visits(3)) == [27, 28, 29], "the newest, oldest first"
        assert ids(reader.visits(9, since=BEGAN + 120, until=BEGAN + 300)) == [2, 3, 4]
        assert ids(reader.visits(2, person="ben")) == [25, 28]
        assert ids(reader.visits(2, person="")) == [26, 29]
        assert reader.visits(9, person="b%") == []
        assert reader.find("last") == visit(29, None)
        assert reader.find(visit(4).id[:-1]) == visit(4, "ben")
        with pytest.raises(NoSuchVisit, match=r"several visits begin with '20250615T15060000'.*give more of the id"):
            reader.find("20250615T15060000")
        for name in ("", "nobody", "%", "_0250615T1506000004-ab"):
            with pytest.raises(NoSuchVisit, match="found no visit"):
                reader.find(name)


def test_a_missing_diary_says_why(path: Path) -> None:
    with pytest.raises(StorageError, match=r"diary\.path: .*the daemon writes it when the first visit ends"):
        DiaryReader(path)


def test_a_diary_that_is_private_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        diary.add(new(0))
    monkeypatch.setattr("edge.diary.reader.os.access", lambda *_: False)
    with pytest.raises(StorageError, match="cannot be read: it is private; run this as root, with sudo"):
        DiaryReader(path)


def test_each_kind_of_content_goes_when_its_time_is_up(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(3):
            diary.add(new(n, vector=True, jpeg=b"picture"))

        def kept(days: float, settings: DiarySettings = KEEPING) -> list[tuple[bool, bool]]:
            diary.expire(BEGAN + 60 + days * DAY_S, settings)
            with DiaryReader(path) as reader:
                return [
                    (reader.picture(one.id) is not None, bool(reader.embeddings(one.id, 192)))
                    for one in reader.visits(10)
                ]

        assert kept(1.9) == [(True, True)] * 3
        assert kept(2) == [(False, True), (True, True), (True, True)], "the first is a minute older than two days"
        assert kept(10) == [(False, False), (False, True), (False, True)]
        assert kept(10, DiarySettings(keep_days=30)) == [(False, False)] * 3, "the owner has changed their mind"
        assert kept(30) == [(False, False)] * 2
        assert kept(31) == []


def test_visits_from_before_the_clock_was_set_go_with_the_next_ones(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n, set_ in enumerate((False, True, False, True)):
            diary.add(NewVisit(visit(n if set_ else -20_000_000, set_=set_)))
        diary.expire(BEGAN + 120 + 30 * DAY_S, KEEPING)
        assert diary.visits == 2
        diary.expire(BEGAN + 300 + 30 * DAY_S, KEEPING)
        assert diary.visits == 0


@pytest.mark.parametrize("jpeg", [None, bytes(20_000)])
def test_the_files_never_exceed_their_limit_and_the_oldest_visits_go(path: Path, jpeg: bytes | None) -> None:
    with closing(DiaryFile(path, 1)) as diary:
        for n in range(400):
            diary.add(new(n, jpeg=jpeg, vector=jpeg is not None))
            size = sum(file.stat().st_size for file in path.parent.iterdir() if not file.name.endswith("-shm"))
            assert size <= 10**6, n
    left = read(path)
    assert left == list(range(left[0], 400))
    assert 10 < len(left) < 400


def test_a_lower_limit_gives_room_back(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(100):
            diary.add(new(n, jpeg=bytes(20_000)))
    assert path.stat().st_size > 2 * 10**6
    with closing(DiaryFile(path, 1)) as diary:
        diary.expire(BEGAN, KEEPING)
    assert path.stat().st_size < 10**6
    assert read(path)[-1] == 99


def test_a_killed_writer_loses_nothing_that_it_had_written(path: Path) -> None:
    for _ in range(3):
        command = [sys.executable, "-m", "support.diaries", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent) as process:
            assert process.stdout
            written = [int(process.stdout.readline()) for _ in range(20)]
            process.kill()
            written += [int(line) for line in process.stdout.read().split("\n") if line]
        found = read(path)[-len(written) - 1 :]
        assert [n for n in found if n in written][-len(written) :] == written
    with closing(DiaryFile(path, 10)) as diary:
        assert not diary.was_replaced


def test_a_full_disk_is_reported_and_leaves_the_diary_whole(path: Path) -> None:
    diary = DiaryFile(path, 10)
    diary.add(new(0))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, old[1]))
    try:
        with pytest.raises(StorageError, match=r"diary\.path: .* cannot be written"):
            for n in range(1, 100):
                diary.add(new(n, jpeg=bytes(20_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    diary.add(new(500))
    diary.close()
    left = read(path)
    assert left == [*range(len(left) - 1), 500]
    with closing(DiaryFile(path, 10)) as again:
        assert not again.was_replaced


@settings(max_examples=2000 if FULL else 40, deadline=None, derandomize=not FULL)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
@example(flips=[(0.0, 255)])
@example(flips=[(0.5, 1)])
def test_bytes_flipped_anywhere_leave_a_diary_that_works(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.mktemp("diary") / "diary.sqlite3"
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(20):
            diary.add(new(n, ["ada", None][n % 2], vector=True))
    content = bytearray(path.read_bytes())
    for where, change in flips:
        content[int(where * len(content))] ^= change
    path.write_bytes(content)
    with closing(DiaryFile(path, 10)) as diary:
        diary.add(new(100))
        assert diary.was_replaced == (len(list(path.parent.glob("*.damaged-*Z"))) > 0)
        diary.forget("ben")
    with DiaryReader(path) as reader:
        found = reader.visits(1000)
    assert found[-1] == visit(100)
    assert all(record in (visit(n, ["ada", None][n % 2]) for n in range(20)) for record in found[:-1])


def test_one_flipped_letter_of_a_record_is_noticed_and_costs_one_visit(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(10):
            diary.add(new(n))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0.31", b"0.91", 1))
    with DiaryReader(path) as reader:
        assert len(reader.visits(100)) == 9
    with closing(DiaryFile(path, 10)) as diary:
        assert (diary.was_replaced, diary.visits) == (True, 9)


def test_somebody_forgotten_is_in_no_file_any_more(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(40):
            # Named, resembled by a stranger, second to another, and not in it at all.
            diary.add(
                [
                    new(n, "benny", vector=True, jpeg=b"benny's picture"),
                    new(n, None, best="benny", vector=True, jpeg=b"whose picture?"),
                    new(n, "ada", second="benny", vector=True, jpeg=b"nearly benny"),
                    new(n, "ada", vector=True, jpeg=b"ada's picture"),
                ][n % 4]
            )
        # A damaged file that was set aside knows them too.
        (path.parent / f"{path.name}.damaged-20250101T000000Z").write_bytes(b"benny")
        assert contents(path.parent).count(b'"benny"') > 30
        assert diary.forget("benny") == 30
        left = contents(path.parent)
        assert b"benny" not in left and b"whose picture?" not in left
        assert left.count(b"ada's picture") == 10
        assert diary.forget("benny") == 0
    with DiaryReader(path) as reader:
        found = reader.visits(100)
        assert ids(found) == [n for n in range(40) if n % 4]
        assert found[0].decisions[0].best is None and found[0].decisions[0].second is not None


def test_forgetting_fails_aloud_while_somebody_reads_what_should_go(path: Path) -> None:
    with closing(DiaryFile(path, 10)) as diary:
        for n in range(40):
            diary.add(new(n, "benny"))
        diary._db.execute("PRAGMA busy_timeout = 10")
        with DiaryReader(path) as reader:
            reading = reader._db.execute("SELECT * FROM visit")
            reading.fetchone()
            with pytest.raises(StorageError, match="another program is reading it; try again"):
                diary.forget("benny")
            reading.close()
        diary.forget("benny")
        assert b"benny" not in contents(path.parent)
