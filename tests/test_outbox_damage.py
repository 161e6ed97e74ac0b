"""Outbox files with bytes flipped anywhere, and payloads of other versions: the publisher lives, the events go on."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.mqtt.visit_payloads import marked, names_any, visit_payload
from support.fuzzing import FULL, cases
from support.publishing import ORIGIN, recognized

SHM = Path("/dev/shm")  # noqa: S108
NAME = "outbox.sqlite3"
SETTLED, WAITING = 30, 10
"""Events in the file itself, and in the log that a killed daemon leaves beside it."""


def entry(n: int) -> OutboxEntry:
    payload = visit_payload(recognized(visit="v", sequence=n), wall_offset=0.0, origin=ORIGIN)
    return OutboxEntry(f"v/{n}", BootTime("boot", float(n)), msgspec.json.encode(payload))


@cache
def sound() -> dict[str, bytes]:
    """The files of an outbox whose daemon was killed."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        path = Path(folder) / NAME
        outbox = OutboxFile(path, 1000)
        outbox.put_many([entry(n) for n in range(SETTLED)])
        outbox.close()
        outbox = OutboxFile(path, 1000)
        outbox.put_many([entry(n) for n in range(SETTLED, SETTLED + WAITING)])
        found = {name: path.with_name(name).read_bytes() for name in (NAME, f"{NAME}-wal")}
        outbox.close()
    return found


def used_after(path: Path, files: dict[str, bytes]) -> list[str]:
    """Do with an outbox what the publisher does, and return what it would have sent."""
    for name, content in files.items():
        path.with_name(name).write_bytes(content)
    outbox = Outbox(path, 1000, retry_s=1)
    outbox.add([entry(1000)], 0.0)
    sent = []
    for now in range(200):
        outbox.tick(float(now))
        if (head := outbox.head(float(now))) is not None:
            marked(head.payload, late=True)
            sent.append(head.event_id)
            outbox.sent(float(now))
        if now == SETTLED // 2:
            outbox.forget(lambda waiting: names_any(waiting.payload, {"grace"}), float(now))
    assert outbox.on_disk
    assert (outbox.waiting, outbox.in_memory) == (0, 0)
    assert sent[-1] == "v/1000"
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return sent


