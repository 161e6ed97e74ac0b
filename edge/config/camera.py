"""The `camera` section of config.yaml."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the picture, in fractions of its width and height, after rotation and mirroring."""

    left: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    top: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    right: Annotated[float, Meta(gt=0, le=1)] = 1.0
    bottom: Annotated[float, Meta(gt=0, le=1)] = 1.0

    def __post_init__(self) -> None:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left, top: must be less than right, bottom")


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where frames come from and how they are turned before anything looks at them."""

    source: str = "picamera2:0"
    """`picamera2:N`, `v4l2:/dev/video0` (or `v4l2:N`), `rtsp://...`, `http(s)://...`, or a path.

    A path leads to a video, a GIF, an image or a folder of images.
    """
    name: str = "camera"
    width: Annotated[int, Meta(ge=64, le=8192)] = 1280
    """What a picamera2 or V4L2 camera is asked for; a stream or file has its own size."""
    height: Annotated[int, Meta(ge=64, le=8192)] = 720
    fps: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """What a picamera2 or V4L2 camera is asked for, and the rate of a folder of images."""
    low_light_fps: Annotated[float, Meta(gt=0, le=120)] | None = None
    """To how few a picamera2 camera may slow down in the dark, so as to expose longer; None: it keeps to `fps`."""
    exposure_ev: Annotated[float, Meta(ge=-4, le=4)] = 0.0
    """By how much a picamera2 camera exposes more than it would by itself: each 1 is twice the light."""
    autofocus: bool = True
    """A picamera2 camera that can focus does so all the time; false: it stays as it is at its start."""
    preview_width: Annotated[int, Meta(ge=128, le=1920)] = 640
    """Width of the picture in which motion and faces are looked for."""
    rotation: Literal[0, 90, 180, 270] = 0
    """Clockwise degrees."""
    mirror: bool = False
    region: Region = Region()
    open_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 10.0
    read_timeout_s: Annotated[float, Meta(gt=0, le=120)] = 5.0
    """A camera that delivers nothing for so long is reported offline and opened again."""
    reopen_min_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    reopen_max_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    username: str | None = None
    """For RTSP and HTTP sources; kept out of the address so that it appears in no log."""
    password_file: str | None = None
    """File that holds the password alone; `$CREDENTIALS_DIRECTORY/...` is understood."""
    realtime: bool = True
    """Recordings only: keep the recording's pace (true) or go as fast as possible without losing a frame (false)."""
    loop: bool = False
    """Recordings only: begin again at the end."""


def is_recording(source: str) -> bool:
    """Whether a `camera.source` is a file or folder: failing to read one is final, while a camera may come back."""
    path = Path(source).expanduser()
    try:
        return (
            bool(source)
            and "://" not in source
            and not path.is_char_device()
            and (path.exists() or not scheme_of(source))
        )
    except PermissionError:
        # Python 3.11 raises where later versions say that it does not exist; opening it tells what is wrong.
        return True


def scheme_of(source: str) -> str:
    """The word before the first colon, as in `v4l2:0`; empty when the source does not begin with `word:`."""
    found = re.match(r"([A-Za-z][\w+.-]*):", source)
    return found[1] if found else ""
