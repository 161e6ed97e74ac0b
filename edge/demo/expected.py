"""Who is in the demo's clip: what the demo and the tests compare the daemon's reports with."""

import math
from pathlib import Path

import msgspec
from msgspec.structs import replace

from edge.errors import UsageError


class ExpectedVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person at the door, once."""

    shown: str
    """Who it really is."""
    person_id: str | None
    """The id in the gallery; None: the gallery does not know them, so `unknown` is the right answer."""
    person_name: str | None
    from_s: float
    """Seconds of the clip at which the person comes into view..."""
    to_s: float
    """...and has left it."""

    def at_any_time(self) -> "ExpectedVisit":
        """The same for a clip that is read faster than it plays, so that only the order of visits means anything."""
        return replace(self, from_s=0.0, to_s=math.inf)


class ClipScript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`clip.json`."""

    clip: str
    """File name of the video, in the same folder."""
    fps: float
    frames: int
    width: int
    height: int
    visits: list[ExpectedVisit]
    """In the order in which they come."""


def read_script(path: Path) -> ClipScript:
    """The script of a clip. Raises UsageError when it cannot be read or is not one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ClipScript)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {error.strerror}; it is part of whosthere: install whosthere again"
        ) from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: not the script of a clip: {error}; install whosthere again") from error
