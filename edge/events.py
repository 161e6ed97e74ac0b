"""What happens in a visit, as its subscribers hear of it. Immutable."""

from dataclasses import dataclass
from enum import StrEnum

from edge.records import Box, Image, Match, Problem, Quality


class EventKind(StrEnum):
    """`event_type` of the visit topic."""

    STARTED = "started"
    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"
    NO_USABLE_FACE = "no_usable_face"
    SPOOF = "spoof"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """Something that happened in a visit. Times are monotonic seconds."""

    kind: EventKind
    visit_id: str
    sequence: int
    """0, 1, 2... within the visit."""
    at: float
    """`captured_at` of the frame that caused it."""
    started_at: float
    latency_s: float
    """From the first frame that showed the face to this event being ready."""
    provisional: bool = False
    """A decision that the final one may still correct."""
    corrects: int | None = None
    """The `sequence` of the visit's `unknown` or `uncertain` that this name replaces."""
    match: Match | None = None
    """Set for a decision, and for `ended` when there was one."""
    quality: Quality | None = None
    box: Box | None = None
    usable_faces: int = 0
    """How many usable faces the decision rests on."""
    problem: Problem | None = None
    """Set for `no_usable_face`: the most frequent problem."""
    picture: Image | None = None
    """The visit's best frame so far, when pictures are wanted."""
    picture_box: Box | None = None
    """Where the visitor's face is in it."""
