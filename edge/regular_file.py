"""Files opened without waiting, and without end: neither pipes nor devices, which anybody may plant in a folder."""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for pipes, which would wait, and for devices.

    Without `follow`, the file itself must not be a link: for files that nobody but whosthere makes.
    """
    return os.fdopen(_opened(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW)), "rb")


def read_regular(path: Path, *, follow: bool = True) -> bytes:
    """Return the content of a regular file. Raises OSError."""
    with open_regular(path, follow=follow) as file:
        return file.read()


def make_regular(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is a regular file. Raises OSError."""
    os.close(_opened(path, os.O_RDWR | os.O_CREAT))


def require_regular(path: Path) -> None:
    """Raise OSError when there is something other than a regular file at the path."""
    with contextlib.suppress(FileNotFoundError):
        os.close(_opened(path, os.O_RDONLY))


def _opened(path: Path, flags: int) -> int:
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(None, "a folder", str(path))
    raise OSError(None, "not a regular file, but a pipe, socket or device")
