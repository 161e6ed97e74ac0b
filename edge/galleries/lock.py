"""One writer at a time in a folder of galleries."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edge.errors import GalleryError

RETRY_S = 0.05


class GalleryLocked(GalleryError):
    """Another process is changing a gallery of the folder."""


@contextlib.contextmanager
def gallery_lock(path: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Keep other processes from changing galleries in this folder while the body runs, so that no change is lost.

    Raises GalleryLocked when another process still holds the lock after `wait_s`, and GalleryError when there is no
    such folder. The lock ends with its process, so a killed one leaves nothing behind.
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
                raise GalleryLocked(f"{path}: another `whosthere` is changing it; try again when that one is done")
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
        # Some network file systems cannot lock a folder; changes there are not protected from each other.
        return True
    return True
