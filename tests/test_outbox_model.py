"""The outbox against a model of two lists: whatever the disk does, nothing is lost, repeated or out of order."""

import logging
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.storage.database import StorageError

ROOM = 6
RETRY_S = 30.0
# In memory, as every event is synced: the outbox on a real disk is what test_outbox.py has.
SHM = Path("/dev/shm")  # noqa: S108


def entry(n: int) -> OutboxEntry:
    return OutboxEntry(f"v/{n}", BootTime("boot", float(n)), bytes([n % 256]) * 50)


def unwanted(waiting: OutboxEntry) -> bool:
    return waiting.at.seconds % 3 == 0


@contextmanager
def disk(*, fails: bool) -> Iterator[None]:
    """While it fails, the system refuses to write to any file, as it does when there is no room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if fails else soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Model(RuleBasedStateMachine):
    """An outbox with room for six, and what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
        self.now = 0.0
        self.fails = False
        self.made = 0
        self.stored: list[OutboxEntry] = []
        self.dropped = 0
        self.outbox = self.opened()

    def opened(self) -> Outbox:
        """As after a start: what was in memory is lost, what was sent but could not be removed is there again."""
        self.memory: list[OutboxEntry] = []
        self.sent: list[OutboxEntry] = []
        self.out: OutboxEntry | None = None
        self.lost = 0
        self.retry_at: float | None = None
        self.forget_later = False
        outbox = Outbox(self.folder / "outbox.sqlite3", ROOM, retry_s=RETRY_S)
        outbox.tick(self.now)
        return outbox

    @property
    def out_of_memory(self) -> bool:
        return self.out is not None and self.out in self.memory

    def settle(self) -> None:
        """What a working disk takes over, once it may be tried."""
        to_store = self.memory and not self.out_of_memory
        if (self.retry_at is not None and self.now < self.retry_at) or not (self.sent or to_store):
            return
        self.retry_at = self.now + RETRY_S if self.fails else None
        if self.fails:
            return
        self.stored = [one for one in self.stored if one not in self.sent]
        self.sent = []
        if to_store:
            together = self.stored + self.memory
            self.stored, self.memory = self.trimmed(together), []
            self.dropped += len(together) - len(self.stored)

    def trimmed(self, some: list[OutboxEntry]) -> list[OutboxEntry]:
        """The oldest give way, but not the one that is out: it may arrive."""
        out = [one for one in some if one is self.out]
        others = [one for one in some if one is not self.out]
        return out + others[-(ROOM - len(out)) :]

    @rule(count=st.integers(1, 4))
    def add(self, count: int) -> None:
        some = [entry(self.made + n) for n in range(count)]
        self.made += count
        with disk(fails=self.fails):
            self.outbox.add(some, self.now)
        self.memory += some
        self.settle()
        kept = self.trimmed(self.memory)
        self.lost += len(self.memory) - len(kept)
        self.memory = kept

    @rule()
    def take(self) -> None:
        with disk(fails=self.fails):
            taken = self.outbox.head(self.now)
        waiting = [one for one in self.stored if one not in self.sent] + self.memory
        self.out = self.out or (waiting[0] if waiting else None)
        assert taken == self.out

    @rule()
    def send(self) -> None:
        with disk(fails=self.fails):
            self.outbox.sent(self.now)
        if self.out is None:
            return
        out, self.out = self.out, None
        if out in self.memory:
            self.memory.remove(out)
        else:
            self.sent.append(out)
            self.settle()
        if self.forget_later:
            self.forgotten()

    @rule()
    def forget(self) -> None:
        with disk(fails=self.fails):
            self.outbox.forget(unwanted, self.now)
        self.forgotten()

    def forgotten(self) -> None:
        """What is out goes when it is sent; what a failing disk keeps, with the next that is sent."""
        self.memory = [one for one in self.memory if one is self.out or not unwanted(one)]
        if not self.fails:
            self.stored = [
                one for one in self.stored if one not in self.sent and (one is self.out or not unwanted(one))
            ]
            self.sent = []
        self.forget_later = self.fails or (self.out is not None and unwanted(self.out))
        if self.fails:
            self.retry_at = self.now + RETRY_S

    @rule(seconds=st.sampled_from([1.0, RETRY_S - 1, RETRY_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        with disk(fails=self.fails):
            self.outbox.tick(self.now)
        self.settle()

    @rule()
    def break_or_mend_the_disk(self) -> None:
        self.fails = not self.fails

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.outbox = self.opened()

    @invariant()
    def counts_agree(self) -> None:
        assert self.outbox.in_memory == len(self.memory)
        assert self.outbox.waiting == len(self.stored) - len(self.sent) + len(self.memory)
        assert self.outbox.dropped == self.dropped + self.lost
        assert self.outbox.on_disk == (self.retry_at is None)

    def teardown(self) -> None:
        """On a working disk everything that waits comes out, in order, once; then the file is empty."""
        self.fails = False
        self.wait(RETRY_S)
        while self.out is not None or self.outbox.waiting:
            self.take()
            self.send()
        assert (self.outbox.head(self.now), self.stored, self.memory) == (None, [], [])
        self.outbox.close()
        assert OutboxFile(self.folder / "outbox.sqlite3", ROOM).peek(1) == []
        shutil.rmtree(self.folder)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)


def test_how_many_were_forgotten_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "whosthere.mqtt")
    outbox = Outbox(tmp_path / "outbox.sqlite3", ROOM, retry_s=RETRY_S)
    outbox.add([entry(n) for n in range(4)], 0.0)
    outbox.forget(unwanted, 0.0)
    outbox.forget(unwanted, 0.0)
    with disk(fails=True):
        outbox.add([entry(n) for n in range(4, 7)], 0.0)
    outbox.forget(unwanted, 0.0)
    counts = [message.split()[0] for message in caplog.messages if "removed" in message]
    assert counts == ["2", "1"]
    outbox.close()


def test_nothing_of_what_was_forgotten_is_left_in_any_file(tmp_path: Path) -> None:
    outbox = OutboxFile(tmp_path / "outbox.sqlite3", 100)
    secret = [OutboxEntry(f"v/{n}", BootTime("boot", float(n)), b"ada" * 300) for n in range(20)]
    outbox.put_many([entry(20), *secret[:10]])
    outbox.remove([row for row, one in outbox.peek(4) if one in secret])
    outbox.put_many(secret[10:])
    assert outbox.forget(lambda waiting: waiting.payload.startswith(b"ada")) == 17
    assert [one for _, one in outbox.peek(100)] == [entry(20)]
    assert b"adaada" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    outbox.close()


def test_all_folders_on_the_way_are_made(tmp_path: Path) -> None:
    outbox = OutboxFile(tmp_path / "var" / "lib" / "outbox.sqlite3", 100)
    outbox.put_many([entry(0)])
    outbox.close()
    assert OutboxFile(tmp_path / "var" / "lib" / "outbox.sqlite3", 100).waiting == 1


def test_a_failed_write_leaves_all_or_nothing_and_the_file_usable(tmp_path: Path) -> None:
    outbox = OutboxFile(tmp_path / "outbox.sqlite3", 4)
    outbox.put_many([entry(n) for n in range(3)])
    with disk(fails=True):
        with pytest.raises(StorageError, match=r"cannot be written: .*; the file and its folder must be writable"):
            outbox.put_many([entry(n) for n in range(3, 6)])
        with pytest.raises(StorageError, match="cannot be written"):
            outbox.remove([1, 2])
    assert ([one for _, one in outbox.peek(9)], outbox.waiting, outbox.dropped) == ([entry(n) for n in range(3)], 3, 0)
    outbox.put_many([entry(n) for n in range(3, 6)])
    assert ([one for _, one in outbox.peek(9)], outbox.waiting, outbox.dropped) == (
        [entry(n) for n in range(2, 6)],
        4,
        2,
    )
    outbox.close()


def test_an_outbox_counts_nothing_before_it_has_looked(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", ROOM)
    assert (outbox.waiting, outbox.dropped, outbox.in_memory) == (0, 0, 0)


def test_removing_what_was_sent_shows_that_the_disk_works_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", ROOM, retry_s=RETRY_S)
    outbox.add([entry(0), entry(1)], 0.0)
    assert outbox.head(0.0) == entry(0)
    with disk(fails=True):
        outbox.sent(0.0)
    assert not outbox.on_disk
    outbox.tick(RETRY_S)
    assert outbox.on_disk
    outbox.close()


def test_damage_under_way_loses_what_was_on_disk_and_nothing_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    outbox = Outbox(path, 5000, retry_s=RETRY_S)
    # More than SQLite keeps in memory.
    outbox.add([OutboxEntry(f"v/{n}", BootTime("boot", n), bytes(9000)) for n in range(1000)], 0.0)
    for file in (path, path.with_name(f"{path.name}-wal")):
        file.write_bytes(bytes(file.stat().st_size))
    assert outbox.head(1.0) is None
    assert not outbox.on_disk
    outbox.add([entry(0)], 2.0)
    assert outbox.head(2.0) == entry(0)
    outbox.sent(2.0)
    outbox.add([entry(1)], 1.0 + RETRY_S)
    assert (outbox.on_disk, outbox.waiting, outbox.head(40.0)) == (True, 1, entry(1))
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    outbox.close()


def test_what_a_failing_disk_could_not_forget_is_forgotten_with_the_next_that_is_sent(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite3", ROOM, retry_s=RETRY_S)
    outbox.add([entry(n) for n in range(1, 5)], 0.0)
    with disk(fails=True):
        outbox.forget(unwanted, 0.0)
    assert outbox.waiting == 4
    assert outbox.head(RETRY_S) == entry(1)
    outbox.sent(RETRY_S)
    assert outbox.waiting == 2
    outbox.close()
    assert [one for _, one in OutboxFile(tmp_path / "outbox.sqlite3", ROOM).peek(9)] == [entry(2), entry(4)]


def test_what_was_sent_does_not_hide_what_waits_once_it_is_forgotten(tmp_path: Path) -> None:
    """The disk fails while something is being forgotten, and works again before the retry."""
    outbox = Outbox(tmp_path / "outbox.sqlite3", ROOM, retry_s=RETRY_S)
    outbox.add([entry(0), entry(1)], 0.0)
    with disk(fails=True):
        outbox.forget(unwanted, 0.0)
    assert outbox.head(1.0) == entry(0)
    outbox.sent(1.0)
    assert (outbox.waiting, outbox.head(1.0)) == (1, entry(1))
    outbox.close()
