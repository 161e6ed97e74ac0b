"""The outbox on disk: a bounded queue of events in SQLite. With outbox_salvage, the only user of sqlite3.

SQLite in WAL mode appends to one file and syncs it once per commit: a power cut loses nothing that was
committed and tears nothing (https://www.sqlite.org/wal.html). Nothing is written while nothing happens.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.errors import WhosthereError
from edge.mqtt.outbox_salvage import COLUMNS, Row, checked, decode_text, discard_damaged, salvage, set_aside
from edge.mqtt.queued_event import OutboxEntry

_log = logging.getLogger("whosthere.mqtt")

_VERSION = 1
_TABLES = """
    BEGIN IMMEDIATE;
    CREATE TABLE waiting (
        row INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL,
        boot TEXT NOT NULL,
        seconds REAL NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('dropped', 0);
    PRAGMA user_version = 1;
    COMMIT;
"""
_OLDEST = f"SELECT {COLUMNS} FROM waiting ORDER BY row"  # noqa: S608  (a constant)
_DROPPED = "SELECT value FROM counters WHERE name = 'dropped'"
_DROP_OLDEST = "DELETE FROM waiting WHERE row IN (SELECT row FROM waiting WHERE row IS NOT ? ORDER BY row LIMIT ?)"

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}
"""Result codes that say nothing about the file: it may be in order."""
_DISK = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}
"""Result codes for which the disk or the file may be to blame."""


class OutboxError(WhosthereError):
    """The outbox cannot be read or written."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged
        """True: close it; opening it again moves it aside and starts a new one."""


class OutboxFile:
    """At most `max_events` entries, first in, first out. For one thread of one process.

    Every method raises OutboxError when the disk is full, read-only or failing.
    """

    def __init__(self, path: Path, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        with self._explained("opened"):
            self._db, self.was_replaced = _opened(path)
            self.waiting: int = _value(self._db, "SELECT count(*) FROM waiting")
            self.dropped: int = _value(self._db, _DROPPED)
            """How many entries were lost because the outbox was full, ever."""

    def put_many(self, entries: Sequence[OutboxEntry], *, keep: int | None = None) -> None:
        """Add all of the entries, or none; they survive a power cut once this returns.

        When the outbox is full the oldest entries are dropped, except the row `keep`: it is being sent.
        """
        rows = [(e.event_id, e.at.boot, e.at.seconds, e.payload) for e in entries]
        excess = max(self.waiting + len(rows) - self._max_events, 0)
        with self._transaction("FULL"):
            self._db.executemany("INSERT INTO waiting (event_id, boot, seconds, payload) VALUES (?, ?, ?, ?)", rows)
            if excess:
                self._db.execute(_DROP_OLDEST, (keep, excess))
                self._db.execute("UPDATE counters SET value = value + ? WHERE name = 'dropped'", (excess,))
        self.waiting += len(rows) - excess
        self.dropped += excess

    def peek(self, n: int) -> list[Row]:
        """The oldest `n` entries in order, each with the id that `remove` takes."""
        with self._explained("read"):
            return [checked(values) for values in self._db.execute(f"{_OLDEST} LIMIT ?", (n,))]

    def remove(self, rows: Sequence[int]) -> None:
        """Remove all of the rows, or none; those that are already gone are skipped.

        This survives the end of the process but is not synced, which halves the wear of the card: a power cut may
        bring an entry back. It is then from another boot, so it can only arrive as late.
        """
        with self._transaction("NORMAL"):
            removed = self._db.executemany("DELETE FROM waiting WHERE row = ?", [(row,) for row in rows]).rowcount
        self.waiting -= removed

    def forget(self, unwanted: Callable[[OutboxEntry], bool]) -> int:
        """Remove the entries that are no longer wanted, leaving no trace of them in any file. The number removed.

        Deleted rows live on in free pages and in the log, so the database is rewritten and the log truncated; they
        live on in damaged files too, which are deleted.
        """
        rows = [row for row, entry in self.peek(self.waiting) if unwanted(entry)]
        self.remove(rows)
        with self._explained("written"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            discard_damaged(self._path)
        return len(rows)

    def close(self) -> None:
        """Write what the log holds into the database itself. Never raises."""
        with suppress(sqlite3.Error):
            self._db.close()

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        with self._explained("written"):
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error:
                # On a full disk SQLite has already rolled back.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if _is_damage(error):
                raise OutboxError(f"mqtt.outbox.path: {self._path} is damaged: {error}", damaged=True) from error
            raise OutboxError(f"mqtt.outbox.path: {self._path} cannot be {verb}: {error}; {_advice(error)}") from error
        except OSError as error:
            raise OutboxError(f"mqtt.outbox.path: {self._path} cannot be {verb}: {error}") from error


def _opened(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A sound database with our tables, and whether it replaces one that was not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _new_name(path)
    if new.exists() and not path.exists():
        # Replacing a damaged one was interrupted between its last two steps.
        new.replace(path)
    try:
        return _sound(path), False
    except sqlite3.Error as error:
        if _primary_code(error) in _PASSING:
            raise
        _replace(path, error)
    return _sound(path), True


def _sound(path: Path) -> sqlite3.Connection:
    """Open a database of which every row can be read. Raises sqlite3.Error when it is damaged or not ours."""
    # It says who came when: nobody else may read it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    db.text_factory = decode_text
    try:
        # Exclusive: a second daemon on the same outbox would send everything twice.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "secure_delete = FAST"):
            db.execute(f"PRAGMA {pragma}")
        verdict = _value(db, "PRAGMA integrity_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        version = _value(db, "PRAGMA user_version")
        if version == 0 and not _value(db, "SELECT count(*) FROM sqlite_schema"):
            db.executescript(_TABLES)
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"found version {version}, this whosthere needs version {_VERSION}")
        _check_content(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _check_content(db: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError unless the tables are those of `_TABLES` and every row can be read."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        ours.executescript(_TABLES)
        if _schema(db) != _schema(ours):
            raise sqlite3.DatabaseError("its tables are not those of an outbox")
    dropped = _value(db, _DROPPED)
    if not isinstance(dropped, int) or dropped < 0:
        raise sqlite3.DatabaseError("its counter of dropped events is garbled")
    for values in db.execute(_OLDEST):
        checked(values)


def _schema(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid").fetchall()


def _replace(path: Path, error: sqlite3.Error) -> None:
    """Put a new outbox, with all rows that can still be read, in the place of one that cannot be read whole.

    Raises `error` when no new one can be written: then the disk is at fault, not the file.
    """
    new = _new_name(path)
    try:
        rows = salvage(path, _first_page())
        new.unlink(missing_ok=True)
        with closing(_sound(new)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT INTO waiting VALUES (?, ?, ?, ?, ?)",
                [(number, e.event_id, e.at.boot, e.at.seconds, e.payload) for number, e in rows],
            )
            db.execute("COMMIT")
        aside = set_aside(path)
        new.replace(path)
    except (sqlite3.Error, OSError) as other:
        raise error from other
    _log.error(
        "mqtt.outbox.path: %s cannot be read whole (%s); it is now %s, and a new one holds the %d events that could "
        "still be read. If this happens again, replace the card or disk",
        path, error, aside, len(rows),
    )  # fmt: skip


def _first_page() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(_TABLES)
        page = bytearray(db.serialize())
    # Written and read with a write-ahead log: https://www.sqlite.org/fileformat.html, 1.3.3.
    page[18:20] = b"\2\2"
    return bytes(page)


def _new_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _value(db: sqlite3.Connection, query: str) -> Any:
    """The one value that a query gives. Raises sqlite3.DatabaseError when it gives none."""
    row = db.execute(query).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"nothing found by {query}")
    return row[0]


def _primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code; SQLITE_CORRUPT for what Python itself cannot read."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF


def _is_damage(error: sqlite3.Error) -> bool:
    return _primary_code(error) not in _PASSING | _DISK


def _advice(error: sqlite3.Error) -> str:
    match _primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is another whosthere running with the same outbox?"
        case sqlite3.SQLITE_FULL:
            return "make room on that disk"
    return "the file and its folder must be writable for whosthere"
