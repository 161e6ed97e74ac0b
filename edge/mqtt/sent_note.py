"""A note of the last event that was sent, for when the disk is too full to remove it from the outbox."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.regular_file import read_regular

_SIZE = 512


class SentNote:
    """A file of fixed size beside the outbox, overwritten in place. It holds a row and its event id."""

    def __init__(self, outbox: Path) -> None:
        self._path = outbox.with_name(f"{outbox.name}-sent")
        with suppress(OSError):
            if not self._path.exists() or self._path.stat().st_size != _SIZE:
                self._put(b"", os.O_CREAT)

    def read(self) -> tuple[int, str]:
        """Return the row and its event id; (0, "") when there is none."""
        try:
            return msgspec.json.decode(read_regular(self._path, follow=False).strip(b"\0 "), type=tuple[int, str])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return 0, ""

    def write(self, row: int, event_id: str) -> None:
        """Never raises: without a note the event arrives twice, marked as delayed."""
        with suppress(OSError):
            self._put(msgspec.json.encode((row, event_id)))

    def _put(self, content: bytes, flags: int = 0) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o600)
        try:
            os.pwrite(file, content[:_SIZE].ljust(_SIZE, b" "), 0)
            os.fdatasync(file)
        finally:
            os.close(file)