Flips = st.lists(
    st.tuples(st.booleans(), st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4
)


@pytest.mark.fuzz
@settings(max_examples=cases(60), deadline=None, derandomize=not FULL)
@given(flips=Flips)
@example(flips=[(False, 18 / 20480, 255)])
@example(flips=[(False, 100 / 20480, 1)])
def test_bytes_flipped_anywhere_leave_an_outbox_that_works(flips: list[tuple[bool, float, int]]) -> None:
    files = {name: bytearray(content) for name, content in sound().items()}
    for in_log, where, change in flips:
        content = files[f"{NAME}-wal" if in_log else NAME]
        content[int(where * len(content))] ^= change
    folder = Path(tempfile.mkdtemp(dir=SHM if SHM.is_dir() else None))
    try:
        sent = used_after(folder / NAME, {name: bytes(content) for name, content in files.items()})
    finally:
        shutil.rmtree(folder)
    assert len(sent) == len(set(sent))


@pytest.mark.fuzz
@pytest.mark.parametrize("page", range(1 if not FULL else 2))
@pytest.mark.parametrize("step", [7 if not FULL else 1])
def test_one_flipped_byte_of_header_and_schema_costs_no_event(tmp_path: Path, page: int, step: int) -> None:
    whole = sound()[NAME]
    text = [n for n in range(4096) if whole[n]]
    for n in text[page::step]:
        content = bytearray(whole)
        content[n] ^= 0x15
        folder = tmp_path / str(n)
        folder.mkdir()
        sent = used_after(folder / NAME, {NAME: bytes(content)})
        assert sent == [*(f"v/{n}" for n in range(SETTLED)), "v/1000"], n
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE waiting SET event_id = CAST(x'ff41' AS TEXT) WHERE row = 3",
        "UPDATE waiting SET boot = CAST(x'ff41' AS TEXT) WHERE row = 3",
        "UPDATE waiting SET seconds = 9e999 WHERE row = 3",
        "UPDATE waiting SET payload = x'ff5b5b' WHERE row = 3",
        "DELETE FROM counters",
        "UPDATE counters SET value = -3",
        "PRAGMA user_version = 9",
        "ALTER TABLE waiting ADD COLUMN priority INTEGER",
    ],
)
def test_what_a_card_or_another_version_leaves_costs_no_event(tmp_path: Path, damage: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(sound()[NAME])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(damage)
    sent = used_after(path, {})
    assert len(sent) == SETTLED + 1
    assert sent[3:] == [*(f"v/{n}" for n in range(3, SETTLED)), "v/1000"]


def test_rows_behind_damaged_pages_are_reached_from_the_other_end(tmp_path: Path) -> None:
    """Leaping forward from row 900 meets a sound page only at row 1155; the rows before it are reached backwards."""
    path, rows, damaged = tmp_path / NAME, 2000, range(900, 1040)
    outbox = OutboxFile(path, rows)
    outbox.put_many([entry(n) for n in range(rows)])
    outbox.close()
    with closing(sqlite3.connect(path)) as db:
        pages = {number: page for page, number in _leaf_pages(db, path)}
    content = bytearray(path.read_bytes())
    bad = {pages[n] for n in damaged}
    for page in bad:
        content[4096 * page : 4096 * (page + 1)] = bytes([0xFF]) * 4096
    lost = {n for n, page in pages.items() if page in bad}
    path.write_bytes(content)
    saved = OutboxFile(path, rows)
    assert [one.event_id for _, one in saved.peek(rows)] == [f"v/{n}" for n in range(rows) if n not in lost]
    saved.close()


def _leaf_pages(db: sqlite3.Connection, path: Path) -> Iterator[tuple[int, int]]:
    """(page from 0, event's number) for every event of the file."""
    content = path.read_bytes()
    for (number,) in db.execute("SELECT CAST(substr(event_id, 3) AS INTEGER) FROM waiting"):
        yield content.index(b"v/%dboot" % number) // 4096, number


def test_a_replacement_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.with_name(f"{NAME}.new").write_bytes(sound()[NAME])
    assert len(used_after(path, {})) == SETTLED + 1


def test_damaged_files_are_few_private_and_forgotten_with_the_people_in_them(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for n in range(5):
        path.with_name(f"{NAME}.damaged-20200101T00000{n}Z").write_bytes(b"ada")
    path.write_bytes(b"rubbish " * 1000)
    OutboxFile(path, 100).close()
    damaged = sorted(tmp_path.glob("*.damaged-*"))
    assert [file.name[-7:] for file in damaged[:-1]] == ["000003Z", "000004Z"]
    assert len(damaged) == 3
    outbox = OutboxFile(path, 100)
    outbox.forget(lambda _: False)
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []
    outbox.close()


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (b'{"person_id": "ada", "candidates": [], "schema_version": 1}', True),
        (b'{"person_id": null, "candidates": [{"id": "ada"}], "schema_version": 1}', True),
        (b'{"person_id": null, "candidates": [], "schema_version": 1, "event_type": "waved", "camera": "ada"}', False),
        (b'{"person_id": "ada"}', True),
        (b'{"person_id": null}', False),
        (b'{"people": ["ada"], "schema_version": 2}', True),
        (b'{"person_id": ["x"], "candidates": 3, "schema_version": 1}', False),
        (b"[" * 100_000, False),
        (b"\xff\xfe ada", True),
        (b"", False),
    ],
)
def test_payloads_of_any_version_are_searched_for_people(payload: bytes, names: bool) -> None:
    assert names_any(payload, {"ada"}) is names
    marked(payload, late=True)
