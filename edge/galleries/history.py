"""The earlier galleries of a box and the log of their changes, in the folder `NAME.history` beside the gallery."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from edge.errors import GalleryError
from edge.galleries.atomic_file import new_beside, sync_folder, write_whole
from edge.owner import as_owner
from edge.regular_file import read_regular

LOG = "log.jsonl"
BASE = "received.base"
"""The gallery that was received last: what changes on the box and on the desktop both started from."""
MAX_LINES = 1000


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change. It names nobody, because somebody who was forgotten must not live on in the log."""

    at: str
    """RFC 3339, UTC."""
    action: Literal["received", "rolled back", "refused", "forgotten"]
    version: int | None = None
    identity: str | None = None
    """The digest of the gallery's contents."""
    people: int | None = None
    templates: int | None = None
    signer: str | None = None
    sender: str | None = None
    """The address that the SSH connection came from."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The history of one gallery."""

    gallery: Path

    @property
    def folder(self) -> Path:
        return self.gallery.with_name(f"{self.gallery.name}.history")

    def entries(self) -> list[HistoryEntry]:
        """The log, oldest first; a line that a power cut left incomplete is skipped."""
        try:
            lines = read_regular(self.folder / LOG, follow=False).splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=HistoryEntry))
        return found

    def record(self, entry: HistoryEntry) -> None:
        """Append to the log. Raises GalleryError when it cannot be written."""
        try:
            self._make()
            path = self.folder / LOG
            with as_owner(path):
                self._append(path, msgspec.json.encode(entry) + b"\n")
        except OSError as error:
            raise GalleryError(f"{self.folder}: the log cannot be written: {error.strerror}") from error

    @staticmethod
    def _append(path: Path, line: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o640)
        with os.fdopen(handle, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        lines = read_regular(path, follow=False).splitlines(keepends=True)
        if len(lines) > MAX_LINES:
            write_whole(b"".join(lines[-MAX_LINES // 2 :]), path)

    @property
    def highest_received(self) -> int:
        """The highest version ever received; -1 without any. A bundle that is not newer is a replay."""
        versions = [e.version for e in self.entries() if e.action == "received" and e.version is not None]
        return max(versions, default=-1)

    def keep(self, version: int, identity: str, limit: int, *, copy: bool = False) -> Path:
        """Keep the gallery's current file under its version, and at most `limit` files in all. Raises GalleryError.

        `copy` is for a file that stays in its place: a link would be damaged together with it.
        """
        kept = self.folder / f"{version}-{identity[:16]}.whg"
        try:
            self._make()
            with as_owner(kept):
                kept.unlink(missing_ok=True)
                if copy or not _linked(self.gallery.resolve(), kept):
                    shutil.copy2(self.gallery, kept)
                for old in self.kept()[limit:]:
                    old.unlink(missing_ok=True)
                sync_folder(self.folder)
        except OSError as error:
            raise GalleryError(f"{self.folder}: the earlier gallery cannot be kept: {error.strerror}") from error
        return kept

    def kept(self) -> list[Path]:
        """The galleries that can be rolled back to, newest first."""
        found = []
        for path in self.folder.glob("*.whg"):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_ctime_ns, path.name, path))
        return [path for *_, path in sorted(found, reverse=True)]

    @property
    def base(self) -> Path:
        """The gallery that was received last; there may be none."""
        return self.folder / BASE

    def keep_base(self) -> None:
        """Note that the current file was received. Raises GalleryError."""
        beside = new_beside(self.base)
        try:
            self._make()
            with as_owner(self.base):
                if not _linked(self.gallery.resolve(), beside):
                    shutil.copy2(self.gallery, beside)
                beside.replace(self.base)
                sync_folder(self.folder)
        except OSError as error:
            raise GalleryError(f"{self.base}: cannot be written: {error.strerror}") from error

    def was_received(self, identity: str) -> bool:
        """Whether a gallery with these contents was ever received."""
        return any(one.identity == identity and one.action == "received" for one in self.entries())

    def _make(self) -> None:
        if self.folder.is_dir():
            return
        with as_owner(self.folder):
            self.folder.mkdir(mode=0o750)


def _linked(file: Path, kept: Path) -> bool:
    """Link a file to its new name; False: this file system has no links."""
    try:
        os.link(file, kept)
    except OSError:
        return False
    return True
