"""What the owner has changed in a gallery during the last week, so that each change can be undone on its own.

One file per change lies in the folder `NAME.changes` beside the gallery, readable only by its owner. It holds what was
known of the people concerned before and after the change. Old files are deleted, and forgetting somebody deletes every
file that mentions them: forgetting is final. Where galleries must be signed, so must these files be, because undoing
brings back what they hold.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.atomic_file import sync_folder, write_whole
from edge.galleries.corrections import Anchor
from edge.galleries.gallery import EmbedderId, Gallery, Person
from edge.galleries.signature import SignatureError, sign, verify
from edge.owner import as_owner
from edge.records import Vector
from edge.regular_file import read_regular
from edge.stored_vector import are_finite

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

KEEP = timedelta(days=7)
MAX_CHANGES = 200
"""The oldest make room for new ones."""
MAX_BYTES = 32_000_000
Action = Literal["enrolled", "removed", "photo_removed", "renamed", "merged", "consent", "undone"]


class Entry(msgspec.Struct, frozen=True):
    """All that a gallery holds about one person."""

    person: Person
    vectors: bytes
    """As many embeddings as templates, little-endian float32."""

    @classmethod
    def of(cls, person: Person, vectors: list[Vector]) -> Entry:
        return cls(person, np.ascontiguousarray(np.stack(vectors), "<f4").tobytes())

    def rows(self) -> list[Vector]:
        """The embeddings, one per template."""
        return list(np.frombuffer(self.vectors, "<f4").astype(np.float32).reshape(len(self.person.templates), -1))

    def check(self) -> None:
        """Raises GalleryError when the embeddings do not fit the templates."""
        count = len(self.person.templates)
        if not count or len(self.vectors) % (4 * count) or not are_finite(self.vectors):
            raise GalleryError(f"found {len(self.vectors)} bytes of embeddings for {count} templates")


class EntryChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One person before and after a change."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
    before: Entry | None = None
    """None: they were not in it."""
    after: Entry | None = None


class GalleryChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of a gallery, and of what lies beside it."""

    schema_version: Literal[1]
    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")]
    at: str
    """RFC 3339, UTC, to the microsecond: files sort by it."""
    action: Action
    embedder: EmbedderId
    version: int
    """The gallery's version that the change made."""
    people: list[EntryChange]
    additions: list[EntryChange] = []
    """The same for the templates from visits, where the change moved them."""
    anchors_before: list[Anchor] = []
    """Rejected visits of these people, where the change moved them."""
    anchors_after: list[Anchor] = []
    visits: list[str] = []
    """Visits in the diary that got another person's id."""

    @property
    def mentioned(self) -> set[str]:
        """The ids of everybody who is in it."""
        anchors = [*self.anchors_before, *self.anchors_after]
        ids = {one.id for one in [*self.people, *self.additions]}
        return ids | {name for one in anchors for name in (one.person_id, *one.alike)}

    @property
    def names(self) -> list[str]:
        """Whom it concerns, by the names that they had before it, or got by it."""
        entries = [one.before or one.after for one in self.people]
        return [entry.person.name for entry in entries if entry is not None]


class SignedChange(msgspec.Struct, frozen=True):
    """A change as a file."""

    change: str
    """JSON."""
    signature: str | None = None
    """OpenSSH's armoured signature of `change`."""


def changes_folder(gallery: Path) -> Path:
    return gallery.with_name(f"{gallery.name}.changes")


def change_between(action: Action, old: Gallery, new: Gallery) -> GalleryChange:
    """The change that makes one gallery of the other. They have the same embedder."""
    before, after = ({one.id: Entry.of(one, rows) for one, rows in known.known()} for known in (old, new))
    people = [
        EntryChange(one, before.get(one), after.get(one))
        for one in dict.fromkeys([*before, *after])
        if before.get(one) != after.get(one)
    ]
    header = new.header
    return GalleryChange(
        1, secrets.token_hex(3), _to_the_microsecond(datetime.now(UTC)), action, header.embedder, header.version, people
    )


def record_change(change: GalleryChange, gallery: Path, key: Path | None, now: datetime | None = None) -> Path:
    """Write a change's file, and delete those whose week is over. Hold the gallery's lock. Raises GalleryError."""
    folder, text = changes_folder(gallery), msgspec.json.encode(change).decode()
    signature = sign(text.encode(), key).decode() if key else None
    path = folder / f"{_stamp(change.at)}-{change.id}.json"
    try:
        if not folder.is_dir():
            with as_owner(folder):
                folder.mkdir(mode=0o700)
    except OSError as error:
        raise GalleryError(f"{folder}: cannot be made: {error.strerror}") from error
    write_whole(msgspec.json.encode(SignedChange(text, signature)), path)
    drop_old(gallery, now or datetime.now(UTC))
    return path


def drop_old(gallery: Path, now: datetime) -> list[Path]:
    """Delete the files of changes whose week is over, and those that are too many. Returns what was deleted."""
    files, limit = change_files(gallery), _stamp(_to_the_microsecond(now - KEEP))
    return _unlinked([path for i, path in enumerate(files) if i >= MAX_CHANGES or path.name < limit])


def drop_changes(person: str, gallery: Path) -> list[Path]:
    """Delete every change that mentions a person, and those that cannot be read. Returns what was deleted."""
    dropped = []
    for path in change_files(gallery):
        try:
            if person in _decoded(path).mentioned:
                dropped.append(path)
        except GalleryError:
            dropped.append(path)
    return _unlinked(dropped)


def change_files(gallery: Path) -> list[Path]:
    """The files of all changes, the newest first."""
    return sorted(changes_folder(gallery).glob("*.json"), reverse=True)


def read_change(path: Path, keys: GalleryKeys) -> GalleryChange:
    """Read one change. Raises GalleryError when it is damaged, or not signed as it must be."""
    change = _decoded(path)
    if keys.allowed_signers is not None:
        signed = msgspec.json.decode(read_regular(path, follow=False), type=SignedChange)
        if signed.signature is None:
            raise SignatureError(f"{path}: not signed, but gallery.allowed_signers is set; it cannot be undone")
        try:
            verify(signed.change.encode(), signed.signature.encode(), keys.allowed_signers)
        except SignatureError as error:
            raise SignatureError(f"{path}: {error}") from error
    return change


def _decoded(path: Path) -> GalleryChange:
    try:
        content = read_regular(path, follow=False)
        if len(content) > MAX_BYTES:
            raise GalleryError(f"{path}: found {len(content)} bytes; allowed: {MAX_BYTES}; delete it")
        change = msgspec.json.decode(msgspec.json.decode(content, type=SignedChange).change, type=GalleryChange)
        for one in [*change.people, *change.additions]:
            for entry in (one.before, one.after):
                if entry is not None:
                    entry.check()
    except OSError as error:
        raise GalleryError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError, GalleryError) as error:
        raise GalleryError(f"{path}: damaged: {error}; delete it") from error
    return change


def _to_the_microsecond(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _stamp(at: str) -> str:
    """A time as the name of a file begins, so that names sort by time."""
    return at.replace("-", "").replace(":", "")


def _unlinked(paths: list[Path]) -> list[Path]:
    gone = []
    for path in paths:
        with contextlib.suppress(OSError), as_owner(path):
            path.unlink()
            gone.append(path)
    if gone:
        with contextlib.suppress(OSError):
            sync_folder(gone[0].parent)
    return gone
