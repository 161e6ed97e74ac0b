"""Which files are photos or videos, by their content, and which a folder holds. What is left out has a reason."""

import os
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from edge.capture.file_type import FileType, file_type, is_still_gif
from edge.regular_file import open_regular

IMAGE_SUFFIXES = frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PHOTO_SUFFIXES = IMAGE_SUFFIXES | {".heic", ".heif", ".hif", ".avif", ".jp2"}
"""Including formats that may be refused with a reason."""
VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
)
SYSTEM_FOLDERS = frozenset({"@eadir", "#recycle", "#snapshot", "__macosx", "lost+found", "$recycle.bin", "@tmp"})
"""What network drives and archives put among people's files, in lower case; they hold copies of photos."""
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "person.yaml"})
"""Not worth a line when they are left out."""
_LOOK_BYTES = 300_000
"""Enough for the first frames of a GIF."""


class Media(Enum):
    """What a file is read as."""

    PHOTO = "photo"
    VIDEO = "video"


def media(path: Path) -> Media | None:
    """What a file is, by its content or else, if that says nothing, by its suffix; None: neither photo nor video."""
    try:
        with open_regular(path) as file:
            head = file.read(_LOOK_BYTES)
    except OSError:
        head = b""
    kind = file_type(head)
    if kind.is_photo or is_still_gif(head):
        return Media.PHOTO
    if kind.is_video:
        return Media.VIDEO
    suffix = path.suffix.lower()
    if suffix in PHOTO_SUFFIXES:
        return Media.PHOTO
    return Media.VIDEO if suffix in VIDEO_SUFFIXES and kind is FileType.OTHER else None


def expand(paths: Iterable[Path], *, videos: bool, left_out: list[str]) -> Iterator[tuple[Path, Path]]:
    """Yield each file and its path inside the given folder; a folder stands for all its photos, with `videos` for
    its videos too.

    Folders are searched recursively, in the order that people expect. A path that does not exist, or a folder without
    such files, is yielded unchanged: reading it reports the problem. `left_out` receives a line for each thing in a
    folder that is not yielded.
    """
    for path in paths:
        inside = files_within(path, videos=videos, left_out=left_out) if path.is_dir() else []
        yield from ((path / p, p) for p in inside)
        if not inside:
            yield path, Path(path.name)


def files_within(folder: Path, *, videos: bool, left_out: list[str]) -> list[Path]:
    """The photos, with `videos` also the videos, in a folder and its subfolders, relative to it, in natural order.

    Hidden files do not count. `left_out` receives a line for everything else that is not among them.
    """
    found = []
    for at, folders, files in os.walk(folder):
        here = Path(at)
        folders[:] = [name for name in folders if _is_searched(here / name, left_out)]
        for name in files:
            path = here / name
            if name.startswith(".") or name.lower() in SYSTEM_FILES:
                continue
            if problem := _why_left_out(path, videos=videos):
                left_out.append(f"{path}: left out: {problem}")
            else:
                found.append(path.relative_to(folder))
    return sorted(found, key=natural)


def is_system_folder(path: Path) -> bool:
    """Whether a folder belongs to a system or an archive, not to a person."""
    return path.name.lower() in SYSTEM_FOLDERS


def _is_searched(path: Path, left_out: list[str]) -> bool:
    if is_system_folder(path) or path.name.startswith("."):
        left_out.append(f"{path}: left out: a folder of the system, or hidden")
        return False
    if path.is_symlink():
        left_out.append(f"{path}: left out: a link to a folder; give the folder itself, or copy it here")
        return False
    return True


def _why_left_out(path: Path, *, videos: bool) -> str | None:
    """Why a file is not read; None: it is."""
    if path.suffix.lower() in PHOTO_SUFFIXES and path.exists():
        # Reading it will say what is wrong with it; a data set has thousands.
        return None
    kind = media(path)
    if kind is None:
        return "neither a photo nor a video" if videos else "not a photo"
    return "a video" if kind is Media.VIDEO and not videos else None


def natural(path: Path) -> list[list[tuple[bool, int, str]]]:
    """Return a sort key that puts `2.jpg` before `10.jpg` and digits before letters, folder by folder."""
    split = ([*re.findall(r"(\d+)|(\D+)", part)] for part in path.parts)
    return [[(not digits, int(digits or 0), text.lower()) for digits, text in pieces] for pieces in split]
