"""A notice: what is announced about an event, as every channel needs it."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from edge.config.mqtt import SnapshotSettings
from edge.config.notify import NoticeKind
from edge.events import Event, EventKind
from edge.mqtt.payloads import DoorbellPayload, rfc3339
from edge.mqtt.snapshot import jpeg
from edge.mqtt.visit_payloads import EventOrigin, event_id, visit_payload
from edge.notify.words import RING, TEST, Words, visit_words
from edge.records import Image, read_only

_PICTURE = SnapshotSettings(enabled=True)
"""The width and quality of pictures in notices."""
_KINDS: Mapping[EventKind, NoticeKind] = {
    EventKind.RECOGNIZED: "recognized",
    EventKind.UNKNOWN: "unknown",
    EventKind.UNCERTAIN: "uncertain",
    EventKind.NO_USABLE_FACE: "no_usable_face",
}


@dataclass(frozen=True, slots=True, eq=False)
class Notice:
    """One event to announce."""

    id: str
    """The event's; the same however often it is sent."""
    visit_id: str | None
    device_id: str
    kinds: frozenset[NoticeKind]
    """One event may be several: a correction is a name too. Empty for a test, which every rule lets pass."""
    people: Mapping[str, str]
    """Everybody whom it names: id -> name."""
    at: float
    """When it happened, in the courier's clock."""
    wall: float
    """The same in seconds since the epoch."""
    clock_set: bool
    words: Words
    payload: bytes
    """The event as in the MQTT contract, in JSON."""
    picture: bytes | None = None
    """JPEG."""

    @property
    def named(self) -> bool:
        """Whether it says who it is."""
        return "recognized" in self.kinds


@dataclass(frozen=True, slots=True)
class Moment:
    """When an event happened."""

    at: float
    """In the courier's clock."""
    wall_offset: float
    """Seconds from the clock of `Event.at` to the epoch."""
    clock_set: bool


def kinds_of(event: Event) -> frozenset[NoticeKind]:
    """What an event is worth a notice for; empty: nothing. Provisional decisions and ignored strangers never are."""
    kind = _KINDS.get(event.kind)
    if kind is None or event.provisional or event.silenced:
        return frozenset()
    found = {kind}
    if event.corrects is not None:
        found.add("correction")
    if kind == "unknown" and event.stranger is not None and event.stranger.times > 1:
        found.add("again")
    return frozenset(found)


def visit_notice(event: Event, origin: EventOrigin, moment: Moment, *, picture: bool) -> Notice:
    """The notice of a decision. Encodes a picture: not for the inference thread."""
    match = event.match
    named = [*match.contenders, *([match.person] if match.person else [])] if match else []
    payload = visit_payload(event, wall_offset=moment.wall_offset, origin=origin, clock_set=moment.clock_set)
    return Notice(
        id=event_id(event),
        visit_id=event.visit_id,
        device_id=origin.device_id,
        kinds=kinds_of(event),
        people={candidate.person_id: candidate.name for candidate in named},
        at=moment.at,
        wall=event.at + moment.wall_offset,
        clock_set=moment.clock_set,
        words=visit_words(event),
        payload=msgspec.json.encode(payload),
        picture=jpeg(event.picture, _PICTURE) if picture and event.picture is not None else None,
    )


def ring_notice(ring: DoorbellPayload, at: float, wall: float, *, clock_set: bool, picture: Image | None) -> Notice:
    """The notice of a ring, with what the camera saw then."""
    return Notice(
        id=ring.event_id,
        visit_id=ring.visit_id,
        device_id=ring.device_id,
        kinds=frozenset({"ring"}),
        people={},
        at=at,
        wall=wall,
        clock_set=clock_set,
        words=RING,
        payload=msgspec.json.encode(ring),
        picture=None if picture is None else jpeg(picture, _PICTURE),
    )


def trial_notice(device_id: str, notice_id: str, at: float, wall: float, picture: bytes | None) -> Notice:
    """A message that says that it is one."""
    document = {"event_type": "test", "event_id": notice_id, "device_id": device_id, "at": rfc3339(wall)}
    return Notice(
        id=notice_id,
        visit_id=None,
        device_id=device_id,
        kinds=frozenset(),
        people={},
        at=at,
        wall=wall,
        clock_set=True,
        words=TEST,
        payload=msgspec.json.encode(document),
        picture=picture,
    )


def trial_picture() -> bytes:
    """A grey JPEG, to see whether pictures arrive."""
    return jpeg(read_only(np.full((240, 320, 3), 128, np.uint8)), _PICTURE)
