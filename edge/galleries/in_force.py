"""What a running daemon says of its gallery, for whoever changes the file: no signal, no permission, no port needed.

Beside the gallery lie `.NAME.running`, which the daemon keeps locked as long as it lives, and `.NAME.in-force.json`,
which it writes anew whenever it has looked at the file.
"""

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path

import msgspec

log = logging.getLogger("whosthere.gallery")

POLL_S = 0.02


class Stamp(msgspec.Struct, frozen=True):
    """One state of a file, as far as it can be told without reading it."""

    inode: int
    changed_ns: int
    size: int


class State(msgspec.Struct, frozen=True):
    """The daemon's view."""

    looked_at: Stamp | None
    """The file that it looked at last; None: there was none."""
    error: str | None
    """Why it was refused; None: it is in force."""
    version: int
    """Of the gallery in force, as all that follows."""
    people: int
    templates: int
    signer: str | None
    threshold: float
    since: str
    """RFC 3339, UTC."""


def stamp_of(gallery: Path) -> Stamp | None:
    """Of the file as it is now; None when there is none."""
    try:
        found = gallery.stat()
    except OSError:
        return None
    return Stamp(found.st_ino, found.st_mtime_ns, found.st_size)


class Announcer:
    """The daemon's end. A folder that cannot be written only means that nobody can be told."""

    def __init__(self, gallery: Path) -> None:
        self.gallery = gallery
        self._failed = False
        self._lock: int | None = None
        try:
            self._lock = os.open(_running(gallery), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
        except OSError as error:
            self._fail(error)

    def tell(self, state: State) -> None:
        """Replace what was said before."""
        path = _state(self.gallery)
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            beside.write_bytes(msgspec.json.encode(state))
            beside.chmod(0o644)
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
            log.warning("%s: cannot say here which gallery is in force: %s", self.gallery.parent, error.strerror)
        self._failed = True


def is_running(gallery: Path) -> bool:
    """Whether some daemon has this gallery."""
    try:
        lock = os.open(_running(gallery), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_state(gallery: Path) -> State | None:
    """What was said last, whether the daemon still runs or not; None: nothing, or nothing that can be read."""
    try:
        return msgspec.json.decode(_state(gallery).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def wait_for(gallery: Path, stamp: Stamp | None, timeout_s: float) -> State | None:
    """The state once the daemon has looked at that file; None when it has not in time, or no daemon runs."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = read_state(gallery)
        alive = is_running(gallery)
        if alive and state is not None and state.looked_at == stamp:
            return state
        if not alive:
            return None
        time.sleep(POLL_S)
    return None


def _running(gallery: Path) -> Path:
    return gallery.with_name(f".{gallery.name}.running")


def _state(gallery: Path) -> Path:
    return gallery.with_name(f".{gallery.name}.in-force.json")
