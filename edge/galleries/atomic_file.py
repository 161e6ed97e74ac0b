"""Write a file as a whole: whatever happens, its path holds the old content or the new."""

import contextlib
import os
import secrets
from pathlib import Path

from edge.errors import GalleryError
from edge.owner import as_owner
from edge.regular_file import read_regular


def write_whole(content: bytes, path: Path) -> None:
    """Write a file atomically: a new file beside it is synced and renamed. Raises GalleryError naming the file.

    Root does this as the user who owns the folder.
    """
    try:
        with as_owner(path):
            _write_beside(content, path.resolve())
    except OSError as error:
        raise GalleryError(f"{path}: cannot be written: {error.strerror or error}") from error


def new_beside(path: Path) -> Path:
    """A name that nobody can guess, for the file that will replace `path`. Open it with mode "x"."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(8)}.new")


def _write_beside(content: bytes, path: Path) -> None:
    beside = new_beside(path)
    try:
        with beside.open("xb") as file:
            inherit(file.fileno(), path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if read_regular(beside, follow=False) != content:
            raise OSError("the disk gave back something other than what was written")
        beside.replace(path)
        sync_folder(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renamed and removed files stay so after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def inherit(file: int, path: Path) -> None:
    """Give an open new file the mode of `path`, or 640, and its owner or group as far as this process may."""
    old = path.stat() if path.exists() else None
    os.fchmod(file, old.st_mode & 0o777 if old else 0o640)
    like = old or path.parent.stat()
    with contextlib.suppress(PermissionError):
        os.fchown(file, like.st_uid if os.geteuid() == 0 else -1, like.st_gid)
