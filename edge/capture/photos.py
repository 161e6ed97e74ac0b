"""Photos: read them upright, and say what is wrong with a file."""

import importlib.util
import os
import struct
from pathlib import Path

import cv2
import numpy as np

from edge.bare_address import hint
from edge.capture import iso_photo, tiff
from edge.capture.file_type import HEAD_BYTES, FileType, file_type
from edge.capture.image_header import read_header
from edge.capture.limits import MAX_FILE_BYTES
from edge.capture.quiet_opencv import quiet_opencv
from edge.errors import WhosthereError
from edge.models.quiet import quiet_libraries
from edge.records import Image
from edge.regular_file import open_regular
from edge.terminal import safe

MAX_SIDE_PX = 4000
"""Larger photos do not show faces better, and cost memory and time."""
_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


class PhotoError(WhosthereError):
    """A photo cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{safe(str(path))}: {reason}")
        self.reason = reason


def read_photo(path: Path) -> Image:
    """Read a photo as BGR, rotated as its EXIF data says. Raises PhotoError."""
    return read_reduced(path)[0]


def read_reduced(path: Path) -> tuple[Image, int]:
    """Read a photo as `read_photo` does, with the number by which its sides were divided: 1, or 2 to 8 for huge ones.

    Raises PhotoError.
    """
    content = read_content(path)
    image = decode_photo(content, path)
    header = read_header(content)
    return image, header.reduction if header else 1


def read_content(path: Path) -> bytes:
    """The bytes of a photo's file. Raises PhotoError when it cannot be read."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                found = f"{size / 1e6:.0f} MB found; allowed: {MAX_FILE_BYTES // 10**6} MB; make it smaller"
                raise PhotoError(path, found)
            return file.read()
    except IsADirectoryError as error:
        raise PhotoError(path, "a folder without photos") from error
    except FileNotFoundError as error:
        raise PhotoError(path, f"no such file{hint(str(path))}") from error
    except OSError as error:
        raise PhotoError(path, f"cannot be read: {error.strerror}") from error


def decode_photo(content: bytes, path: Path) -> Image:
    """A photo's bytes as BGR, upright; `path` is for the error. Raises PhotoError saying what is wrong with them."""
    header = read_header(content)
    if header is not None and (problem := header.problem()):
        raise PhotoError(path, problem)
    # OpenCV would read floating-point numbers as black.
    with quiet_libraries():
        image = None if is_float_tiff(content) else decode(content)
    if image is None:
        raise PhotoError(path, _why_not(content))
    return image


def decode(content: bytes, *, upright: bool = True) -> Image | None:
    """Decode an image file's bytes to BGR; None if they are not a complete image of an allowed size.

    With `upright`, it is rotated as its EXIF data says. A huge one comes at a fraction of its size, so that decoding
    stays within `limits.MAX_DECODING_BYTES`.
    """
    header = read_header(content)
    if header is None or header.problem():
        return None
    if header.kind is FileType.HEIC:
        return _heic(content)
    by_box = header.kind is FileType.AVIF and iso_photo.placed_by_box(content)
    flags = _FLAGS[header.reduction] | (cv2.IMREAD_IGNORE_ORIENTATION if by_box or not upright else 0)
    try:
        with quiet_opencv():
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        # Empty, or with more pixels than OpenCV allows.
        return None
    if image is None:
        return None
    picture = np.asarray(image, np.uint8)
    return iso_photo.upright(picture, content) if by_box and upright else picture


def _heic(content: bytes) -> Image | None:
    try:
        return iso_photo.decode_heic(content)
    except ImportError:
        return None


def is_float_tiff(content: bytes) -> bool:
    try:
        return 3 in tiff.read_directory(content).get(tiff.SAMPLE_FORMAT, ())
    except (struct.error, OverflowError):
        return False


def shrunk(image: Image) -> Image:
    """Scale a picture down to a long side of MAX_SIDE_PX; the same array if it is not longer."""
    factor = MAX_SIDE_PX / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def _why_not(content: bytes) -> str:
    if not content:
        return "the file is empty"
    kind = file_type(content[:HEAD_BYTES])
    if kind is FileType.HEIC and importlib.util.find_spec("pillow_heif") is None:
        return f"a HEIC photo, the format of iPhones; convert it to JPEG, or {iso_photo.INSTALL}"
    if kind is FileType.VIDEO:
        return "a video, not a photo"
    if kind is FileType.TIFF and is_float_tiff(content):
        return "a TIFF of floating-point numbers; save it with 8 bits per colour"
    if kind.is_photo or kind is FileType.GIF:
        return "the image is cut off or damaged; copy it again"
    return "not an image in a supported format (JPEG, PNG, WebP, BMP, TIFF)"
