"""An event as it was handed over, and what is put into the outbox of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from edge.mqtt.outbox import Entry
from edge.mqtt.payloads import Origin, event_id, names_any, visit_payload
from edge.mqtt.stamp import Stamp
from edge.records import Event, EventKind


@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """An event, and all that has to be known of the moment in which it was handed over."""

    event: Event
    wall_offset: float
    """Seconds from the clock of `Event.at` to the epoch."""
    stamp: Stamp
    """Of `Event.at`."""
    origin: Origin
    clock_set: bool

    def payload(self) -> bytes:
        """As it goes over the wire."""
        visit = visit_payload(self.event, wall_offset=self.wall_offset, origin=self.origin, clock_set=self.clock_set)
        return msgspec.json.encode(visit)


class Departed:
    """Who has left the gallery since the start: nothing that names them is told any more."""

    def __init__(self) -> None:
        self._gone: set[str] = set()

    def update(self, people: Sequence[tuple[str, str]], left: set[str]) -> None:
        """`people` are everybody now, as (id, name); `left` are gone from there."""
        self._gone = (self._gone | left) - {person for person, _ in people}

    def named_in(self, happened: Happened) -> bool:
        return bool(self._gone) and names_any(happened.payload(), self._gone)

    def entry(self, happened: Happened) -> Entry | None:
        """What is to be told of an event. A visit that was open when its visitor left the gallery ends as nobody's;
        None: nothing.
        """
        event, payload = happened.event, happened.payload()
        if self.named_in(happened):
            if event.kind is not EventKind.ENDED:
                return None
            payload = replace(happened, event=replace(event, match=None)).payload()
        return Entry(event_id(event), happened.stamp, payload)
