"""The outbox on disk: a bounded queue of events in SQLite. The only user of sqlite3.

SQLite in WAL mode appends to one file and syncs it once per commit: a power cut loses nothing that was
committed and tears nothing (https://www.sqlite.org/wal.html). Nothing is written while nothing happens.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.errors import WhosthereError
from edge.mqtt.queued_event import BootTime, OutboxEntry

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
_DROP_OLDEST = "DELETE FROM waiting WHERE row IN (SELECT row FROM waiting WHERE row IS NOT ? ORDER BY row LIMIT ?)"


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
            try:
                self._db = _opened(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _move_aside(path, error)
                self._db = _opened(path)
            self.waiting: int = _value(self._db, "SELECT count(*) FROM waiting")
            self.dropped: int = _value(self._db, "SELECT value FROM counters WHERE name = 'dropped'")
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

    def peek(self, n: int) -> list[tuple[int, OutboxEntry]]:
        """The oldest `n` entries in order, each with the id that `remove` takes."""
        with self._explained("read"):
            rows = self._db.execute(
                "SELECT row, event_id, boot, seconds, payload FROM waiting ORDER BY row LIMIT ?", (n,)
            ).fetchall()
        return [
            (row, OutboxEntry(event_id, BootTime(boot, seconds), payload))
            for row, event_id, boot, seconds, payload in rows
        ]

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

        Deleted rows live on in free pages and in the log, so the database is rewritten and the log truncated.
        """
        rows = [row for row, entry in self.peek(self.waiting) if unwanted(entry)]
        self.remove(rows)
        with self._explained("written"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
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
        except sqlite3.OperationalError as error:
            raise OutboxError(f"mqtt.outbox.path: {self._path} cannot be {verb}: {error}; {_advice(error)}") from error
        except sqlite3.DatabaseError as error:
            raise OutboxError(f"mqtt.outbox.path: {self._path} is damaged: {error}", damaged=True) from error
        except OSError as error:
            raise OutboxError(f"mqtt.outbox.path: {self._path} cannot be {verb}: {error}") from error


def _opened(path: Path) -> sqlite3.Connection:
    """A sound database with our tables. Raises sqlite3.DatabaseError when it is damaged or not ours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # It says who came when: nobody else may read it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        # Exclusive: a second daemon on the same outbox would send everything twice.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "secure_delete = FAST"):
            db.execute(f"PRAGMA {pragma}")
        verdict = _value(db, "PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        version = _value(db, "PRAGMA user_version")
        if version == 0:
            db.executescript(_TABLES)
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"found version {version}, this whosthere needs version {_VERSION}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _value(db: sqlite3.Connection, query: str) -> Any:
    """The one value that a query gives."""
    [value] = db.execute(query).fetchone()
    return value


def _move_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    _log.warning(
        "mqtt.outbox.path: %s is damaged (%s); moved it to %s and started a new one. The events in it are lost.",
        path, error, aside,
    )  # fmt: skip
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _advice(error: sqlite3.OperationalError) -> str:
    text = str(error)
    if "locked" in text:
        return "is another whosthere running with the same outbox?"
    if "full" in text:
        return "make room on that disk"
    return "the file and its folder must be writable for whosthere"
