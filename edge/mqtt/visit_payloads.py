"""The payload of a visit's event: made from the event, and what an encoded one says. Part of the contract."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edge.events import ChallengeResult, Event, EventKind, StrangerVisits
from edge.mqtt.payloads import SCHEMA_VERSION, Count, Fraction, Similarity, Time, rfc3339
from edge.records import Box, Candidate, Outcome, Problem

_ODD_ID = re.compile(rb'"(?:person_)?id"\s*:\s*"([a-z0-9_-]{1,64})"')


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """The box that an event comes from, and what decided it. Replaced as a whole after a reload."""

    device_id: str
    camera: str
    model: str
    """The embedder's name."""
    gallery_version: str


class CandidatePayload(msgspec.Struct, frozen=True):
    """A person who may be the visitor."""

    id: str
    name: str
    similarity: Similarity


class StrangerPayload(msgspec.Struct, frozen=True):
    """An unknown visitor who has a number, which tells their visits from those of others."""

    id: Annotated[str, Meta(pattern=r"^stranger-[1-9][0-9]*(?!\n)$", description="Never used for anybody else")]
    times: Annotated[int, Meta(ge=1, description="How often they have come, this visit included")]
    first_seen: Annotated[Time, Meta(description="When their first visit began")]
    last_seen: Annotated[Time | None, Meta(description="When the visit before this one began; null on the first")]


class VisitPayload(msgspec.Struct, frozen=True):
    """One event of a visit, on `visit` (or `visit/late`)."""

    event_type: EventKind
    event_id: Annotated[str, Meta(description="<visit_id>/<sequence>; an event that arrives twice has the same one")]
    visit_id: str
    sequence: Annotated[int, Meta(ge=0, description="Counts the events of the visit from 0")]
    device_id: str
    camera: str
    person_id: Annotated[str | None, Meta(description="null unless recognized")]
    person_name: Annotated[str | None, Meta(description="null unless recognized")]
    candidates: Annotated[
        tuple[CandidatePayload, ...],
        Meta(description="Whom an uncertain visitor may be: one person, or two too close to tell apart"),
    ]
    similarity: Annotated[Similarity | None, Meta(description="To the most similar person in the gallery")]
    threshold: Annotated[Similarity | None, Meta(description="The similarity that was needed for a name")]
    margin: Annotated[float | None, Meta(description="Lead of the most similar person over the second")]
    false_match_rate: Annotated[
        Fraction | None, Meta(description="How often a stranger is this similar to somebody in the gallery")
    ]
    provisional: Annotated[bool, Meta(description="An early decision that the final one may correct")]
    usable_faces: Annotated[int, Meta(ge=0, description="How many faces the decision is based on")]
    quality: Annotated[Fraction | None, Meta(description="Quality of the visit's best face")]
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
        Meta(description="It happened before the current connection to the broker, and may have been published before"),
    ] = False
    clock_set: Annotated[bool, Meta(description="false: the clock was not set yet, so times are meaningless")] = True
    corrects: Annotated[
        str | None,
        Meta(description="The event_id of this visit's unknown or uncertain that the name replaces; null otherwise"),
    ] = None
    stranger: Annotated[
        StrangerPayload | None,
        Meta(description="Which stranger, on unknown and ended, if strangers are grouped; null otherwise"),
    ] = None
    liveness: Annotated[
        Fraction | None,
        Meta(description="Advice: 0 is a print or a screen, 1 a living person; null: off, or nothing was measured"),
    ] = None
    spoof: Annotated[
        bool | None, Meta(description="Advice: whether liveness is so low that it looks like a print or a screen")
    ] = None
    challenge: Annotated[
        ChallengeResult | None, Meta(description="How the visit's last challenge ended; null: none, or not over")
    ] = None
    schema_version: Literal[1] = SCHEMA_VERSION


class _NamedCandidate(msgspec.Struct):
    id: str


class _Named(msgspec.Struct):
    """What `names_any` needs of a visit payload."""

    person_id: str | None
    candidates: tuple[_NamedCandidate, ...]
    schema_version: Literal[1]


def names_any(payload: bytes, people: Collection[str]) -> bool:
    """Whether an encoded visit payload names one of these person ids.

    One from another version of whosthere, or garbled, counts as naming everybody whose id occurs in it.
    """
    try:
        visit = msgspec.json.decode(payload, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return any(person.encode() in payload for person in people)
    return visit.person_id in people or any(candidate.id in people for candidate in visit.candidates)


def names_others(payload: bytes, people: Collection[str]) -> bool:
    """Whether an encoded visit payload names anybody except these person ids.

    One from another version of whosthere, or garbled, names every id that it has under `person_id` or `id`.
    """
    try:
        visit = msgspec.json.decode(payload, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return any(found.decode() not in people for found in _ODD_ID.findall(payload))
    named = {candidate.id for candidate in visit.candidates} | ({visit.person_id} if visit.person_id else set())
    return not named <= set(people)


def visit_payload(event: Event, *, wall_offset: float, origin: EventOrigin, clock_set: bool = True) -> VisitPayload:
    """The payload of `event`. Adding `wall_offset` to the event's times gives seconds since the epoch."""
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
        candidates=tuple(candidate_payload(candidate) for candidate in match.contenders) if match else (),
        similarity=rounded_similarity(best.similarity) if best else None,
        threshold=rounded_similarity(match.threshold) if match else None,
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
        liveness=round(event.liveness.living, 3) if event.liveness else None,
        spoof=event.liveness.spoof if event.liveness else None,
        challenge=event.challenge,
        corrects=None if event.corrects is None else f"{event.visit_id}/{event.corrects}",
        stranger=_stranger(event.stranger) if event.stranger and match and match.outcome is Outcome.UNKNOWN else None,
    )


def event_id(event: Event) -> str:
    """The id by which subscribers recognise an event that arrives twice."""
    return f"{event.visit_id}/{event.sequence}"


def marked(payload: bytes, **marks: bool) -> bytes:
    """An encoded visit payload, of this version or an older one, with `late` or `delayed` set.

    One that a failing card has garbled is returned unchanged: it must not hold up the events behind it.
    """
    try:
        document = msgspec.json.decode(payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload
    return msgspec.json.encode(document | marks)


def _stranger(visits: StrangerVisits) -> StrangerPayload:
    last = None if visits.last_seen is None else rfc3339(visits.last_seen)
    return StrangerPayload(visits.id, visits.times, rfc3339(visits.first_seen), last)


def candidate_payload(candidate: Candidate) -> CandidatePayload:
    """A person and their similarity, rounded."""
    return CandidatePayload(candidate.person_id, candidate.name, rounded_similarity(candidate.similarity))


def rounded_similarity(value: float) -> float:
    """Limited to -1..1: products of float32 unit vectors can be slightly larger."""
    return round(min(max(value, -1.0), 1.0), 4)


def _given(value: float | None, change: Callable[[float], float]) -> float | None:
    return None if value is None else change(value)


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _rounded(box: Box) -> tuple[int, int, int, int]:
    return round(box.left), round(box.top), round(box.width), round(box.height)
