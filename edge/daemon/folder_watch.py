"""Sleeping until a file changes, with Linux's inotify(7): a thread that polled would wake up for nothing."""

import ctypes
import os
import select
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x002, 0x004, 0x008
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x040, 0x080, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_CHANGES = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_BYTES = 65_536


class FolderWatch:
    """What one thread sleeps on: changes in folders, and calls of `wake` on any other thread."""

    def __init__(self) -> None:
        self._woken, self._wake = os.pipe()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._begin()
        self._watched: set[Path] = set()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)

    def watch(self, folders: Iterable[Path]) -> bool:
        """Let changes in these folders end a wait. False: not yet, or not possible here, so look again soon.

        Call it before each wait: a folder that was replaced is then found again. The first call for a folder returns
        False, since it may have changed just before.
        """
        wanted = set(folders)
        added = {folder for folder in wanted if self._add(folder)}
        known = bool(wanted) and wanted <= self._watched
        self._watched = added
        return known and added == wanted

    def wait(self, timeout_s: float) -> None:
        """Sleep for so long, unless something happens. What happened since the last wait ends it at once."""
        sources = [self._woken, *([] if self._inotify is None else [self._inotify])]
        for ready in select.select(sources, [], [], timeout_s)[0]:
            with suppress(BlockingIOError):
                os.read(ready, _BYTES)

    def wake(self) -> None:
        """End the wait, or the next one. Any thread."""
        # A full pipe ends it already.
        with suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def _begin(self) -> int | None:
        """None where the system has no inotify, or no more of it for this user."""
        if not hasattr(self._libc, "inotify_init1"):
            return None
        descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        return descriptor if descriptor >= 0 else None

    def _add(self, folder: Path) -> bool:
        if self._inotify is None:
            return False
        added: int = self._libc.inotify_add_watch(self._inotify, os.fsencode(folder), _CHANGES)
        return added >= 0
