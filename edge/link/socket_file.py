"""The socket as a file: who may use it, what a killed daemon left behind, and that only one daemon has it.

A path of any length is reached through its open folder: the kernel allows only 107 bytes in the address of a socket.
"""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from edge.link.protocol import LinkError

BACKLOG = 16
MODE = 0o600


class ListeningSocket:
    """The socket of one daemon, from bind to removal."""

    def __init__(self, path: Path) -> None:
        """Bind and listen. Raises OSError; LinkError when another daemon has it, or something else is in its place."""
        self.path = path
        self._lock = _lock(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            _forget_stale(path)
            # Before bind: at no moment can anybody else connect.
            os.fchmod(self.socket.fileno(), MODE)
            with _short(path) as address:
                self.socket.bind(address)
            self.socket.listen(BACKLOG)
            self._inode = path.lstat().st_ino
        except BaseException:
            self.socket.close()
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Stop listening and remove the file, unless it has become somebody else's."""
        self.socket.close()
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()
        os.close(self._lock)


def connected(path: Path) -> socket.socket:
    """Connect to the daemon at `path`; the socket does not block. Raises LinkError."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with _short(path) as address:
            found.connect(address)
        if os.geteuid() != 0 and not may_connect(found):
            raise LinkError(f"{path}: it belongs to user {_peer(found)}; allowed: your own user or root")
    except OSError as error:
        found.close()
        raise LinkError(f"{path}: {_advice(error)}") from error
    except LinkError:
        found.close()
        raise
    return found


def may_connect(connection: socket.socket) -> bool:
    """Whether the other end is root or the user of this process. Raises OSError."""
    return _peer(connection) in (0, os.geteuid())


def _peer(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(user)


def _advice(error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ECONNREFUSED | errno.ENOTDIR:
            return "the daemon is not running, or link.enabled is false"
        case errno.EACCES | errno.EPERM:
            return "only root and the daemon's own user may use it"
        case errno.EAGAIN:
            return "the daemon is too busy to answer"
    return str(error.strerror or error)


def _lock(path: Path) -> int:
    """Take the lock that only one daemon can have; it goes with the process, however that ends."""
    lock = path.with_name(f".{path.name}.lock")
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, MODE)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(held)
        raise LinkError(f"{path}: another daemon has it; give each its own link.path") from error
    except BaseException:
        os.close(held)
        raise
    return held


def _forget_stale(path: Path) -> None:
    """Remove the socket of a daemon that was killed: its lock is free. Raises LinkError for anything but a socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LinkError(f"{path}: there is something other than a socket; remove it, or set another link.path")
    path.unlink()


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
