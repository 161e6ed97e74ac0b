"""What can be read of a database that is damaged, or that another version of whosthere has written.

A damaged file is never repaired: its readable rows go into a new one, which takes its place, and it is kept beside it.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from edge.storage.layout import GarbledRow, Layout, Values, decode_text

_PAGE = 4096
_LAST_ROW = 2**63 - 1
_KEPT = 3
"""How many damaged files are kept."""


def salvage(path: Path, layout: Layout, first_page: bytes) -> list[Values]:
    """Return the rows that can be read, in order.

    The file is read as it is, and once more with `first_page`, that of a new database: it holds the header and the
    description of the tables, which are always the same.
    """
    rows = _readable(path, layout)
    copy = path.with_name(f"{path.name}.salvage")
    with suppress(OSError):
        try:
            _copy(path, copy)
            log = _beside(path, "-wal")
            if log.exists():
                _copy(log, _beside(copy, "-wal"))
            with copy.open("r+b") as file:
                pages = max(copy.stat().st_size // _PAGE, 1)
                file.write(first_page[:28] + pages.to_bytes(4, "big") + first_page[32:_PAGE])
            rows = _readable(copy, layout) | rows
        finally:
            discard(copy)
    return [rows[number] for number in sorted(rows)]


def set_aside(path: Path) -> Path:
    """Move a damaged file, and what SQLite keeps beside it, out of the way. Return where it is now."""
    for old in sorted(path.parent.glob(f"{path.name}.damaged-*Z"))[: -_KEPT + 1 or None]:
        discard(old)
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-journal", ""):
        with suppress(FileNotFoundError):
            _beside(path, suffix).replace(_beside(aside, suffix))
    _beside(path, "-shm").unlink(missing_ok=True)
    return aside


def discard_damaged(path: Path) -> None:
    """Delete the files that have been set aside."""
    for old in path.parent.glob(f"{path.name}.damaged-*Z"):
        discard(old)


def _copy(path: Path, copy: Path) -> None:
    # It says who came when: nobody else may read it.
    copy.unlink(missing_ok=True)
    copy.touch(mode=0o600)
    shutil.copyfile(path, copy)


def discard(path: Path) -> None:
    """Delete a database, and what SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        _beside(path, suffix).unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _readable(path: Path, layout: Layout) -> dict[int, Values]:
    """The rows by number. Rows behind a damaged page are reached from the other end, or by leaping over it."""
    rows: dict[int, Values] = {}
    unreadable = (sqlite3.Error, UnicodeDecodeError)
    with suppress(*unreadable), closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as db:
        db.text_factory = decode_text
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        for direction, order in ((1, ">= ? ORDER BY row ASC"), (-1, "<= ? ORDER BY row DESC")):
            for values in _leaping(db, f"{layout.select} WHERE row {order}", direction, layout):
                rows.setdefault(values[0], values)
    return rows


def _leaping(db: sqlite3.Connection, query: str, direction: int, layout: Layout) -> Iterator[Values]:
    """Yield rows from one end of the table to the other, leaping ever farther over what cannot be read."""
    start = 0 if direction > 0 else _LAST_ROW
    leap, alone = 1, False
    while 0 <= start <= _LAST_ROW:
        asked = start
        try:
            for values in db.execute(f"{query} LIMIT 1" if alone else query, (start,)):
                start = values[0] + direction
                leap = 1
                with suppress(GarbledRow):
                    layout.check_row(values)
                    yield values
        except (sqlite3.Error, UnicodeDecodeError, MemoryError, OverflowError, TypeError):
            # Python reads a row ahead, and loses the last one before the damage unless it is read alone.
            if alone:
                start += direction * leap
                leap *= 2
            alone = not alone
        else:
            if start == asked or not alone:
                return
            alone = False
