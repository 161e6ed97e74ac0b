"""The seam between the loop and whatever delivers frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from edge.config.camera import CameraSettings
from edge.frame import Frame


class EndOfRecording(Exception):
    """A recording that does not loop has been read to its end."""


class Camera(Protocol):
    """Something that delivers frames, opened by its constructor."""

    live: bool
    """True: frames that nobody reads are lost. False: a recording from which no frame is lost."""

    def read(self) -> Frame:
        """Return the next frame; block until there is one.

        Raises CameraError when no frame came within the read time-out or the device failed, and EndOfRecording.
        After either, the camera cannot be used again: close it and open another.
        """
        ...

    def close(self) -> None:
        """Release the device. May be called twice."""
        ...


class FoundCamera(NamedTuple):
    """A camera that is plugged into this machine."""

    source: str
    """What to write into `camera.source`."""
    model: str


@dataclass(frozen=True, slots=True)
class CameraKind:
    """What the registry knows about one kind of camera. Each kind declares one, in its own file."""

    forms: str
    """Examples of its sources, for error messages: "`v4l2:/dev/video0` (or `v4l2:0`)"."""
    takes: Callable[[str], bool]
    """Whether a `camera.source` is of this kind; no device is opened to find out."""
    open: Callable[[CameraSettings], Camera]
    """Raises CameraError, and ConfigError for what waiting cannot fix."""
    discover: Callable[[], Sequence[FoundCamera]] = tuple
    """The cameras of this kind on this machine, for `whosthere setup`."""
    shown: Callable[[str], str] = str
    """The source without login, query or anything else that looks like a password."""
    notice: Callable[[CameraSettings], str] = lambda _: ""
    """A sentence about a camera that its owner should know; empty: there is nothing to say."""
    advice: Callable[[CameraSettings], str] = lambda _: ""
    """What to do about the notice, which the camera itself may be asked for; empty: nothing, or it does not answer."""
    suggest: Callable[[str], str | None] = lambda _: None
    """For a source that no kind takes: the one that was probably meant."""
    takes_login: bool = False
    """`camera.username` and `camera.password_file` apply to it."""
