"""Recordings as a sequence of pictures with a time each, at nobody's pace."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge.capture.ffmpeg import open_capture
from edge.capture.photos import IMAGE_SUFFIXES, PhotoError, natural, read_photo
from edge.errors import CameraError
from edge.records import Image

SUPPORTED = (
    "a video (MP4, MKV, WebM, AVI, MPEG and whatever else FFmpeg reads), an animated GIF, "
    "an image or a folder of images (JPEG, PNG, WebP, BMP, TIFF)"
)
_MISSING_PART = 0.1
"""Part of the promised length that may be missing before a video counts as cut off: headers round and estimate."""


class Clip(Protocol):
    """A recording being read once, from its beginning."""

    interval_s: float
    """How long a frame usually lasts."""

    def grab(self) -> float | None:
        """Step to the next frame: its time in seconds, which only increases; None at the end. Raises CameraError."""
        ...

    def picture(self) -> Image:
        """The frame stepped to. Raises CameraError."""
        ...

    def close(self) -> None: ...


class VideoClip:
    """A video or an animated GIF, at the times that its container states."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture = open_capture(str(path.resolve()))
        if not self._capture.isOpened():
            raise CameraError(f"{path}: not a video that can be read, or damaged at its start; expected {SUPPORTED}")
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
            raise CameraError(f"{self._path}: frame {self._frames} cannot be decoded; the file is damaged")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        self._capture.release()

    def _check_complete(self) -> None:
        """A video cut off in the middle is played as far as it goes, and then reported.

        Both the count and the time must fall short: with a variable frame rate the count is only estimated.
        Formats that state no length (MPEG, transport streams, GIF) cannot be checked.
        """
        promised = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if self._frames == 0:
            raise CameraError(f"{self._path}: holds no frame that can be decoded; the file is damaged or not a video")
        enough = promised * (1 - _MISSING_PART)
        if promised > 1 and self._frames < enough and self._time_s + self.interval_s < enough * self.interval_s:
            raise CameraError(
                f"{self._path}: only {self._frames} of {round(promised)} frames could be read; "
                "the file is cut off or damaged, copy it again"
            )


class ImageClip:
    """Images one after another at a fixed rate; they may differ in size."""

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
    """The recording at a path; `fps` is the rate of a folder of images. Raises CameraError."""
    _check_permission(path)
    if path.is_dir():
        return ImageClip(images_in(path), fps)
    if not path.is_file():
        raise CameraError(f"{path}: {'not a file' if path.exists() else 'no such file'}; expected {SUPPORTED}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageClip([path], fps)
    return VideoClip(path)


def _check_permission(path: Path) -> None:
    """What is missing or of the wrong kind is told elsewhere."""
    try:
        path.open("rb").close()
    except PermissionError as error:
        raise CameraError(
            f"{path}: cannot be read: {error.strerror}; let the user that runs whosthere read it"
        ) from error
    except OSError:
        pass


def images_in(folder: Path) -> list[Path]:
    """The images in a folder as a person would order them: `2.jpg` before `10.jpg`. Raises CameraError."""
    try:
        found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")]
    except OSError as error:
        raise CameraError(f"{folder}: cannot be listed: {error.strerror}") from error
    if not found:
        raise CameraError(f"{folder}: holds no image; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return sorted(found, key=lambda path: natural(Path(path.name)))


def read_image(path: Path) -> Image:
    """An image file as BGR, turned the way its EXIF data says. Raises CameraError."""
    try:
        return read_photo(path)
    except PhotoError as error:
        raise CameraError(str(error)) from error


def next_time(last: float, stated: float, interval_s: float) -> float:
    """The time of a frame after one at `last` (negative: the first), given what the container states for it.

    Containers leave times out, repeat them or state nonsense; then the usual interval stands in.
    """
    if math.isfinite(stated) and stated >= 0 and stated > last:
        return stated
    return last + interval_s if last >= 0 else 0.0
