"""The seam between the loop and whatever delivers frames."""

from typing import Protocol

from edge.records import Frame


class EndOfRecording(Exception):
    """A recording that does not loop has been read to its end."""


class Camera(Protocol):
    """Something that delivers frames, opened by its constructor."""

    live: bool
    """True: frames are lost when nobody takes them. False: a recording read without losing a frame."""

    def read(self) -> Frame:
        """The next frame; blocks until there is one.

        Raises CameraError when none came within the read time-out or the device failed, and
        EndOfRecording. After either the camera is of no more use: close it and open another.
        """
        ...

    def close(self) -> None:
        """Give the device back. May be called twice."""
        ...
