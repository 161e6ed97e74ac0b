"""Forgets a person: removes earlier galleries with them, then searches everything that the box keeps."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError, WhosthereError
from edge.galleries.atomic_file import sync_folder
from edge.galleries.changes import drop_changes
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History
from edge.galleries.store import drop_from_base, drop_kept
from edge.regular_file import open_regular

VECTOR_BYTES = 64
"""This much of a template is enough to recognise it in a file."""
SEARCH_S = 10.0
"""How long to wait for the daemon to clear its outbox."""
CHUNK = 1 << 22

ForgetElsewhere = Callable[[str], Sequence[str]]
"""Removes the person with an id from whatever a box keeps beside galleries; what was removed. Raises WhosthereError."""


class Forgotten(msgspec.Struct, frozen=True):
    """The result of forgetting somebody on a box."""

    person: str
    removed: list[str]
    """What held something about them and was removed: files, and `FILE: 3 visits`."""
    still_held: list[str]
    """Where something about them is still found, and what to do about it; empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Traces:
    """The byte strings that give somebody away in a file."""

    person: str
    marks: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, person: str, galleries: Sequence[Gallery]) -> "Traces":
        """Their id as JSON and topics have it, and their name and templates in these galleries."""
        marks = {f'"{person}"'.encode(), f'\\"{person}\\"'.encode(), f"person/{person}".encode()}
        for gallery in galleries:
            known = next((one for one in gallery.people if one.id == person), None)
            if known is not None:
                marks.add(known.name.encode())
                marks.update(vector.tobytes()[:VECTOR_BYTES] for vector in gallery.vectors(known))
        return cls(person, marks)

    def within(self, path: Path) -> bool:
        """Whether a file contains any of the marks. Raises OSError."""
        longest = max(map(len, self.marks))
        rest = b""
        with open_regular(path) as file:
            while chunk := file.read(CHUNK):
                text = rest + chunk
                if any(mark in text for mark in self.marks):
                    return True
                rest = text[-longest:]
        return False


def galleries_with(person: str, path: Path, keys: GalleryKeys) -> list[Gallery]:
    """The current and the kept galleries with this person. Call it before anything is replaced."""
    found = []
    for file in [path, *History(path).kept()]:
        with contextlib.suppress(GalleryError):
            gallery = open_gallery(file, None, GalleryKeys(None, keys.identity))
            if any(one.id == person for one in gallery.people):
                found.append(gallery)
    return found


def forget(
    traces: Traces, path: Path, keys: GalleryKeys, folders: Sequence[Path], elsewhere: ForgetElsewhere
) -> Forgotten:
    """Remove kept galleries and undoable changes with this person, and unreadable ones, then search `folders`."""
    dropped = drop_kept(traces.person, path, keys)
    if dropped:
        sync_folder(History(path).folder)
    dropped += [*drop_from_base(traces.person, path, keys), *map(str, drop_changes(traces.person, path))]
    failed = []
    try:
        removed = [*elsewhere(traces.person), *dropped]
    except WhosthereError as error:
        removed, failed = dropped, [str(error)]
    held = _search(traces, folders)
    deadline = time.monotonic() + SEARCH_S
    while held and time.monotonic() < deadline:
        time.sleep(0.2)
        held = _search(traces, folders)
    return Forgotten(traces.person, removed, failed + held + _journal(traces.person))


def _search(traces: Traces, folders: Sequence[Path]) -> list[str]:
    found = []
    for folder in dict.fromkeys(folders):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                if traces.within(file):
                    found.append(str(file))
            except OSError as error:
                found.append(f"{file}: cannot be searched: {error.strerror}")
    return found


def _journal(person: str) -> list[str]:
    """A journal with lines about the person: it can only be emptied as a whole."""
    command = ["journalctl", "--quiet", "--output=cat", f"PERSON_ID={person}"]
    try:
        asked = subprocess.run(command, capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = len(asked.stdout.splitlines())
    if not lines:
        return []
    return [f"{lines} lines of the journal; `journalctl --rotate --vacuum-time=1s` empties it"]
