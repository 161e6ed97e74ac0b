"""One writer at a time in a folder of galleries."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge.errors import GalleryError

RETRY_S = 0.05


class Busy(GalleryError):
    """Somebody else is changing it."""


@contextlib.contextmanager
def exclusive(path: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keep others from changing galleries of this folder meanwhile, so that no change is lost.

    Raises Busy when somebody else is at it, and still is after `wait_s`; GalleryError when there is no such folder.
    The lock goes with the process, so that a killed one leaves nothing behind.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        advice = "run this with sudo" if isinstance(error, PermissionError) else "make it first"
        raise GalleryError(f"{path}: its folder cannot be used: {error.strerror}; {advice}") from error
    try:
        deadline = time.monotonic() + wait_s
        while not _locked(folder):
            if time.monotonic() >= deadline:
                raise Busy(f"{path}: another `whosthere` is changing it right now; try again when it is done")
            time.sleep(RETRY_S)
        yield
    finally:
        os.close(folder)


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems cannot lock a folder; then there is no protection to be had.
        return True
    return True
