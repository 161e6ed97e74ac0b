"""An event on its way to the outbox: as it was handed over, how old it is, and what is stored.

The age of an event never depends on the wall clock. A box without a battery-backed clock comes back from a power cut
with the time at which it went down, and a clock set over the network may jump either way: by wall-clock time, an event
of hours ago can look fresh and open a door. Events therefore carry the time since boot, and which boot that was.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge.mqtt.payloads import EventOrigin, event_id, names_any, visit_payload
from edge.records import Event, EventKind


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
    """A clock that gives stamps.

    Where the system names no boot (not Linux) every process counts as one.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        clock = time.CLOCK_BOOTTIME
    except (OSError, AttributeError):
        boot, clock = uuid.uuid4().hex, time.CLOCK_MONOTONIC
    return lambda: BootTime(boot, time.clock_gettime(clock))


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that waits."""

    event_id: str
    stamp: BootTime
    """When the frame that caused it was taken."""
    payload: bytes


@dataclass(frozen=True, slots=True, eq=False)
class QueuedEvent:
    """An event, and all that has to be known of the moment in which it was handed over."""

    event: Event
    wall_offset: float
    """Seconds from the clock of `Event.at` to the epoch."""
    stamp: BootTime
    """Of `Event.at`."""
    origin: EventOrigin
    clock_set: bool

    def payload(self) -> bytes:
        """As it goes over the wire."""
        visit = visit_payload(self.event, wall_offset=self.wall_offset, origin=self.origin, clock_set=self.clock_set)
        return msgspec.json.encode(visit)


class RemovedPeople:
    """Who has left the gallery since the start: nothing that names them is told any more."""

    def __init__(self) -> None:
        self._gone: set[str] = set()

    def update(self, people: Sequence[tuple[str, str]], left: set[str]) -> None:
        """`people` are everybody now, as (id, name); `left` are gone from there."""
        self._gone = (self._gone | left) - {person for person, _ in people}

    def named_in(self, happened: QueuedEvent) -> bool:
        return bool(self._gone) and names_any(happened.payload(), self._gone)

    def entry(self, happened: QueuedEvent) -> OutboxEntry | None:
        """What is to be told of an event. A visit that was open when its visitor left the gallery ends as nobody's;
        None: nothing.
        """
        event, payload = happened.event, happened.payload()
        if self.named_in(happened):
            if event.kind is not EventKind.ENDED:
                return None
            payload = replace(happened, event=replace(event, match=None)).payload()
        return OutboxEntry(event_id(event), happened.stamp, payload)
