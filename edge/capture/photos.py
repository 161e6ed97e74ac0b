"""Photos on disk: find them, read them upright, and say what is wrong with a file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.capture.image_header import read_header
from edge.errors import WhosthereError
from edge.records import Image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
)
MAX_SIDE_PX = 4000
"""Larger photos do not show faces better, and cost memory and time."""
_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_APPLE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


class PhotoError(WhosthereError):
    """A photo cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def read_photo(path: Path) -> Image:
    """Read a photo as BGR, rotated as its EXIF data says. Raises PhotoError."""
    return read_reduced(path)[0]


def read_reduced(path: Path) -> tuple[Image, int]:
    """Read a photo as `read_photo` does, with the number by which its sides were divided: 1, or 2 to 8 for huge JPEGs.

    Raises PhotoError.
    """
    content = read_content(path)
    image = decode_photo(content, path)
    header = read_header(content)
    return image, header.reduction if header else 1


def read_content(path: Path) -> bytes:
    """The bytes of a photo's file. Raises PhotoError when it cannot be read."""
    try:
        return path.read_bytes()
    except IsADirectoryError as error:
        raise PhotoError(path, "a folder without photos") from error
    except OSError as error:
        raise PhotoError(path, f"cannot be read: {error.strerror}") from error


def decode_photo(content: bytes, path: Path) -> Image:
    """A photo's bytes as BGR, upright; `path` is for the error. Raises PhotoError saying what is wrong with them."""
    header = read_header(content)
    if header is not None and (problem := header.problem()):
        raise PhotoError(path, problem)
    image = decode(content)
    if image is None:
        raise PhotoError(path, _why_not(content))
    return image


def decode(content: bytes, *, upright: bool = True) -> Image | None:
    """Decode an image file's bytes to BGR; None if they are not a complete image of an allowed size.

    With `upright`, it is rotated as its EXIF data says. A huge JPEG comes at a fraction of its size, so that decoding
    stays within `limits.MAX_DECODING_BYTES`.
    """
    header = read_header(content)
    if header is None or header.problem():
        return None
    flags = _FLAGS[header.reduction] | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    # OpenCV 5 moved the function.
    log = getattr(cv2.utils, "logging", cv2)
    level = log.setLogLevel(0)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        # Empty, or with more pixels than OpenCV allows.
        return None
    finally:
        log.setLogLevel(level)
    return None if image is None else np.asarray(image, np.uint8)


def shrunk(image: Image) -> Image:
    """Scale a picture down to a long side of MAX_SIDE_PX; the same array if it is not longer."""
    factor = MAX_SIDE_PX / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def _why_not(content: bytes) -> str:
    if not content:
        return "the file is empty"
    if content[4:8] == b"ftyp" and content[8:12] in _APPLE_BRANDS:
        return "a HEIC photo, the format of iPhones; convert it to JPEG first"
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*")):
        return "the image is cut off or damaged; copy it again"
    return "not an image in a supported format (JPEG, PNG, WebP, BMP, TIFF)"


def expand(paths: Iterable[Path], suffixes: frozenset[str]) -> Iterator[tuple[Path, Path]]:
    """Yield each file and its path inside the given folder; a folder stands for all its files with those suffixes.

    Folders are searched recursively, in the order that people expect, without hidden files. A path that does not exist,
    or a folder without such files, is yielded as it is: reading it reports the problem.
    """
    for path in paths:
        inside = files_within(path, suffixes) if path.is_dir() else []
        yield from ((path / p, p) for p in inside)
        if not inside:
            yield path, Path(path.name)


def files_within(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """The files with one of the suffixes in a folder and its subfolders, relative to it, in natural order.

    Hidden files and folders do not count.
    """
    found = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    inside = (p.relative_to(folder) for p in found)
    return sorted((p for p in inside if not any(part.startswith(".") for part in p.parts)), key=natural)


def natural(path: Path) -> list[list[tuple[bool, int, str]]]:
    """Return a sort key that puts `2.jpg` before `10.jpg` and digits before letters, folder by folder."""
    split = ([*re.findall(r"(\d+)|(\D+)", part)] for part in path.parts)
    return [[(not digits, int(digits or 0), text.lower()) for digits, text in pieces] for pieces in split]


PHOTO_SUFFIXES = IMAGE_SUFFIXES | {".heic", ".heif", ".avif", ".jp2"}
"""Suffixes of photos in a folder, including formats that are then refused with a reason."""
