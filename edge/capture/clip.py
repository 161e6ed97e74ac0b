"""Recordings as sequences of timed pictures, read as fast as wanted."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge.bare_address import hint
from edge.capture.media_files import IMAGE_SUFFIXES, Media, media, natural
from edge.capture.photos import PhotoError, read_photo
from edge.capture.video_io import open_file, size_problem
from edge.errors import CameraError
from edge.records import Image
from edge.regular_file import open_regular
from edge.terminal import safe

SUPPORTED = (
    "a video (MP4, MKV, WebM, AVI, MPEG or another format that FFmpeg reads), an animated GIF, "
    "an image or a folder of images (JPEG, PNG, WebP, BMP, TIFF)"
)
_MISSING_PART = 0.1
"""The fraction of the stated length that may be missing: headers round and estimate. Beyond, a video is cut off."""


class Clip(Protocol):
    """A recording that is read once, from its beginning."""

    interval_s: float
    """How long a frame usually lasts."""

    def grab(self) -> float | None:
        """Step to the next frame and return its time in seconds, which only increases; None at the end.

        Raises CameraError.
        """
        ...

    def picture(self) -> Image:
        """Return the current frame. Raises CameraError."""
        ...

    def close(self) -> None: ...


class VideoClip:
    """A video or an animated GIF, with the times that its container states."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture = open_file(path)
        if not self._capture.isOpened():
            raise _error(path, f"not a readable video, or damaged at its beginning; allowed: {SUPPORTED}")
        if problem := size_problem(self._capture):
            self._capture.release()
            raise _error(path, problem)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.interval_s = 1 / fps if 0 < fps <= 1000 else 0.04
        self._time_s = -1.0
        self._frames = 0

    def grab(self) -> float | None:
        if not self._capture.grab():
            self._check_complete()
            return None
        stated = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        self._time_s = next_time(self._time_s, stated, self.interval_s)
        self._frames += 1
        return self._time_s

    def picture(self) -> Image:
        decoded, image = self._capture.retrieve()
        if not decoded:
            raise _error(self._path, f"frame {self._frames} cannot be decoded; the file is damaged")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        self._capture.release()

    def _codec(self) -> str:
        return int(self._capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1").lower()

    def _check_complete(self) -> None:
        """Raise CameraError for a video that was cut off, after it has been played as far as it goes.

        Both the count and the time must be too low: with a variable frame rate, the count is only an estimate.
        Formats that state no length (MPEG, transport streams, GIF) cannot be checked.
        """
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if self._frames == 0 and self._codec() == "av01":
            raise _error(self._path, "an AV1 video, which cannot be decoded here; convert it to H.264")
        if self._frames == 0:
            raise _error(self._path, "contains no frame that can be decoded; the file is damaged or not a video")
        enough = promised * (1 - _MISSING_PART)
        if promised > 1 and self._frames < enough and self._time_s + self.interval_s < enough * self.interval_s:
            raise _error(
                self._path,
                f"only {self._frames} of {round(promised)} frames could be read; "
                "the file is cut off or damaged, copy it again",
            )


class ImageClip:
    """Images at a fixed rate; they may differ in size."""

    def __init__(self, paths: Sequence[Path], fps: float) -> None:
        self._paths = paths
        self._next = 0
        self.interval_s = 1 / fps

    def grab(self) -> float | None:
        if self._next >= len(self._paths):
            return None
        self._next += 1
        return (self._next - 1) * self.interval_s

    def picture(self) -> Image:
        return read_image(self._paths[self._next - 1])

    def close(self) -> None:
        pass


def open_clip(path: Path, fps: float) -> Clip:
    """Open the recording at a path; `fps` is the rate of a folder of images. Raises CameraError."""
    _check_permission(path)
    if path.is_dir():
        return ImageClip(images_in(path), fps)
    if not path.is_file():
        problem = "not a file" if path.exists() else f"no such file{hint(str(path))}"
        raise _error(path, f"{problem}; allowed: {SUPPORTED}")
    if media(path) is Media.PHOTO:
        return ImageClip([path], fps)
    return VideoClip(path)


def _error(path: Path, problem: str) -> CameraError:
    return CameraError(f"{safe(str(path))}: {problem}")


def _check_permission(path: Path) -> None:
    """Raise CameraError if reading is not permitted; other problems are reported when it is opened."""
    try:
        open_regular(path).close()
    except PermissionError as error:
        raise _error(
            path, f"cannot be read: {error.strerror}; give the user that runs whosthere permission to read it"
        ) from error
    except OSError:
        pass


def images_in(folder: Path) -> list[Path]:
    """List the images in a folder in the order that people expect: `2.jpg` before `10.jpg`. Raises CameraError."""
    try:
        found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file() and media(p) is Media.PHOTO]
    except OSError as error:
        raise CameraError(f"{folder}: cannot be listed: {error.strerror}") from error
    if not found:
        raise CameraError(f"{folder}: contains no image; allowed: files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return sorted(found, key=lambda path: natural(Path(path.name)))


def read_image(path: Path) -> Image:
    """Read an image file as BGR, rotated as its EXIF data says. Raises CameraError."""
    try:
        return read_photo(path)
    except PhotoError as error:
        raise CameraError(str(error)) from error


def next_time(last: float, stated: float, interval_s: float) -> float:
    """Return the time of the frame after one at `last` (negative: it is the first), given its stated time.

    Some containers omit times, repeat them or state nonsense: then the usual interval is added to `last`.
    """
    if math.isfinite(stated) and stated >= 0 and stated > last:
        return stated
    return last + interval_s if last >= 0 else 0.0
