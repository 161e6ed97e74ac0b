"""An event on its way to the outbox: queued for the publisher's thread, how old it is, and what is stored.

The age of an event never depends on the wall clock. A box without a battery-backed clock comes back from a power cut
with the time at which it went down, and a clock set over the network may jump either way: by wall-clock time, an event
of hours ago can look fresh and open a door. Events therefore carry the time since boot, and which boot that was.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec

from edge.events import Event, EventKind
from edge.mqtt.visit_payloads import EventOrigin, event_id, names_any, visit_payload


@dataclass(frozen=True, slots=True)
class BootTime:
    """A moment of one boot of this machine."""

    boot: str
    seconds: float
    """Since that boot, suspension included."""

    def earlier(self, by_s: float) -> "BootTime":
        return BootTime(self.boot, self.seconds - by_s)

    def age_s(self, now: "BootTime") -> float | None:
        """Seconds from this moment to `now`; None when the machine has been booted in between."""
        return now.seconds - self.seconds if now.boot == self.boot else None


def boot_clock() -> Callable[[], BootTime]:
    """A clock of boot time. Where the system names no boot (not Linux), every process counts as one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        clock = time.CLOCK_BOOTTIME
    except (OSError, AttributeError):
        boot, clock = uuid.uuid4().hex, time.CLOCK_MONOTONIC
    return lambda: BootTime(boot, time.clock_gettime(clock))


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that waits for the broker."""

    event_id: str
    at: BootTime
    """When the frame that caused it was taken."""
    payload: bytes


@dataclass(frozen=True, slots=True, eq=False)
class QueuedEvent:
    """An event, and everything about the moment of its publication that its payload and age depend on."""

    event: Event
    wall_offset: float
    """Seconds from the clock of `Event.at` to the epoch."""
    at: BootTime
    """`Event.at` as boot time."""
    origin: EventOrigin
    clock_set: bool

    def payload(self) -> bytes:
        """The encoded VisitPayload."""
        visit = visit_payload(self.event, wall_offset=self.wall_offset, origin=self.origin, clock_set=self.clock_set)
        return msgspec.json.encode(visit)


class RemovedPeople:
    """The people who have left the gallery since the start: nothing that names them is published any more."""

    def __init__(self) -> None:
        self._gone: set[str] = set()

    def update(self, people: Sequence[tuple[str, str]], left: set[str]) -> None:
        """`people` is the current gallery, as (id, name); `left` are those who are no longer in it."""
        self._gone = (self._gone | left) - {person for person, _ in people}

    def named_in(self, queued: QueuedEvent) -> bool:
        return bool(self._gone) and names_any(queued.payload(), self._gone)

    def entry(self, queued: QueuedEvent) -> OutboxEntry | None:
        """The outbox entry of an event; None: it must not be published.

        A visit that was open when its visitor left the gallery ends as nobody's.
        """
        event, payload = queued.event, queued.payload()
        if self.named_in(queued):
            if event.kind is not EventKind.ENDED:
                return None
            payload = replace(queued, event=replace(event, match=None)).payload()
        return OutboxEntry(event_id(event), queued.at, payload)


Action = Callable[[], object]
"""Something to do on the publisher's thread."""


class Inbox:
    """What other threads hand to the publisher's, in order. Putting something in never blocks."""

    LIMIT = 256

    def __init__(self) -> None:
        self._items: SimpleQueue[QueuedEvent | Action] = SimpleQueue()
        self.dropped = 0
        """Events that were refused."""

    @property
    def has_room(self) -> bool:
        return self._items.qsize() < self.LIMIT

    def put(self, action: Action) -> None:
        self._items.put(action)

    def offer(self, event: QueuedEvent) -> None:
        """Refused, and counted, while the publisher is so stuck that 256 items wait."""
        if self.has_room:
            self._items.put(event)
        else:
            self.dropped += 1

    def take(self, timeout_s: float) -> list[QueuedEvent | Action]:
        """Everything that waits; a first item is waited for this long."""
        items: list[QueuedEvent | Action] = []
        try:
            items.append(self._items.get(timeout=timeout_s))
            while len(items) < self.LIMIT:
                items.append(self._items.get_nowait())
        except Empty:
            pass
        return items
