"""What a phone shows about an event: short, in plain words, and safe whatever names hold."""

from dataclasses import dataclass

from edge.events import Event, EventKind, StrangerVisits
from edge.mqtt.home_assistant.entity import display_name
from edge.records import Problem
from edge.terminal import safe

NAME_LENGTH = 60
_DAY_S = 86400.0
_PROBLEMS = {
    Problem.TOO_SMALL: "too far away",
    Problem.TOO_BLURRED: "too blurred",
    Problem.TOO_DARK: "too dark",
    Problem.TOO_BRIGHT: "too bright",
    Problem.TURNED_AWAY: "turned away",
    Problem.CUT_OFF: "cut off at the edge of the picture",
    Problem.NOT_A_FACE: "covered",
}


@dataclass(frozen=True, slots=True)
class Words:
    """The text of a notice. Without control characters, and bounded."""

    who: str
    now: str
    """What follows `who` in a notice that is sent at once: "is at the door"."""
    past: str
    """What follows it later, before how long ago that was: "was at the door"."""
    detail: str
    """More about it, or empty."""

    def title(self, age_s: float) -> str:
        """The title, this many seconds after the event."""
        return f"{self.who} {self.now}" if age_s < FRESH_S else f"{self.who} {self.past} {ago(age_s)}"


FRESH_S = 20.0
"""An event this long ago is past: its notice says so, and is marked `delayed`."""
RING = Words("Somebody", "is ringing", "rang", "")
TEST = Words("whosthere", "can reach you", "tried to reach you", "This is a test. Nobody is at the door.")


def visit_words(event: Event) -> Words:
    """The text about a decision."""
    names = [_short(candidate.name) for candidate in event.match.contenders] if event.match else []
    person = event.match.person if event.match else None
    if event.kind is EventKind.RECOGNIZED and person is not None:
        earlier = "" if event.corrects is None else "A moment ago this visitor was reported without a name."
        return _at_the_door(_short(person.name), earlier)
    if event.kind is EventKind.UNCERTAIN:
        return _at_the_door(" or ".join(names) or "Somebody", "It is not certain who it is.")
    if event.kind is EventKind.NO_USABLE_FACE:
        why = f": {_PROBLEMS[event.problem]}" if event.problem else ""
        return _at_the_door("Somebody", f"No face could be recognised{why}.")
    return _at_the_door("An unknown visitor", _earlier_visits(event.stranger))


def place_words(device_id: str) -> str:
    """The name of the box as people would write it: `Front door`."""
    return _short(display_name(device_id))


def ago(seconds: float) -> str:
    """`5 minutes ago`, rounded down."""
    for length_s, unit in ((_DAY_S, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= length_s:
            return _times(int(seconds // length_s), unit)
    return _times(max(int(seconds), 1), "second")


def _times(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'} ago"


def _at_the_door(who: str, detail: str) -> Words:
    return Words(who, "is at the door", "was at the door", detail)


def _earlier_visits(stranger: StrangerVisits | None) -> str:
    if stranger is None or stranger.times < 2 or stranger.last_seen is None:
        return ""
    return f"{stranger.id}, visit {stranger.times}; the last was {ago(max(stranger.seen - stranger.last_seen, 0.0))}."


def _short(name: str) -> str:
    """A name in one line, without characters that a phone would obey, and not split within one that has several."""
    text = safe(name).strip()
    cut = text if len(text) <= NAME_LENGTH else text[: NAME_LENGTH - 1].rstrip("\u200c\u200d\\ ") + "…"
    return cut or "?"
