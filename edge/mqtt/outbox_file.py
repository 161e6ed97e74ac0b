"""The outbox on disk: a bounded queue of events in SQLite. Only outbox_* use sqlite3.

SQLite in WAL mode appends to one file and syncs it once per commit: a power cut loses nothing that was
committed and tears nothing (https://www.sqlite.org/wal.html). Nothing is written while nothing happens.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from edge.errors import WhosthereError
from edge.mqtt.outbox_database import DROPPED, OLDEST, first_page, only_value, open_sound
from edge.mqtt.outbox_salvage import Row, checked, discard_damaged, salvage, set_aside
from edge.mqtt.queued_event import OutboxEntry
from edge.mqtt.sent_note import SentNote

_log = logging.getLogger("whosthere.mqtt")

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
            self.waiting: int = only_value(self._db, "SELECT count(*) FROM waiting")
            self.dropped: int = only_value(self._db, DROPPED)
            """How many entries were lost because the outbox was full, ever."""
            self._sent_note = SentNote(path)
            self.sent = self._already_sent()
            """Rows that an earlier run sent and could not remove."""

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
            return [checked(values) for values in self._db.execute(f"{OLDEST} LIMIT ?", (n,))]

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

    def note_sent(self, row: int, event_id: str) -> None:
        """Remember that everything up to this row was sent, which a full disk keeps `remove` from recording.

        Written in place, into a file that has been given its size before: this needs no room. Never raises.
        """
        self._sent_note.write(row, event_id)

    def close(self) -> None:
        """Write what the log holds into the database itself. Never raises."""
        with suppress(sqlite3.Error):
            self._db.close()

    def _already_sent(self) -> list[int]:
        last, event_id = self._sent_note.read()
        known = self._db.execute("SELECT event_id FROM waiting WHERE row = ?", (last,)).fetchone()
        # Numbers of rows are used again: the note may be about an event of long ago.
        if known != (event_id,):
            return []
        return [row for (row,) in self._db.execute("SELECT row FROM waiting WHERE row <= ? ORDER BY row", (last,))]

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
        except (sqlite3.Error, UnicodeDecodeError) as error:
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
        return open_sound(path), False
    except sqlite3.Error as error:
        if _primary_code(error) in _PASSING:
            raise
        _replace(path, error)
    return open_sound(path), True


def _replace(path: Path, error: sqlite3.Error) -> None:
    """Put a new outbox, with all rows that can still be read, in the place of one that cannot be read whole.

    Raises `error` when no new one can be written: then the disk is at fault, not the file.
    """
    new = _new_name(path)
    try:
        rows = salvage(path, first_page())
        new.unlink(missing_ok=True)
        with closing(open_sound(new)) as db:
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


def _new_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _primary_code(error: Exception) -> int:
    """SQLite's result code; SQLITE_CORRUPT for what Python itself cannot read."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF


def _is_damage(error: Exception) -> bool:
    return _primary_code(error) not in _PASSING | _DISK


def _advice(error: Exception) -> str:
    match _primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "is another whosthere running with the same outbox?"
        case sqlite3.SQLITE_FULL:
            return "make room on that disk"
    return "the file and its folder must be writable for whosthere"
