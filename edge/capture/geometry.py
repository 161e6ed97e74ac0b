"""Rotating, mirroring and cropping pictures, as pure functions over arrays."""

from collections.abc import Callable

import cv2
import numpy as np

from edge.config.camera import CameraSettings, Region
from edge.frame import Frame
from edge.records import Image, read_only

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def rotate(image: Image, degrees: int) -> Image:
    """Rotate a picture clockwise by 0, 90, 180 or 270 degrees; 0 returns the same array."""
    return np.asarray(cv2.rotate(image, _TURNS[degrees]), np.uint8) if degrees else image


def mirror(image: Image) -> Image:
    """Swap left and right."""
    return np.asarray(cv2.flip(image, 1), np.uint8)


def crop(image: Image, region: Region) -> Image:
    """Return the region of a picture as a view, to the nearest pixel and never empty."""
    height, width = image.shape[:2]
    left, right = _span(region.left, region.right, width)
    top, bottom = _span(region.top, region.bottom, height)
    return image[top:bottom, left:right]


def _span(begin: float, end: float, length: int) -> tuple[int, int]:
    first = min(round(begin * length), length - 1)
    return first, max(round(end * length), first + 1)


def turned(image: Image, settings: CameraSettings) -> Image:
    """Rotate, then mirror, then crop a picture. Contiguous; the same array if the settings change nothing."""
    image = rotate(image, settings.rotation)
    if settings.mirror:
        image = mirror(image)
    if settings.region != Region():
        image = crop(image, settings.region)
    return np.ascontiguousarray(image)


def shrunk(image: Image, width: int) -> Image:
    """Scale a picture down to `width` pixels, keeping its proportions; the same array if it is not wider."""
    if image.shape[1] <= width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def frame(picture: Image, settings: CameraSettings, at: float) -> Frame:
    """Make a Frame of a picture as the device delivered it. The picture may become part of it, and read-only."""
    image = turned(picture, settings)
    return Frame(read_only(image), preview(image, settings.preview_width), at)


def preview(image: Image, width: int) -> Image | Callable[[], Image]:
    """Return what a Frame takes as its preview: the picture itself if it is small, else what shrinks it on demand."""
    return image if image.shape[1] <= width else lambda: read_only(shrunk(image, width))


def turned_size(width: int, height: int, settings: CameraSettings) -> tuple[int, int]:
    """Return the width and height that `turned` gives a picture of `width` x `height`."""
    if settings.rotation in (90, 270):
        width, height = height, width
    left, right = _span(settings.region.left, settings.region.right, width)
    top, bottom = _span(settings.region.top, settings.region.bottom, height)
    return right - left, bottom - top
