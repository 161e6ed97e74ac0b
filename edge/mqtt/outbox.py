"""The events that wait: in the outbox on disk, and in memory for as long as the disk refuses them."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.mqtt.outbox_file import OutboxError, OutboxFile
from edge.mqtt.queued_event import OutboxEntry

_log = logging.getLogger("whosthere.mqtt")

_MEMORY_EVENTS = 1000
_RETRY_S = 30.0


class Outbox:
    """A queue that never fails: an outbox that does is told once, and tried again every half minute.

    Entries leave in the order in which they came. Not thread-safe.
    """

    def __init__(self, path: Path, max_events: int, *, retry_s: float = _RETRY_S) -> None:
        self._path = path
        self._max_events = max_events
        self._max_memory = min(max_events, _MEMORY_EVENTS)
        self._retry_s = retry_s
        self._outbox: OutboxFile | None = None
        self._memory: deque[OutboxEntry] = deque()
        self._sent: list[int] = []
        """Rows that were sent but that a failing disk would not let go."""
        self._head: tuple[int | None, OutboxEntry] | None = None
        """The entry given out, with its row; no row: it is in memory."""
        self._unwanted: Callable[[OutboxEntry], bool] | None = None
        """What is still to be forgotten, because it was on its way or the disk failed."""
        self._retry_at: float | None = None
        self._lost = 0
        self.waiting = 0
        """Entries that have not been sent. Other threads may read it: it changes once an operation is complete."""
        self.dropped = 0
        """Events lost because there was no room: ever on disk, since the start in memory."""

    @property
    def on_disk(self) -> bool:
        """False: what comes in now would not survive a power cut."""
        return self._retry_at is None

    @property
    def in_memory(self) -> int:
        """How many of those waiting are not on disk."""
        return len(self._memory)

    def add(self, entries: Sequence[OutboxEntry], now: float) -> None:
        """Takes entries in; all of them in one transaction."""
        self._memory.extend(entries)
        self.tick(now)
        while len(self._memory) > self._max_memory:
            self._memory.popleft()
            self._lost += 1
        self._count()

    def tick(self, now: float) -> None:
        """Moves to disk what is only in memory, once the disk may be tried again."""
        if self._retry_at is None or now >= self._retry_at:
            self._try(now)
            self._count()

    def head(self, now: float) -> OutboxEntry | None:
        """The oldest entry: the same one until `sent`."""
        if self._head is None:
            self._head = self._oldest(now)
        return self._head[1] if self._head else None

    def sent(self, now: float) -> None:
        """The head has reached the broker: forget it."""
        if self._head is None:
            return
        (row, entry), self._head = self._head, None
        if row is not None:
            self._sent.append(row)
            self.tick(now)
        elif self._memory and self._memory[0] is entry:
            self._memory.popleft()
        if self._unwanted is not None:
            self.forget(self._unwanted, now)
        self._count()

    def forget(self, unwanted: Callable[[OutboxEntry], bool], now: float) -> None:
        """Entries that must not be sent any more, nor be found in any file. The one given out goes when it is sent."""
        head = self._head[1] if self._head else None
        self._unwanted = unwanted if head is not None and unwanted(head) else None
        before = len(self._memory)
        self._memory = deque(entry for entry in self._memory if entry is head or not unwanted(entry))
        forgotten = before - len(self._memory)
        if self._outbox is not None:
            try:
                forgotten += self._outbox.forget(
                    lambda e: unwanted(e) and (head is None or e.event_id != head.event_id)
                )
            except OutboxError as error:
                self._unwanted = unwanted
                self._failed(error, now)
        if forgotten:
            _log.info("%d waiting events of somebody who left the gallery are forgotten", forgotten)
        self._count()

    def close(self) -> None:
        if self._outbox:
            self._outbox.close()

    def _try(self, now: float) -> None:
        try:
            worked = self._settle()
        except OutboxError as error:
            self._failed(error, now)
            return
        if worked and self._retry_at is not None:
            self._retry_at = None
            _log.info("mqtt.outbox.path: %s works again; events are safe on disk", self._path)

    def _count(self) -> None:
        stored = self._outbox.waiting - len(self._sent) if self._outbox else 0
        self.waiting = stored + len(self._memory)
        self.dropped = self._lost + (self._outbox.dropped if self._outbox else 0)

    def _settle(self) -> bool:
        """Whether there was anything to do, so that the disk has shown that it works."""
        worked = self._outbox is None
        if self._outbox is None:
            self._outbox = OutboxFile(self._path, self._max_events)
        if self._sent:
            self._outbox.remove(self._sent)
            self._sent, worked = [], True
        # An entry that has been given out from memory is about to leave it: writing it now could send it twice.
        if self._memory and not (self._head and self._head[0] is None):
            self._outbox.put_many(self._memory)
            self._memory.clear()
            worked = True
        return worked

    def _oldest(self, now: float) -> tuple[int | None, OutboxEntry] | None:
        for row, entry in self._stored(now):
            if row not in self._sent:
                return row, entry
        return (None, self._memory[0]) if self._memory else None

    def _stored(self, now: float) -> list[tuple[int, OutboxEntry]]:
        if self._outbox is None or self._outbox.waiting <= len(self._sent):
            return []
        try:
            return self._outbox.peek(len(self._sent) + 1)
        except OutboxError as error:
            self._failed(error, now)
            return []

    def _failed(self, error: OutboxError, now: float) -> None:
        if self._retry_at is None:
            _log.error("%s. Until then events wait in memory only.", error)
        self._retry_at = now + self._retry_s
        if error.damaged and self._outbox:
            self._outbox.close()
            self._lost += self._outbox.dropped
            self._outbox, self._sent, self._head = None, [], None
