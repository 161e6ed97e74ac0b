"""Which gallery a running daemon uses, written beside the gallery for the programs that change it.

`.NAME.running` is a file that the daemon keeps locked as long as it lives. `.NAME.in-force.json` holds its
GalleryStatus and is replaced whenever the daemon has read the gallery. No signal, permission or port is involved.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import time
from pathlib import Path

import msgspec

from edge.regular_file import read_regular

log = logging.getLogger("whosthere.gallery")

POLL_S = 0.02


class FileStamp(msgspec.Struct, frozen=True):
    """Tells one state of a file from another without reading it."""

    inode: int
    changed_ns: int
    size: int


class GalleryStatus(msgspec.Struct, frozen=True):
    """The gallery that a daemon uses, and what it made of the file."""

    looked_at: FileStamp | None
    """The file that it read last; None: there was none."""
    error: str | None
    """Why that file was refused; None: it is the current gallery."""
    version: int
    """The version of the current gallery; all that follows is about the same one."""
    people: int
    templates: int
    signer: str | None
    threshold: float
    since: str
    """RFC 3339, UTC."""


def stamp_of(gallery: Path) -> FileStamp | None:
    """The stamp of the file as it is now; None when there is none."""
    try:
        found = gallery.stat()
    except OSError:
        return None
    return FileStamp(found.st_ino, found.st_mtime_ns, found.st_size)


class StatusFile:
    """The daemon's side. Where the folder cannot be written, others cannot see the status; nothing else fails."""

    def __init__(self, gallery: Path) -> None:
        self.gallery = gallery
        self._failed = False
        self._lock: int | None = None
        try:
            self._lock = os.open(_running(gallery), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        except OSError as error:
            self._fail(error)

    def write(self, status: GalleryStatus) -> None:
        """Replace the last status."""
        path = _status(self.gallery)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with beside.open("xb") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(msgspec.json.encode(status))
            beside.replace(path)
            self._failed = False
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            self._fail(error)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            log.warning(
                "%s: the status of the gallery cannot be written: %s; `gallery receive` cannot confirm a push",
                self.gallery.parent,
                error.strerror,
            )
        self._failed = True


def is_running(gallery: Path) -> bool:
    """Whether a daemon that uses this gallery is alive."""
    try:
        lock = os.open(_running(gallery), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_status(gallery: Path) -> GalleryStatus | None:
    """The last status, whether the daemon still runs or not; None: there is none that can be read."""
    try:
        return msgspec.json.decode(read_regular(_status(gallery), follow=False), type=GalleryStatus)
    except (OSError, msgspec.DecodeError):
        return None


def wait_for_status(gallery: Path, stamp: FileStamp | None, timeout_s: float) -> GalleryStatus | None:
    """The status once the daemon has read the file with that stamp; None: not in time, or no daemon runs."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        status = read_status(gallery)
        alive = is_running(gallery)
        if alive and status is not None and status.looked_at == stamp:
            return status
        if not alive:
            return None
        time.sleep(POLL_S)
    return None


def _running(gallery: Path) -> Path:
    return gallery.with_name(f".{gallery.name}.running")


def _status(gallery: Path) -> Path:
    return gallery.with_name(f".{gallery.name}.in-force.json")
