"""Faces of single frames after tracking, and what they tell of living people and of pictures. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.records import Box, Landmarks, Match, Pose, Quality, Vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SurroundingsFit:
    """What is around a face that has moved, compared with a moment before; correlations, -1..1."""

    stays: float
    """With what is at the same place of the picture now."""
    follows: float
    """With what is around the face now."""


@dataclass(frozen=True, slots=True, eq=False)
class LivenessLook:
    """What one look at a face tells about a living person, a print or a screen. None: not measured in this look."""

    at: float
    """Monotonic seconds."""
    mesh: NDArray[np.float32]
    """(468, 3) px."""
    pose: Pose
    eyes_open: float
    """Height by width of the eyes."""
    surroundings: SurroundingsFit | None = None
    border: int | None = None
    """On how many sides of the face a straight edge lies, 0..4."""
    glow: bool | None = None
    """Whether face and background are bright, and the dark begins around both."""
    moire: float | None = None
    """How far the spectrum's highest peak stands out, in decades."""
    network: float | None = None
    """The owner's own network: how sure it is of a living person, 0..1."""


SPOOF_BELOW = 0.3
"""A liveness score below this is called a spoof. Half a cue against, with nothing in favour, is just enough."""


@dataclass(frozen=True, slots=True)
class LivenessScore:
    """What a visit's cues of prints and screens say."""

    living: float
    """0..1. 0.5: nothing speaks for or against. Not a probability."""
    cues: Mapping[str, float]
    """Each cue that could be measured: -1 is a print or a screen, 1 is a living person."""

    @property
    def spoof(self) -> bool:
        """Whether to advise that it is a print or a screen."""
        return self.living < SPOOF_BELOW


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face of one frame, after tracking."""

    track_id: int
    at: float
    """Monotonic seconds: the frame's `captured_at`."""
    box: Box
    """In pixels of `Frame.image`."""
    since: float
    """`captured_at` of the first frame that showed this track."""
    quality: Quality | None = None
    """None: not analysed in this frame."""
    embedding: Vector | None = None
    """None: not embedded in this frame."""
    landmarks: Landmarks | None = None
    """None: not analysed in this frame."""
    liveness: LivenessLook | None = None
    """None: not analysed in this frame, or `liveness` is off."""

    @property
    def infrared(self) -> bool:
        """Whether the face was analysed and seen in infrared light."""
        return self.quality is not None and self.quality.infrared


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A tracked face in a frame, for drawing."""

    box: Box
    visit_id: str | None
    match: Match | None
    """The visit's decision so far."""
    quality: Quality | None
    """None: not analysed in this frame."""
