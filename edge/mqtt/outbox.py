"""Events that wait for the broker: on disk, and in memory for as long as the disk fails."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.queued_event import OutboxEntry
from edge.storage.database import StorageError

_log = logging.getLogger("whosthere.mqtt")

_MEMORY_EVENTS = 1000
_RETRY_S = 30.0


class Outbox:
    """A queue that never fails: a disk that does is logged once and retried every half minute.

    Entries leave in the order in which they came. For one thread.
    """

    def __init__(self, path: Path, max_events: int, *, retry_s: float = _RETRY_S) -> None:
        self._path = path
        self._max_events = max_events
        self._max_memory = min(max_events, _MEMORY_EVENTS)
        self._retry_s = retry_s
        self._file: OutboxFile | None = None
        self._memory: deque[OutboxEntry] = deque()
        self._sent: list[int] = []
        """Rows that were sent but that a failing disk has not removed yet."""
        self._head: tuple[int | None, OutboxEntry] | None = None
        """The entry that is being sent, with its row; no row: it is in memory."""
        self._unwanted: Callable[[OutboxEntry], bool] | None = None
        """Entries still to be forgotten, because one was being sent or the disk failed."""
        self._retry_at: float | None = None
        self._lost = 0
        self.waiting = 0
        """Entries that have not been sent. Other threads may read it: it changes only when an operation is complete."""
        self.replaced = 0
        """How many files could not be read whole and were replaced, since the start."""
        self.dropped = 0
        """Events lost because there was no room: on disk since the file was created, in memory since the start."""

    @property
    def on_disk(self) -> bool:
        """False: new events would not survive a power cut."""
        return self._retry_at is None

    @property
    def in_memory(self) -> int:
        """How many of the waiting events are not on disk."""
        return len(self._memory)

    def add(self, entries: Sequence[OutboxEntry], now: float) -> None:
        """Add entries, all of them in one transaction."""
        self._memory.extend(entries)
        self.tick(now)
        while len(self._memory) > self._max_memory:
            # The head is being sent and may arrive: the next oldest gives way.
            del self._memory[1 if self._head and self._head[1] is self._memory[0] else 0]
            self._lost += 1
        self._count()

    def tick(self, now: float) -> None:
        """Move to disk what is only in memory, once the disk may be retried."""
        if self._retry_at is None or now >= self._retry_at:
            self._try(now)
            self._count()

    def head(self, now: float) -> OutboxEntry | None:
        """The oldest entry: the same one until `sent`."""
        if self._head is None:
            self._head = self._oldest(now)
        return self._head[1] if self._head else None

    def sent(self, now: float) -> None:
        """The broker has accepted the head: remove it."""
        if self._head is None:
            return
        (row, entry), self._head = self._head, None
        if row is not None:
            self._sent.append(row)
            self.tick(now)
            if self._sent and self._file:
                self._file.note_sent(row, entry.event_id)
        elif self._memory and self._memory[0] is entry:
            self._memory.popleft()
        if self._unwanted is not None:
            self.forget(self._unwanted, now)
        self._count()

    def forget(self, unwanted: Callable[[OutboxEntry], bool], now: float) -> None:
        """Remove entries that must no longer be sent or found in any file. The head goes once it has been sent."""
        head = self._head[1] if self._head else None
        self._unwanted = unwanted if head is not None and unwanted(head) else None
        before = len(self._memory)
        self._memory = deque(entry for entry in self._memory if entry is head or not unwanted(entry))
        forgotten = before - len(self._memory)
        try:
            forgotten += self._forget_stored(unwanted)
        except StorageError as error:
            self._unwanted = unwanted
            self._failed(error, now)
        if forgotten:
            _log.info("%d waiting events of people who left the gallery were removed", forgotten)
        self._count()

    def _forget_stored(self, unwanted: Callable[[OutboxEntry], bool]) -> int:
        """Remove unwanted entries from the file, or once it can be opened; the number removed."""
        if self._file is None:
            self._unwanted = unwanted
            return 0
        self._file.remove(self._sent)
        self._sent = []
        head = self._head[1] if self._head else None
        return self._file.forget(lambda e: unwanted(e) and (head is None or e.event_id != head.event_id))

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _try(self, now: float) -> None:
        try:
            worked = self._settle()
        except StorageError as error:
            self._failed(error, now)
            return
        if worked and self._retry_at is not None:
            self._retry_at = None
            _log.info("mqtt.outbox.path: %s works again; events are on disk", self._path)

    def _count(self) -> None:
        stored = self._file.waiting - len(self._sent) if self._file else 0
        self.waiting = stored + len(self._memory)
        self.dropped = self._lost + (self._file.dropped if self._file else 0)

    def _settle(self) -> bool:
        """Do what the disk has yet to do; whether there was anything, which shows that the disk works."""
        worked = self._file is None
        if self._file is None:
            self._file = OutboxFile(self._path, self._max_events)
            self.replaced += self._file.was_replaced
            self._sent += [row for row in self._file.sent if row not in self._sent]
            if self._unwanted is not None:
                self._forget_stored(self._unwanted)
        if self._sent:
            self._file.remove(self._sent)
            self._sent, worked = [], True
        # A head in memory is about to leave it: writing it to disk now could send it twice.
        if self._memory and not (self._head and self._head[0] is None):
            self._file.put_many(self._memory, keep=self._head[0] if self._head else None)
            self._memory.clear()
            worked = True
        return worked

    def _oldest(self, now: float) -> tuple[int | None, OutboxEntry] | None:
        for row, entry in self._stored(now):
            if row not in self._sent:
                return row, entry
        return (None, self._memory[0]) if self._memory else None

    def _stored(self, now: float) -> Sequence[tuple[int, OutboxEntry]]:
        if self._file is None or self._file.waiting <= len(self._sent):
            return []
        try:
            return self._file.peek(len(self._sent) + 1)
        except StorageError as error:
            self._failed(error, now)
            return []

    def _failed(self, error: StorageError, now: float) -> None:
        if self._retry_at is None:
            _log.error("%s. Until it works again, events wait in memory only.", error)
        self._retry_at = now + self._retry_s
        if error.damaged and self._file:
            # The rows that can be saved keep their numbers: what was sent stays sent.
            self._file.close()
            self._file = None
