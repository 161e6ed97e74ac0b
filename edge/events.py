"""What happens in a visit, as its subscribers hear of it. Immutable."""

from dataclasses import dataclass, replace
from enum import StrEnum

from edge.records import Box, Image, Match, Problem, Quality, Vector
from edge.sightings import LivenessScore


@dataclass(frozen=True, slots=True)
class Look:
    """One analysed face of a visit."""

    at: float
    """Monotonic seconds."""
    quality: float
    """The score, 0..1."""
    problem: Problem | None
    """Why it was not used; None: it was."""
    similarity: float | None
    """To the nearest person, for this face alone; None: not embedded, or the gallery is empty."""
    fused: float | None
    """That of all faces up to here together; None: the visit was decided."""

    def with_fused(self, similarity: float) -> "Look":
        return replace(self, fused=similarity)


@dataclass(frozen=True, slots=True)
class RefusedFaces:
    """The faces of a visit that were not used for one reason."""

    problem: Problem
    count: int
    least: float | None
    """The smallest value found of what the problem is about (`Quality.measured`); None: it has no measure."""
    most: float | None

    @classmethod
    def of(cls, problem: Problem, quality: Quality) -> "RefusedFaces":
        found = quality.measured(problem)
        return cls(problem, 1, found, found)

    def merged(self, other: "RefusedFaces | None") -> "RefusedFaces":
        """These and others that were refused for the same reason."""
        if other is None:
            return self
        found = [value for value in (self.least, self.most, other.least, other.most) if value is not None]
        least, most = (min(found), max(found)) if found else (None, None)
        return RefusedFaces(self.problem, self.count + other.count, least, most)


@dataclass(frozen=True, slots=True, eq=False)
class VisitAccount:
    """How a visit came to its decisions. Its size is bounded, however long the visit lasts."""

    decisions: "tuple[Event, ...]"
    """Without pictures, in order: perhaps a provisional one, the final one, perhaps its correction."""
    looks: tuple[Look, ...]
    """Spread over the whole visit: not every face, if there were many."""
    analysed: int
    """How many faces were analysed in all."""
    usable: int
    refused: tuple[RefusedFaces, ...]
    """The most frequent reason first."""
    doubtful: int
    """How many looks turned out to show somebody else."""
    rang_at: float | None
    """When the visitor rang; None: not at all."""
    embeddings: tuple[Vector, ...]
    """The probes: all faces together and, where they fall into groups, each group. Empty without a usable face."""


@dataclass(frozen=True, slots=True, eq=False)
class GoodFace:
    """A face of a visit that is good enough to become a template."""

    picture: Image
    """Cut out, with a margin."""
    quality: float
    """The score, 0..1."""
    embedding: Vector
    value: float
    """How good it is to look at, 0..1: `best_picture`."""


@dataclass(frozen=True, slots=True)
class StrangerVisits:
    """How often a stranger has come, this visit included. Times are seconds since the epoch."""

    number: int
    times: int
    first_seen: float
    last_seen: float | None
    """When the visit before this one began; None: this is the first."""
    seen: float
    """When this visit began."""

    @property
    def id(self) -> str:
        return f"stranger-{self.number}"


class EventKind(StrEnum):
    """`event_type` of the visit topic."""

    STARTED = "started"
    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"
    NO_USABLE_FACE = "no_usable_face"
    ENDED = "ended"


class ChallengeResult(StrEnum):
    """How a challenge to turn the head ended."""

    PASSED = "passed"
    FAILED = "failed"


class ChallengeState(StrEnum):
    """What the visitor should do now, or how it ended."""

    FACE_CAMERA = "face_camera"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    PASSED = "passed"
    FAILED = "failed"


class ChallengeFailure(StrEnum):
    """Why a challenge failed."""

    TIMEOUT = "timeout"
    WRONG_WAY = "wrong_way"
    FLAT = "flat"
    GONE = "gone"
    REPLACED = "replaced"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChallengeUpdate:
    """Where a challenge stands. Times are monotonic seconds."""

    challenge_id: str
    visit_id: str
    state: ChallengeState
    reason: ChallengeFailure | None
    """Set when it failed."""
    turns: int
    """How many turns are asked for."""
    done: int
    at: float
    until: float

    @property
    def result(self) -> ChallengeResult | None:
        """None: it is not over."""
        over = self.state in (ChallengeState.PASSED, ChallengeState.FAILED)
        return ChallengeResult(self.state.value) if over else None


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
    liveness: LivenessScore | None = None
    """Advice; None: `liveness` is off, or nothing could be measured."""
    challenge: ChallengeResult | None = None
    """How the visit's last challenge ended; None: there was none, or it is not over."""
    problem: Problem | None = None
    """Set for `no_usable_face`: the most frequent problem."""
    picture: Image | None = None
    """The visit's best frame so far, when pictures are wanted."""
    picture_box: Box | None = None
    """Where the visitor's face is in it."""
    silenced: bool = False
    """A stranger whom the owner wants ignored: only `started` and `ended` are published, and no picture is kept."""
    account: VisitAccount | None = None
    """Set on `ended`."""
    probe: Vector | None = None
    """The good faces of an unknown visitor together, when strangers are grouped and there are enough."""
    good_faces: tuple[GoodFace, ...] = ()
    """The best of them, set on `ended`."""
    stranger: StrangerVisits | None = None
    """Who of those who came before, or a new number; on `unknown`, on what corrects it, and on `ended`."""
