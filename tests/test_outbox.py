"""The outbox on a real disk: in order, bounded, surviving kills, damage and a full or read-only disk."""

import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.storage.database import StorageError


def entry(n: int, size: int = 600) -> OutboxEntry:
    return OutboxEntry(f"v/{n}", BootTime("boot", float(n)), bytes([n % 256]) * size)


def entries(*numbers: int) -> list[OutboxEntry]:
    return [entry(n) for n in numbers]


def ids(outbox: OutboxFile) -> list[str]:
    return [waiting.event_id for _, waiting in outbox.peek(10_000)]


def drained(backlog: Outbox, now: float = 0.0) -> list[str]:
    sent = []
    while (head := backlog.head(now)) is not None:
        sent.append(head.event_id)
        backlog.sent(now)
    return sent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite3"


def test_first_in_first_out_across_restarts(path: Path) -> None:
    outbox = OutboxFile(path, 100)
    outbox.put_many(entries(0, 1, 2))
    outbox.put_many(entries(3))
    outbox.remove([outbox.peek(1)[0][0]])
    assert outbox.peek(1)[0][1] == entry(1)
    outbox.close()

    again = OutboxFile(path, 100)
    assert (ids(again), again.waiting) == (["v/1", "v/2", "v/3"], 3)


def test_when_it_is_full_the_oldest_are_dropped_and_counted_for_ever(path: Path) -> None:
    outbox = OutboxFile(path, 10)
    outbox.put_many(entries(*range(8)))
    outbox.put_many(entries(*range(8, 13)))
    assert (outbox.waiting, outbox.dropped) == (10, 3)
    assert ids(outbox) == [f"v/{n}" for n in range(3, 13)]
    outbox.put_many(entries(*range(100, 125)))
    outbox.close()

    again = OutboxFile(path, 10)
    assert (again.waiting, again.dropped) == (10, 28)
    assert ids(again) == [f"v/{n}" for n in range(115, 125)]


def test_removing_what_is_already_gone_does_no_harm(path: Path) -> None:
    outbox = OutboxFile(path, 10)
    outbox.put_many(entries(0, 1))
    outbox.remove([1, 77])
    assert (ids(outbox), outbox.waiting) == (["v/1"], 1)


def test_what_was_put_survives_kill_9_and_what_was_removed_stays_away(path: Path) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_outbox import *\n"
        "o = OutboxFile(Path(sys.argv[2]), 100); o.put_many(entries(0, 1, 2)); o.remove([1]); os.kill(os.getpid(), 9)"
    )
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", script, str(root / "tests"), str(path)]
    assert subprocess.run(command, cwd=root, check=False).returncode == -9
    assert ids(OutboxFile(path, 100)) == ["v/1", "v/2"]


def test_nobody_else_may_read_it(path: Path) -> None:
    OutboxFile(path, 10).put_many(entries(0))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_two_daemons_cannot_share_one(path: Path) -> None:
    first = OutboxFile(path, 10)
    first.put_many(entries(0))
    with pytest.raises(StorageError, match="is another whosthere using the same outbox"):
        OutboxFile(path, 10)


@pytest.mark.parametrize("damage", ["rubbish", "torn", "foreign"])
def test_a_damaged_one_is_moved_aside_and_a_new_one_started(
    path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(*range(200)))
    outbox.close()
    with path.open("r+b") as file:
        if damage == "rubbish":
            file.write(os.urandom(4096))
        elif damage == "torn":
            file.truncate(9 * 4096)
        else:
            file.seek(60)
            file.write((99).to_bytes(4, "big"))

    again = OutboxFile(path, 1000)
    again.put_many(entries(700))

    assert len(ids(again)) == 201 if damage != "torn" else len(ids(again)) > 20
    assert ids(again)[-1] == "v/700"
    assert again.was_replaced
    (aside,) = path.parent.glob("*.damaged-*")
    (error,) = caplog.messages
    assert str(path) in error
    assert str(aside) in error
    assert f"{len(ids(again)) - 1} events that could still be read" in error


