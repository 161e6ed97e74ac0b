"""The `camera` section of config.yaml."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.bare_address import address_meant

Fingerprint = Annotated[
    str,
    Meta(
        pattern=r"^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}\Z|^[0-9A-Fa-f]{64}\Z",
        description="a SHA-256 fingerprint in quotes: 64 hexadecimal digits, with a colon after every two or without",
    ),
]


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the picture, as fractions of its width and height after rotation and mirroring."""

    left: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    top: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    right: Annotated[float, Meta(gt=0, le=1)] = 1.0
    bottom: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left, top: must be less than right, bottom")


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames come from, and how they are rotated, mirrored and cropped first."""

    source: str = "picamera2:0"
    """A form that one of the kinds in edge/capture takes, such as `picamera2:0`, or the path of a recording."""
    name: str = "camera"
    width: Annotated[int, Meta(ge=64, le=8192)] = 1280
    """Requested from a picamera2 or V4L2 camera; streams and files have their own size."""
    height: Annotated[int, Meta(ge=64, le=8192)] = 720
    fps: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Requested from a picamera2 or V4L2 camera; the rate of a folder of images or a snapshot address."""
    low_light_fps: Annotated[float, Meta(gt=0, le=120)] | None = None
    """The rate to which a picamera2 camera may slow down in the dark, to expose longer; None: it keeps to `fps`."""
    exposure_ev: Annotated[float, Meta(ge=-4, le=4)] = 0.0
    """Exposure compensation of a picamera2 camera: each 1 is twice the light."""
    autofocus: bool = True
    """Whether a picamera2 camera that can focus does so continuously; false: it keeps the focus it starts with."""
    preview_width: Annotated[int, Meta(ge=128, le=1920)] = 640
    """Width of the picture that is searched for motion and faces."""
    rotation: Literal[0, 90, 180, 270] = 0
    """Clockwise degrees."""
    mirror: bool = False
    region: Region = Region()
    open_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    read_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 5.0
    """A camera that delivers no frame for this long is reported offline and reopened."""
    reopen_min_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    reopen_max_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    username: str | None = None
    """For network cameras; separate from the address so that it appears in no log."""
    password_file: str | None = None
    """A file that holds nothing but the password; may begin with `$CREDENTIALS_DIRECTORY/`."""
    certificate_sha256: Fingerprint | None = None
    """For cameras over https and rtsps: the certificate that they must have. None: any certificate is accepted."""
    realtime: bool = True
    """Recordings only: play at the recording's pace (true), or as fast as possible without losing a frame (false)."""
    loop: bool = False
    """Recordings only: start over at the end."""


def is_recording(source: str, base: Path = Path()) -> bool:
    """Whether a `camera.source` is a file or folder: failing to read one is final, while a camera may come back.

    `base` is the folder that a relative path is relative to.
    """
    try:
        path = base / Path(source).expanduser()
        return (
            bool(source)
            and "://" not in source
            and not path.is_char_device()
            and (path.exists() or not (scheme_of(source) or address_meant(source)))
        )
    except (OSError, RuntimeError):
        # No permission, a name that is too long, no such user: opening it, or placing it, reports what is wrong.
        return True


def scheme_of(source: str) -> str:
    """The word before the first colon, as in `v4l2:0`; empty when the source does not begin with `word:`."""
    found = re.match(r"([A-Za-z][\w+.-]*):", source)
    return found[1] if found else ""
