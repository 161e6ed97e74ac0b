"""Small files of the page's own, in a folder that only its user can read: password, sessions, log-in attempts."""

from pathlib import Path
from typing import TypeVar

import msgspec

from edge.errors import GalleryError, WhosthereError
from edge.galleries.atomic_file import write_whole
from edge.owner import as_owner

T = TypeVar("T")
MAX_BYTES = 1_000_000


class WebStateError(WhosthereError):
    """A file of the page cannot be read or written."""

    exit_code = 3


def read_state(path: Path, kind: type[T]) -> T | None:
    """The file as a `kind`; None: there is none. Raises WebStateError when it cannot be read or is damaged."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WebStateError(f"{path}: cannot be read: {error.strerror}; run this as root, with sudo") from error
    try:
        if len(content) > MAX_BYTES:
            raise WebStateError(f"{path}: damaged: found more than {MAX_BYTES} bytes; remove it")
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WebStateError(f"{path}: damaged: {error}; remove it") from error


def write_state(content: msgspec.Struct, path: Path) -> None:
    """Write the file as a whole, readable for its owner only. Raises WebStateError."""
    try:
        with as_owner(path.parent):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            path.chmod(0o600)
        write_whole(msgspec.json.encode(content), path)
    except OSError as error:
        raise WebStateError(f"{path}: cannot be written: {error.strerror}; run this as root, with sudo") from error
    except GalleryError as error:
        raise WebStateError(str(error)) from error


def remove_state(path: Path) -> bool:
    """Remove the file; whether there was one. Raises WebStateError."""
    try:
        with as_owner(path):
            path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise WebStateError(f"{path}: cannot be removed: {error.strerror}; run this as root, with sudo") from error
    return True