def test_nothing_is_written_while_nothing_happens(path: Path) -> None:
    backlog = Outbox(path, 100)
    backlog.add(entries(0), 0.0)
    before = {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    for now in range(100):
        backlog.tick(float(now))
        backlog.head(float(now))
    assert {file: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_logged_once_and_events_wait_in_memory(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.parent.joinpath("state").write_text("a file where the folder should be")
    backlog = Outbox(path, 1000, retry_s=30)
    for n in range(1010):
        backlog.add([entry(n)], now=n / 10)
    assert not backlog.on_disk
    assert (backlog.waiting, backlog.in_memory, backlog.dropped) == (1000, 1000, 10)
    (logged,) = caplog.messages
    assert logged.startswith(f"mqtt.outbox.path: {path} cannot be opened")

    path.parent.unlink()
    caplog.set_level(logging.INFO, "whosthere")
    backlog.tick(now=200)
    assert backlog.on_disk
    assert "works again" in caplog.messages[-1]
    assert (backlog.waiting, backlog.in_memory) == (1000, 0)
    assert drained(backlog) == [f"v/{n}" for n in range(10, 1010)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_loses_nothing_and_repeats_nothing(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "whosthere")
    backlog = Outbox(small_disk / "outbox.sqlite3", 1000, retry_s=30)
    backlog.add(entries(0, 1, 2), now=0)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    backlog.add([entry(n, 5000) for n in range(3, 6)], now=1)
    assert not backlog.on_disk
    assert (backlog.waiting, backlog.in_memory) == (6, 3)
    sent = [head.event_id for _ in range(2) if (head := backlog.head(2)) and (backlog.sent(2) is None)]
    assert (sent, backlog.waiting) == (["v/0", "v/1"], 4)

    assert drained(backlog, now=2) == ["v/2", "v/3", "v/4", "v/5"]
    backlog.tick(now=40)
    assert not backlog.on_disk, "nothing has been written: who says that it works?"
    backlog.add(entries(6), now=41)
    ballast.unlink()
    backlog.tick(now=42)
    assert not backlog.on_disk, "tried again too soon"
    backlog.tick(now=72)
    assert backlog.on_disk
    assert backlog.in_memory == 0
    assert drained(backlog, now=73) == ["v/6"]
    assert [message.split(";")[0].split(":")[-1].strip() for message in caplog.messages] == [
        "database or disk is full",
        f"{small_disk}/outbox.sqlite3 works again",
    ]


def test_what_was_sent_while_the_disk_was_full_is_not_sent_again_after_a_restart(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite3"
    backlog = Outbox(path, 1000, retry_s=30)
    backlog.add(entries(*range(33)), now=0)
    with pytest.raises(OSError, match="No space"), (small_disk / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    # Until the log is full too.
    backlog.add([entry(n, 5000) for n in range(100, 150)], now=1)
    sent = []
    for _ in range(33):
        head = backlog.head(2)
        assert head
        sent.append(head.event_id)
        backlog.sent(2)
    assert sent == [f"v/{n}" for n in range(33)]
    crashed = {file.name: file.read_bytes() for file in small_disk.iterdir() if file.name.startswith("outbox")}
    backlog.close()
    (small_disk / "ballast").unlink()
    for name, content in crashed.items():
        (small_disk / name).write_bytes(content)

    again = Outbox(path, 1000)
    again.tick(now=0)
    assert (again.waiting, again.head(0)) == (0, None)
    again.add(entries(1), now=1)
    assert drained(again, now=2) == ["v/1"], "a new event with an old number"
    again.close()


def test_a_note_about_an_event_of_long_ago_hides_nothing(path: Path) -> None:
    outbox = OutboxFile(path, 10)
    outbox.put_many(entries(0, 1))
    outbox.note_sent(2, "v/9")
    outbox.close()
    again = Outbox(path, 10)
    again.tick(0.0)
    assert drained(again) == ["v/0", "v/1"]


def test_on_a_read_only_disk_events_wait_in_memory(small_disk: Path) -> None:
    backlog = Outbox(small_disk / "outbox.sqlite3", 1000)
    backlog.add(entries(0, 1), now=0)
    backlog.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(StorageError, match="Read-only file system"):
        OutboxFile(small_disk / "outbox.sqlite3", 1000)
    again = Outbox(small_disk / "outbox.sqlite3", 1000)
    again.add(entries(2), now=1)

    assert (again.on_disk, again.in_memory, drained(again)) == (False, 1, ["v/2"])


@pytest.mark.parametrize("on_disk", [True, False])
def test_an_event_that_is_being_sent_is_not_dropped(path: Path, on_disk: bool) -> None:
    if not on_disk:
        path.parent.write_text("a file where the folder should be")
    outbox = Outbox(path, 10)
    outbox.add(entries(*range(10)), 0.0)
    assert outbox.head(0.0) == entry(0)

    outbox.add(entries(10, 11), 1.0)
    assert (outbox.on_disk, outbox.waiting, outbox.dropped) == (on_disk, 10, 2)
    assert drained(outbox, 2.0) == ["v/0", *(f"v/{n}" for n in range(3, 12))]


def test_an_event_that_is_being_sent_from_memory_is_not_written_to_disk(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    backlog = Outbox(tmp_path / "state" / "outbox.sqlite3", 1000, retry_s=1)
    backlog.add(entries(0, 1), now=0)
    assert backlog.head(0) == entry(0)
    (tmp_path / "state").unlink()

    backlog.add(entries(2), now=5)
    assert backlog.head(5) == entry(0)
    assert drained(backlog, now=6) == ["v/0", "v/1", "v/2"]
    backlog.close()
    assert OutboxFile(tmp_path / "state" / "outbox.sqlite3", 1000).waiting == 0


def test_a_page_that_reads_but_makes_no_sense_is_damage_too(path: Path) -> None:
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(*range(200)))
    outbox.close()
    with path.open("r+b") as file:
        file.seek(10 * 4096)
        file.write(bytes(4096))
    saved = ids(OutboxFile(path, 1000))
    assert (saved[0], saved[-1]) == ("v/0", "v/199")
    assert len(saved) > 170
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize("version", [-1, 2])
def test_events_of_another_version_are_taken_over_into_a_file_of_its_own(path: Path, version: int) -> None:
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(0))
    outbox.close()
    with path.open("r+b") as file:
        file.seek(60)
        file.write(version.to_bytes(4, "big", signed=True))
    assert ids(OutboxFile(path, 1000)) == ["v/0"]
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


@pytest.mark.parametrize("damaged_page", [None, 0, 10])
def test_the_log_that_a_killed_daemon_leaves_belongs_to_its_own_file(
    path: Path, tmp_path: Path, damaged_page: int | None
) -> None:
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(*range(200)))
    outbox.close()
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(200))
    crashed = tmp_path / "crashed" / path.name
    shutil.copytree(path.parent, crashed.parent)
    assert crashed.with_name(f"{path.name}-wal").stat().st_size > 0
    if damaged_page is not None:
        with crashed.open("r+b") as file:
            file.seek(damaged_page * 4096)
            file.write(b"rubbish!" * 512)
    again = OutboxFile(crashed, 1000)
    assert again.waiting > 170
    assert ids(again)[-1] == "v/200"
    assert again.was_replaced == (damaged_page is not None)
    again.put_many(entries(7))
    assert ids(again)[-1] == "v/7"


def test_an_entry_that_cannot_be_stored_takes_the_others_with_it_and_no_more(path: Path) -> None:
    outbox = OutboxFile(path, 1000)
    outbox.put_many(entries(0))
    odd = OutboxEntry("v/2", entry(2).at, "text, not bytes")
    with pytest.raises(StorageError):
        outbox.put_many([*entries(1), odd])
    outbox.put_many(entries(3))
    assert (ids(outbox), outbox.waiting) == (["v/0", "v/3"], 2)


def test_on_a_full_disk_the_advice_is_to_make_room(small_disk: Path) -> None:
    outbox = OutboxFile(small_disk / "outbox.sqlite3", 1000)
    with pytest.raises(StorageError, match="cannot be written: database or disk is full; make room on that disk"):
        outbox.put_many([entry(n, 10_000) for n in range(100)])


def test_somebody_forgotten_while_the_file_cannot_be_opened_is_forgotten_once_it_can(path: Path) -> None:
    earlier = OutboxFile(path, 100)
    earlier.put_many(entries(0, 1, 2))
    earlier.close()
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.write_text("a file where the folder should be")
    outbox = Outbox(path, 100, retry_s=1)
    outbox.add(entries(3, 4), 0.0)
    outbox.forget(lambda one: one.event_id in {"v/1", "v/3"}, 0.0)
    assert outbox.waiting == 1
    path.parent.unlink()
    path.parent.with_name("elsewhere").rename(path.parent)
    outbox.tick(2.0)
    assert drained(outbox, 2.0) == ["v/0", "v/2", "v/4"]


def test_the_event_that_is_being_sent_is_forgotten_after_it_and_no_other_is_spared(path: Path) -> None:
    outbox = Outbox(path, 100)
    outbox.add(entries(2, 0, 1, 3), 0.0)
    assert outbox.head(0.0) == entry(2)
    outbox.forget(lambda _: True, 0.0)
    assert outbox.waiting == 1
    assert outbox.head(0.0) == entry(2)
    assert drained(outbox) == ["v/2"]
    outbox.close()
    assert OutboxFile(path, 100).waiting == 0


def test_replaced_files_are_counted(path: Path) -> None:
    outbox = Outbox(path, 100)
    outbox.add(entries(0), 0.0)
    assert outbox.replaced == 0
    outbox.close()
    path.write_bytes(b"rubbish" * 1000)
    again = Outbox(path, 100)
    again.add(entries(1), 0.0)
    assert again.replaced == 1
