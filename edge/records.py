"""The nouns that travel through the loop. They are immutable, and their arrays are read-only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    """(height, width, 3), BGR as OpenCV delivers it."""

    Vector = NDArray[np.float32]
    """(d,), of length one."""
else:
    from edge import lazy_numpy as np

    Image = Vector = Any


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only, without a copy, and return it."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels; x to the right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area_px(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def short_side(self) -> float:
        return min(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap_px(self, other: Box) -> float:
        """Area of the intersection, in square pixels."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        shared = self.overlap_px(other)
        union = self.area_px + other.area_px - shared
        return shared / union if union > 0 else 0.0

    def scaled(self, factor: float) -> Box:
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)

    def moved(self, dx: float, dy: float) -> Box:
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detection."""

    box: Box
    score: float
    """The detector's confidence, 0..1."""
    keypoints: NDArray[np.float32]
    """(6, 2) px: eye on the image's left, eye on its right, nose, mouth, the two tragions."""

    def moved(self, dx: float, dy: float) -> Face:
        return Face(self.box.moved(dx, dy), self.score, self.keypoints + np.array([dx, dy], np.float32))

    def scaled(self, factor: float) -> Face:
        return Face(self.box.scaled(factor), self.score, self.keypoints * np.float32(factor))


@dataclass(frozen=True, slots=True)
class Pose:
    """Which way a head is turned, in degrees; 0, 0, 0 looks into the camera."""

    yaw: float
    """Positive: towards the image's right."""
    pitch: float
    """Positive: down."""
    roll: float
    """Positive: clockwise in the image."""

    @property
    def off_axis(self) -> float:
        """Angle between the gaze and the camera, whatever the direction."""
        return math.degrees(math.acos(math.cos(math.radians(self.yaw)) * math.cos(math.radians(self.pitch))))


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The face mesh of one face."""

    mesh: NDArray[np.float32]
    """(468, 3) px; z has the scale of x and y, negative towards the camera."""
    five: NDArray[np.float32]
    """(5, 2) px: eye on the image's left, eye on its right, nose, mouth corners left and right."""
    presence: float
    """How sure the model is that a face is there, 0..1."""
    pose: Pose


class Problem(StrEnum):
    """Why a face cannot be used for recognition."""

    TOO_SMALL = "too_small"
    TOO_BLURRED = "too_blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TURNED_AWAY = "turned_away"
    CUT_OFF = "cut_off"
    NOT_A_FACE = "not_a_face"


@dataclass(frozen=True, slots=True)
class Quality:
    """How far a face can be trusted."""

    score: float
    """0..1, the weight of this face's embedding in a visit."""
    eye_distance_px: float
    sharpness: float
    """Variance of the Laplacian of the aligned crop's luma."""
    brightness: float
    """Mean luma of the aligned crop, 0..255."""
    pose: Pose
    presence: float
    problem: Problem | None
    """None: usable."""
    infrared: bool = False
    """Whether the face was seen without colours, as under infrared light."""

    @property
    def usable(self) -> bool:
        return self.problem is None

    def measured(self, problem: Problem) -> float | None:
        """The value that a problem is about, in its own unit; None: it is not about one value."""
        values = {
            Problem.TOO_SMALL: self.eye_distance_px,
            Problem.TOO_BLURRED: self.sharpness,
            Problem.TOO_DARK: self.brightness,
            Problem.TOO_BRIGHT: self.brightness,
            Problem.TURNED_AWAY: self.pose.off_axis,
            Problem.NOT_A_FACE: self.presence,
        }
        return values.get(problem)


@dataclass(frozen=True, slots=True, eq=False)
class SeenFaces:
    """Embeddings, and in which light each face was seen."""

    vectors: NDArray[np.float32]
    """(n, d), unit vectors."""
    infrared: NDArray[np.bool_]
    """(n,)."""

    @classmethod
    def of(cls, vector: Vector, *, infrared: bool) -> SeenFaces:
        """One face."""
        return cls(vector[None], np.array([infrared]))


class Candidate(msgspec.Struct, frozen=True):
    """A person of the gallery and how similar the probe is to them."""

    person_id: str
    name: str
    similarity: float

    def renamed(self, names: Mapping[str, str]) -> Candidate:
        """The same person under the name that `names` has for their id, if it has one."""
        return structs.replace(self, name=names.get(self.person_id, self.name))


class Outcome(StrEnum):
    """The possible results of open-set matching."""

    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"


class Doubt(StrEnum):
    """Why a match is no name although it may be similar enough."""

    MARGIN = "margin"
    """The second person is too close."""
    TAKEN = "taken"
    """Another face in the same picture has that name."""
    GROUPS = "groups"
    """The visit's faces fall into groups that name different people."""
    FEW_FACES = "few_faces"
    """A name needs more usable faces."""
    REJECTED = "rejected"
    """The owner said of a visit like this one that it was not the nearest person."""


class Match(msgspec.Struct, frozen=True):
    """The answer of a gallery to a probe."""

    outcome: Outcome
    best: Candidate | None
    """The most similar person, whatever the outcome; None when the gallery is empty."""
    runner_up: Candidate | None
    threshold: float
    """The cosine similarity that a name needs."""
    false_match_rate: float | None
    """How often a stranger is as similar to some template of the gallery as this probe; None: not calibrated."""
    doubt: Doubt | None = None
    """Set when it is uncertain, and when it is unknown because the nearest person's name is taken or rejected."""

    def renamed(self, names: Mapping[str, str]) -> Match:
        """The same answer with the names that people have now, by id."""
        best, runner_up = self.best, self.runner_up
        return structs.replace(
            self, best=best and best.renamed(names), runner_up=runner_up and runner_up.renamed(names)
        )

    @property
    def person(self) -> Candidate | None:
        """Who it is; None unless recognized."""
        return self.best if self.outcome is Outcome.RECOGNIZED else None

    @property
    def contenders(self) -> tuple[Candidate, ...]:
        """Whom an uncertain visitor may be: the most similar person, and the second unless out of the question.

        Where too few faces were seen for a clear name, or the name is somebody else's in the same picture, the second
        person has nothing to do with the doubt, unless over the threshold as well. Empty unless uncertain.
        """
        if self.outcome is not Outcome.UNCERTAIN:
            return ()
        both = tuple(candidate for candidate in (self.best, self.runner_up) if candidate)
        if self.doubt is Doubt.FEW_FACES:
            return both[:1]
        if self.doubt is Doubt.TAKEN and self.runner_up and self.runner_up.similarity < self.threshold:
            return both[:1]
        return both

    @property
    def margin(self) -> float | None:
        """How much more similar the first person is than the second; None with fewer than two people."""
        if self.best is None or self.runner_up is None:
            return None
        return self.best.similarity - self.runner_up.similarity


def direction(total: Vector) -> Vector:
    """The unit vector of the same direction, read-only."""
    return read_only((total / math.sqrt(float(total @ total))).astype("float32"))
