"""What a script consists of: scenes, the people in them, and where each of them is when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FPS = 10.0
WIDTH, HEIGHT = 640, 480
LEAD_S = 0.5
"""Empty porch before the first face."""
TAIL_S = 1.5
"""Empty porch after the last one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an actor's appearance; times are seconds from the scene's beginning."""

    start_s: float
    end_s: float
    photo: Path
    scale: tuple[float, float]
    """Size against LFW's (eyes 42 px apart) at start and end."""
    x: tuple[float, float]
    """Where the middle of the face is, as a fraction of the frame's width, at start and end."""
    treatment: str = "plain"
    """A key of `painting.TREATMENTS`."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One visitor. `known`: enrolled in the scene's gallery."""

    person: str
    known: bool
    parts: tuple[Part, ...]
    pictured: bool = False
    """Not the person but a picture of them, held up to the camera."""


@dataclass(frozen=True, slots=True)
class VisitScene:
    """A few seconds in front of the door."""

    kind: str
    number: int
    actors: tuple[Actor, ...]
    enrolled: Mapping[str, Sequence[Path]]
    """Person -> the photos of their templates; never one that is shown."""
    cuts: tuple[float, ...] = ()
    """When the whole picture changes from one frame to the next, as in a film."""

    @property
    def seconds(self) -> float:
        return max(part.end_s for actor in self.actors for part in actor.parts) + TAIL_S
