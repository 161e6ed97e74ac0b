"""What whosthere says over MQTT, version 1. The shapes here are the contract; docs/schema/ is made from them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from edge.records import Box, Candidate, Event, EventKind, Match, Outcome, Problem

SCHEMA_VERSION: Final = 1

Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        description="RFC 3339, UTC, milliseconds",
        examples=["2025-06-01T18:04:31.250Z"],
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Similarity = Annotated[float, Meta(ge=-1, le=1, description="Cosine similarity")]
Count = Annotated[int, Meta(ge=0)]
Source = Literal["button", "command"]
State = Literal["starting", "watching", "paused", "no_camera", "stopping"]


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """Who says it, and with what it was decided. Replaced as a whole after a reload."""

    device_id: str
    camera: str
    model: str
    """The embedder's name."""
    gallery_version: str


class CandidatePayload(msgspec.Struct, frozen=True):
    """Somebody whom the visitor might be."""

    id: str
    name: str
    similarity: Similarity


class VisitPayload(msgspec.Struct, frozen=True):
    """One event of a visit, on `visit` (or `visit/late`)."""

    event_type: EventKind
    event_id: Annotated[str, Meta(description="<visit_id>/<sequence>; the same one twice is the same event twice")]
    visit_id: str
    sequence: Annotated[int, Meta(ge=0, description="Counts the events of the visit from 0")]
    device_id: str
    camera: str
    person_id: Annotated[str | None, Meta(description="null unless recognized")]
    person_name: Annotated[str | None, Meta(description="null unless recognized")]
    candidates: Annotated[tuple[CandidatePayload, ...], Meta(description="The two nearest, when uncertain; else none")]
    similarity: Annotated[Similarity | None, Meta(description="To the nearest person of the gallery")]
    threshold: Annotated[Similarity | None, Meta(description="The similarity that a name needed")]
    margin: Annotated[float | None, Meta(description="How much nearer the nearest is than the second")]
    false_match_rate: Annotated[
        Fraction | None, Meta(description="How often a stranger is this similar to somebody of the gallery")
    ]
    provisional: Annotated[bool, Meta(description="An early decision that the final one may correct")]
    usable_faces: Annotated[int, Meta(ge=0, description="How many faces the decision rests on")]
    quality: Annotated[Fraction | None, Meta(description="Of the visit's best face")]
    problem: Annotated[Problem | None, Meta(description="Why no face was usable")]
    box: Annotated[tuple[int, int, int, int] | None, Meta(description="left, top, width, height in px")]
    started_at: Time
    decided_at: Annotated[Time, Meta(description="When the frame that caused the event was taken")]
    latency_ms: Annotated[Count, Meta(description="From the first frame with the face to this event")]
    gallery_version: str
    model: Annotated[str, Meta(description="The embedder")]
    late: Annotated[bool, Meta(description="Too old to act upon; only on visit/late")] = False
    delayed: Annotated[
        bool,
        Meta(description="It happened before the present connection with the broker; it may have been told already"),
    ] = False
    clock_set: Annotated[bool, Meta(description="false: the clock was not set yet, the times mean nothing")] = True
    schema_version: Literal[1] = SCHEMA_VERSION


def names_any(payload: bytes, people: Collection[str]) -> bool:
    """Whether a serialised VisitPayload names one of these person ids."""
    visit = msgspec.json.decode(payload, type=VisitPayload)
    return visit.person_id in people or any(candidate.id in people for candidate in visit.candidates)


class StageLatency(msgspec.Struct, frozen=True):
    """How long a stage takes."""

    p50_ms: float
    p95_ms: float


class OutboxHealth(msgspec.Struct, frozen=True):
    """The events that wait for the broker."""

    waiting: Count
    dropped: Annotated[Count, Meta(description="Lost because the outbox was full, ever")]
    late: Annotated[Count, Meta(description="Sent to visit/late since the start")]
    on_disk: Annotated[bool, Meta(description="false: the disk refuses them, a power cut would lose them")]


class GalleryHealth(msgspec.Struct, frozen=True):
    """The gallery in force."""

    version: str
    people: Count
    templates: Count
    on_disk: Annotated[
        str | None,
        Meta(description="Version of the file now: another one waits for `reload`; null: none readable"),
    ] = None


class SoftwareHealth(msgspec.Struct, frozen=True):
    """whosthere itself."""

    version: Annotated[str, Meta(description="Of the running daemon")]
    on_disk: Annotated[str | None, Meta(description="As installed now: another one waits for `restart`")] = None


class ModelHealth(msgspec.Struct, frozen=True):
    """The models in force."""

    embedder: str
    detector: str
    runtime: str
    edge_tpu: Annotated[list[str], Meta(description="those that run on an Edge TPU at this moment")]


