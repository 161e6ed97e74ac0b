"""Photos from disk: finding them, reading them upright, and saying what is wrong with a file."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.errors import WhosthereError
from edge.records import Image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
)
MAX_SIDE_PX = 4000
"""Larger photos show no face better, and cost memory and time."""
_APPLE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


class PhotoError(WhosthereError):
    """A photo that cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def read_photo(path: Path) -> Image:
    """A photo as BGR, turned the way its EXIF data says. Raises PhotoError."""
    return decode_photo(read_content(path), path)


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
    image = decode(content)
    if image is None:
        raise PhotoError(path, _why_not(content))
    return image


def decode(content: bytes) -> Image | None:
    """An image file's bytes as BGR, upright; None when they are no image, or only a part of one."""
    # OpenCV 5 moved the function.
    log = getattr(cv2.utils, "logging", cv2)
    level = log.setLogLevel(0)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        # Empty, or with more pixels than OpenCV allows.
        return None
    finally:
        log.setLogLevel(level)
    return None if image is None else np.asarray(image, np.uint8)


def shrunk(image: Image) -> Image:
    """The picture with its long side at most MAX_SIDE_PX; the very same array when it is."""
    factor = MAX_SIDE_PX / max(image.shape[:2])
    if factor >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def _why_not(content: bytes) -> str:
    if not content:
        return "the file is empty"
    if content[4:8] == b"ftyp" and content[8:12] in _APPLE_BRANDS:
        return "a HEIC photo, as iPhones make them; convert it to JPEG first"
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*")):
        return "the image is cut off or damaged; copy it again"
    return "not an image that can be read (JPEG, PNG, WebP, BMP, TIFF)"


def expand(paths: Iterable[Path], suffixes: frozenset[str]) -> Iterator[tuple[Path, Path]]:
    """(file, its path inside the folder that was given): files as they are, folders with all that they hold.

    Folders are searched through and through for those suffixes, in the order in which a person would list
    them; hidden files are left out. A path that does not exist, or a folder with none of them, is passed on:
    reading it says so.
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
    """Sort key that puts `2.jpg` before `10.jpg` and figures before letters, folder by folder."""
    split = ([*re.findall(r"(\d+)|(\D+)", part)] for part in path.parts)
    return [[(not digits, int(digits or 0), text.lower()) for digits, text in pieces] for pieces in split]


PHOTO_SUFFIXES = IMAGE_SUFFIXES | {".heic", ".heif", ".avif", ".jp2"}
"""What counts as a photo in a folder, those that are then refused with a reason among them."""
