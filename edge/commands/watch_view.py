"""What `whosthere watch` shows of each box: its state, who is there, the last visits, its health."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from edge.events import EventKind
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.payloads import CommandResult, ControlsPayload, DoorbellPayload, HealthPayload
from edge.mqtt.visit_payloads import StrangerPayload, VisitPayload
from edge.terminal import plural, safe

if TYPE_CHECKING:
    from rich.console import RenderableType

KEPT = 8
"""How many lines of each box stay on the screen."""
_KINDS: dict[str, type[msgspec.Struct]] = {
    "visit": VisitPayload,
    "visit/late": VisitPayload,
    "doorbell": DoorbellPayload,
    "challenge": ChallengePayload,
    "health": HealthPayload,
    "controls": ControlsPayload,
    "command/result": CommandResult,
}


@dataclass
class BoxView:
    """What has been heard from one box."""

    states: dict[str, str] = field(default_factory=dict)
    health: HealthPayload | None = None
    controls: ControlsPayload | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))


class Boxes:
    """All boxes of a broker. A message that breaks the contract is shown as unreadable; it never raises."""

    def __init__(self, base: str) -> None:
        self._base = base
        self.boxes: dict[str, BoxView] = {}

    def place(self, topic: str) -> tuple[str, str] | None:
        """The device, and the rest of the topic below it; None: not a topic of a box."""
        if not topic.startswith(f"{self._base}/"):
            return None
        device, _, what = topic.removeprefix(f"{self._base}/").partition("/")
        return (device, what) if what else None

    def message(self, topic: str, payload: bytes) -> str | None:
        """Apply a message. Returns a line for people, if there is anything to say."""
        place = self.place(topic)
        if place is None or not payload:
            return None
        device, what = place
        box = self.boxes.setdefault(device, BoxView())
        try:
            line = self._apply(box, what, payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            line = f"{what}: unreadable: {error}"
        line = safe(line) if line else None
        if line:
            box.lines.append(line)
        return f"{safe(device)}  {line}" if line else None

    def _apply(self, box: BoxView, what: str, payload: bytes) -> str | None:
        if what in _KINDS:
            return _line(box, what, msgspec.json.decode(payload, type=_KINDS[what]))
        if what == "snapshot":
            return f"picture of {len(payload) // 1024} KiB"
        if what.startswith("command/"):
            return None
        before, box.states[what] = box.states.get(what), payload.decode()
        return f"{what} {box.states[what]}" if before != box.states[what] and what != "last_person" else None


def _line(box: BoxView, what: str, message: msgspec.Struct) -> str | None:
    match message:
        case VisitPayload():
            late = "  (late)" if what == "visit/late" else ""
            spoof = "; looks like a print or a screen" if message.spoof else ""
            return f"{_clock(message.decided_at)}  visit {message.visit_id}: {sentence(message)}{spoof}{late}"
        case DoorbellPayload():
            return f"{_clock(message.at)}  the doorbell rings ({message.source})"
        case ChallengePayload():
            why = f" ({message.reason})" if message.reason else ""
            return f"{_clock(message.at)}  challenge: {message.state.replace('_', ' ')}{why}"
        case CommandResult():
            return f"command {message.command}: {'' if message.ok else 'refused: '}{message.message}"
        case HealthPayload():
            box.health = message
        case ControlsPayload():
            before, box.controls = box.controls, message
            if (before is not None and before.paused) != message.paused:
                until = f" until {_clock(message.paused_until)}" if message.paused_until else ""
                return f"paused{until}" if message.paused else "watching again"
    return None


def sentence(event: VisitPayload) -> str:
    """An event in a few words."""
    match event.event_type:
        case EventKind.RECOGNIZED:
            perhaps = "perhaps " if event.provisional else "after all, " if event.corrects else ""
            return f"{perhaps}{event.person_name} ({event.similarity}, needed {event.threshold})"
        case EventKind.UNKNOWN:
            return f"a stranger ({_came(event.stranger)})" if event.stranger else "a stranger"
        case EventKind.UNCERTAIN:
            names = " or ".join(candidate.name for candidate in event.candidates)
            return f"either {names}" if len(event.candidates) > 1 else f"perhaps {names}, not certain"
        case EventKind.NO_USABLE_FACE:
            return f"no usable face: {event.problem or 'none seen'}"
        case kind:
            return kind.value


def _came(stranger: StrangerPayload) -> str:
    return f"{stranger.id}, came {stranger.times} times" if stranger.times > 1 else f"{stranger.id}, new"


def document(place: tuple[str, str], payload: bytes, *, retained: bool) -> dict[str, Any]:
    """A message for a script: JSON as it is, text as text, a picture as its size."""
    device, what = place
    shown: Any
    if what == "snapshot":
        shown = {"bytes": len(payload)}
    else:
        try:
            shown = msgspec.json.decode(payload) if what in _KINDS else payload.decode()
        except (msgspec.DecodeError, UnicodeDecodeError):
            shown = payload.decode(errors="replace")
    return {"device": device, "topic": what, "retained": retained, "payload": shown}


def summary(box: BoxView) -> str:
    """The state of a box in one line."""
    here = sorted(name.removeprefix("person/") for name, state in box.states.items() if state == "ON")
    parts = [box.states.get("status", "no status yet"), f"camera {box.states.get('camera', '?')}"]
    if box.controls is not None and box.controls.paused:
        parts.append("PAUSED")
    if (health := box.health) is not None:
        parts.append(f"{health.fps:.1f} fps")
        if (frame := health.latency.get("frame")) is not None:
            parts.append(f"{frame.p95_ms:.0f} ms")
        parts += [f"{health.memory_mb:.0f} MB"]
        parts += [f"{health.temperature_c:.0f} °C"] if health.temperature_c is not None else []
        parts += [f"{health.outbox.waiting} events waiting"] if health.outbox.waiting else []
        parts.append(f"{plural(health.gallery.people, 'person', 'people')} known")
    return ", ".join(parts) + (f"; here now: {', '.join(here)}" if here else "")


def panels(boxes: Boxes) -> "RenderableType":
    """One panel per box, for a terminal. Needs rich."""
    from rich.console import Group  # noqa: PLC0415  (rich is in the demo extra)
    from rich.panel import Panel  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not boxes.boxes:
        return Text("no message yet")
    return Group(
        *(
            Panel(Text("\n".join([summary(box), "", *box.lines])), title=Text(device), title_align="left")
            for device, box in sorted(boxes.boxes.items())
        )
    )


def _clock(time: str) -> str:
    """The time of day of an RFC 3339 time."""
    return time[11:19]
