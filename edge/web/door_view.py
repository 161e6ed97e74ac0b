"""The state of the door in words: who is here, how sure the box is, and why a face is not used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.events import ChallengeState, EventKind
from edge.link.protocol import BoxStatus, FaceInView
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.visit_payloads import VisitPayload
from edge.terminal import plural

_STATES = {
    "watching": ("watching", "good"),
    "paused": ("paused", "warn"),
    "no_camera": ("no picture from the camera", "bad"),
    "starting": ("starting", "warn"),
    "stopping": ("stopping", "warn"),
}
_CHALLENGES = {
    ChallengeState.FACE_CAMERA: "Look into the camera",
    ChallengeState.TURN_LEFT: "Turn your head to the left",
    ChallengeState.TURN_RIGHT: "Turn your head to the right",
}


@dataclass(frozen=True, slots=True)
class PresentVisitor:
    """Somebody who is at the door now."""

    visit_id: str
    name: str
    tone: str
    """The class of the badge."""
    word: str
    """How sure the box is."""
    since: str
    detail: str
    """Why the face is not used, as a sentence; empty: it is, or it is not in view."""


@dataclass(frozen=True, slots=True)
class DoorView:
    """Everything that the page says about the door."""

    state: str
    tone: str
    paused: bool
    paused_until: str
    here: list[PresentVisitor]
    passing: list[str]
    """Faces in view that belong to no visit yet, each with what is wrong with it."""
    challenge: str
    facts: str

    @classmethod
    def of(cls, status: BoxStatus, faces: Sequence[FaceInView]) -> "DoorView":
        reasons = {face.visit_id: face.reason for face in faces if face.visit_id and face.reason}
        known = {visit.visit_id for visit in status.here}
        state, tone = _STATES[status.health.state]
        until = status.controls.paused_until
        return cls(
            state=state,
            tone=tone,
            paused=status.controls.paused,
            paused_until=_clock(until) if until else "",
            here=[_visitor(visit, reasons.get(visit.visit_id)) for visit in status.here],
            passing=[_sentence(face.reason or "a face") for face in faces if face.visit_id not in known],
            challenge=_challenge(status.challenge) if status.challenge else "",
            facts=_facts(status),
        )


def _visitor(visit: VisitPayload, reason: str | None) -> PresentVisitor:
    name, tone, word = _who(visit)
    return PresentVisitor(
        visit.visit_id, name, tone, word, _clock(visit.started_at), _sentence(reason) if reason else ""
    )


def _who(visit: VisitPayload) -> tuple[str, str, str]:
    match visit.event_type:
        case EventKind.RECOGNIZED:
            name = visit.person_name or "Somebody"
            return (name, "warn", "probably") if visit.provisional else (name, "good", "recognised")
        case EventKind.UNKNOWN if visit.stranger and visit.stranger.times > 1:
            return "Somebody unknown", "", f"came {plural(visit.stranger.times, 'time')}"
        case EventKind.UNKNOWN:
            return "Somebody unknown", "", "unknown"
        case EventKind.UNCERTAIN:
            return " or ".join(one.name for one in visit.candidates) or "Somebody", "warn", "not certain"
        case EventKind.NO_USABLE_FACE:
            return "Somebody", "warn", "not seen well"
    return "Somebody", "", "looking"


def _challenge(challenge: ChallengePayload) -> str:
    return f"{_CHALLENGES[challenge.state]} ({challenge.done} of {plural(challenge.turns, 'turn')} made)"


def _facts(status: BoxStatus) -> str:
    health = status.health
    parts = [f"{plural(health.gallery.people, 'person', 'people')} known", *_rate(health.fps)]
    parts += [f"{health.temperature_c:.0f} °C"] if health.temperature_c is not None else []
    parts += [f"{plural(health.outbox.waiting, 'event')} waiting for the broker"] if health.outbox.waiting else []
    return ", ".join(parts)


def _rate(fps: float) -> list[str]:
    """How many pictures the box sees; nothing while there are none, or it has not counted yet."""
    if fps <= 0:
        return []
    if fps < 0.7:
        return [f"a picture every {plural(max(2, round(1 / fps)), 'second')}"]
    return [f"{plural(round(fps), 'picture')} a second"]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _clock(text: str) -> str:
    """The time of day of an RFC 3339 time, in the box's own zone."""
    return f"{datetime.fromisoformat(text).astimezone():%H:%M}"