class HealthPayload(msgspec.Struct, frozen=True):
    """How the box is, on `health`."""

    device_id: str
    at: Time
    uptime_s: Count
    state: State
    camera_online: bool
    fps: float
    frame_age_s: Annotated[float | None, Meta(description="Since the last frame; null: none yet, or a recording")]
    latency: Annotated[dict[str, StageLatency], Meta(description="By stage")]
    frames: Count
    frames_dropped: Count
    visits: Count
    outbox: OutboxHealth
    temperature_c: float | None
    throttled: Annotated[bool | None, Meta(description="The board slows itself down; null: cannot be told")]
    under_voltage: Annotated[bool | None, Meta(description="The board gets too little voltage; null: cannot be told")]
    memory_mb: float
    disk_free_mb: Annotated[Count | None, Meta(description="Where the outbox lies")]
    threshold: Annotated[Similarity | None, Meta(description="The similarity that a name needs now")]
    false_alarm_target: Fraction
    gallery: GalleryHealth
    model: ModelHealth
    software: SoftwareHealth
    clock_set: Annotated[bool, Meta(description="false: the box's clock is not set yet")]
    schema_version: Literal[1] = SCHEMA_VERSION


class ControlsPayload(msgspec.Struct, frozen=True):
    """What can be set from outside, as it is in force, on `controls`."""

    device_id: str
    paused: bool
    paused_until: Annotated[Time | None, Meta(description="null: not paused, or until somebody resumes")]
    false_alarm_target: Annotated[Fraction, Meta(description="How often a stranger may be called by a name")]
    false_alarm_min: Annotated[
        Fraction | None,
        Meta(description="The least that can be set; null: not calibrated, nothing can"),
    ]
    false_alarm_max: Fraction | None
    threshold: Annotated[Similarity, Meta(description="The similarity that a name needs now")]
    schema_version: Literal[1] = SCHEMA_VERSION


class DoorbellPayload(msgspec.Struct, frozen=True):
    """Somebody rang, on `doorbell`."""

    event_type: Literal["ring"]
    event_id: str
    device_id: str
    source: Annotated[Source, Meta(description="The button at the box, or command/ring")]
    visit_id: Annotated[str | None, Meta(description="The visit that it began or belongs to; null while paused")]
    at: Time
    schema_version: Literal[1] = SCHEMA_VERSION


class CommandResult(msgspec.Struct, frozen=True):
    """What became of a command, on `command/result`."""

    command: str
    ok: bool
    message: str
    correlation_id: Annotated[str | None, Meta(description="The MQTT 5 correlation data; hexadecimal unless text")]
    schema_version: Literal[1] = SCHEMA_VERSION


def rfc3339(wall: float) -> str:
    """Seconds since the epoch as the contract writes times."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def visit_payload(event: Event, *, wall_offset: float, origin: EventOrigin, clock_set: bool = True) -> VisitPayload:
    """`event` as it is published; `wall_offset` seconds turn its times into seconds since the epoch."""
    match = event.match
    best = match.best if match else None
    person = match.person if match else None
    return VisitPayload(
        event_type=event.kind,
        event_id=event_id(event),
        visit_id=event.visit_id,
        sequence=event.sequence,
        device_id=origin.device_id,
        camera=origin.camera,
        person_id=person.person_id if person else None,
        person_name=person.name if person else None,
        candidates=_candidates(match),
        similarity=_similarity(best.similarity) if best else None,
        threshold=_similarity(match.threshold) if match else None,
        margin=_given(match.margin if match else None, lambda margin: round(margin, 4)),
        false_match_rate=_given(match.false_match_rate if match else None, _two_digits),
        provisional=event.provisional,
        usable_faces=event.usable_faces,
        quality=round(min(max(event.quality.score, 0.0), 1.0), 3) if event.quality else None,
        problem=event.problem,
        box=_rounded(event.box) if event.box else None,
        started_at=rfc3339(event.started_at + wall_offset),
        decided_at=rfc3339(event.at + wall_offset),
        latency_ms=max(round(event.latency_s * 1000), 0),
        gallery_version=origin.gallery_version,
        model=origin.model,
        clock_set=clock_set,
    )


def event_id(event: Event) -> str:
    """What makes an event recognisable when it arrives twice."""
    return f"{event.visit_id}/{event.sequence}"


def marked(payload: bytes, **marks: bool) -> bytes:
    """An encoded visit payload, of this version or an older one, with `late` or `delayed` set.

    One that a failing card has garbled is passed on as it is: it must not keep the next ones from being sent.
    """
    try:
        document = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload
    return msgspec.json.encode(document | marks)


def _candidates(match: Match | None) -> tuple[CandidatePayload, ...]:
    if match is None or match.outcome is not Outcome.UNCERTAIN:
        return ()
    return tuple(_candidate(candidate) for candidate in (match.best, match.runner_up) if candidate)


def _candidate(candidate: Candidate) -> CandidatePayload:
    return CandidatePayload(candidate.person_id, candidate.name, _similarity(candidate.similarity))


def _similarity(value: float) -> float:
    """float32 unit vectors give products a little over one."""
    return round(min(max(value, -1.0), 1.0), 4)


def _given(value: float | None, change: Callable[[float], float]) -> float | None:
    return None if value is None else change(value)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _rounded(box: Box) -> tuple[int, int, int, int]:
    return round(box.left), round(box.top), round(box.width), round(box.height)
