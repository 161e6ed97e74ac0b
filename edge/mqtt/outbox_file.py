"""The outbox on disk: a bounded queue of events in SQLite.

SQLite in WAL mode appends to one file and syncs it once per commit: a power cut loses nothing that was
committed and tears nothing (https://www.sqlite.org/wal.html). Nothing is written while nothing happens.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from edge.mqtt.outbox_layout import DROPPED, LAYOUT, OLDEST, Row, checked
from edge.mqtt.queued_event import OutboxEntry
from edge.mqtt.sent_note import SentNote
from edge.storage.database import close, explained, open_or_replace, transaction
from edge.storage.layout import only_value
from edge.storage.salvage import discard_damaged

_DROP_OLDEST = "DELETE FROM waiting WHERE row IN (SELECT row FROM waiting WHERE row IS NOT ? ORDER BY row LIMIT ?)"


class OutboxFile:
    """At most `max_events` entries, first in, first out. For one thread of one process.

    Every method raises StorageError when the disk is full, read-only or failing.
    """

    def __init__(self, path: Path, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        with self._explained("opened"):
            self._db, self.was_replaced = open_or_replace(path, LAYOUT)
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
        with self._explained("written"), transaction(self._db, "FULL"):
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
        with self._explained("written"), transaction(self._db, "NORMAL"):
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
        close(self._db)

    def _already_sent(self) -> list[int]:
        last, event_id = self._sent_note.read()
        known = self._db.execute("SELECT event_id FROM waiting WHERE row = ?", (last,)).fetchone()
        # Numbers of rows are used again: the note may be about an event of long ago.
        if known != (event_id,):
            return []
        return [row for (row,) in self._db.execute("SELECT row FROM waiting WHERE row <= ? ORDER BY row", (last,))]

    def _explained(self, verb: str) -> AbstractContextManager[None]:
        return explained(self._path, LAYOUT, verb)
