"""What the owner says about visits, in a file beside the gallery, so that a push from the desktop leaves it alone.

Nothing in it is signed, and nothing has to be: a correction only ever takes a name away, or keeps the box from speaking
of a stranger. Those who can write this file can do no more than make the box silent.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from edge.errors import GalleryError, UsageError
from edge.galleries.atomic_file import write_whole
from edge.galleries.gallery import EmbedderId
from edge.owner import as_owner
from edge.records import SeenFaces, Vector, read_only
from edge.stored_vector import is_unit_vector

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

MAX_ANCHORS = 10
"""Rejected visits per person."""
MAX_IGNORED = 50
"""Strangers to ignore."""
MAX_BYTES = 16_000_000

Anchors = dict[str, SeenFaces]
"""Person id -> visits that were not this person."""


class Anchor(msgspec.Struct, frozen=True):
    """A visit that was not the person whom it resembled."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")]
    person_id: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
    visit_id: Annotated[str, Meta(max_length=64)]
    added_at: str
    """RFC 3339, UTC."""
    alike: list[str]
    """Everybody else in the gallery who may be the one in the visit, by id: it goes when they are forgotten."""
    vector: bytes
    """The embedding, little-endian float32."""
    infrared: bool = False
    """Seen in infrared light. Earlier releases did not write it, and ignore it."""


class Ignored(msgspec.Struct, frozen=True):
    """A stranger about whom nothing is published."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")]
    visit_id: Annotated[str, Meta(max_length=64)]
    added_at: str
    """RFC 3339, UTC."""
    alike: list[str]
    """Everybody in the gallery who may be the one in the visit, by id."""
    vector: bytes
    """The embedding, little-endian float32."""
    infrared: bool = False
    """As for an anchor."""


class Corrections(msgspec.Struct, frozen=True):
    """All corrections of a box, the oldest first."""

    schema_version: Literal[1]
    embedder: EmbedderId
    """Vectors of another embedder cannot be compared: then nothing here has any effect."""
    anchors: list[Anchor]
    ignored: list[Ignored] = []

    def of(self, person: str) -> list[Anchor]:
        return [anchor for anchor in self.anchors if anchor.person_id == person]

    def anchored_faces(self) -> Anchors:
        """The anchors by person."""
        return {person: faces_of(self.of(person)) for person in self.people}

    def ignored_faces(self) -> SeenFaces | None:
        """The strangers to ignore; None: there are none."""
        return faces_of(self.ignored) if self.ignored else None

    @property
    def all(self) -> list[Anchor | Ignored]:
        """Every correction, the oldest first."""
        every: list[Anchor | Ignored] = [*self.anchors, *self.ignored]
        return sorted(every, key=lambda one: one.added_at)

    @property
    def people(self) -> set[str]:
        return {anchor.person_id for anchor in self.anchors}

    def with_anchor(
        self, person: str, visit: str, vector: Vector, alike: list[str], at: str, *, infrared: bool = False
    ) -> Corrections:
        """One more. Raises UsageError when the visit is rejected for that person already, or there are too many."""
        known = self.of(person)
        if any(anchor.visit_id == visit for anchor in known):
            raise UsageError(f"visit {visit} has been rejected for {person} already")
        if len(known) >= MAX_ANCHORS:
            oldest = known[0]
            raise UsageError(
                f"{person}: found {len(known)} rejected visits; allowed: {MAX_ANCHORS}; undo one first, such as the "
                f"oldest (`whosthere visit undo {oldest.id}`), or enrol more photos"
            )
        content = np.ascontiguousarray(vector, "<f4").tobytes()
        anchor = Anchor(secrets.token_hex(3), person, visit, at, alike, content, infrared)
        return msgspec.structs.replace(self, anchors=[*self.anchors, anchor])

    def with_ignored(
        self, visit: str, vector: Vector, alike: list[str], at: str, *, infrared: bool = False
    ) -> Corrections:
        """One more. Raises UsageError when the visit is ignored already, or there are too many."""
        if any(one.visit_id == visit for one in self.ignored):
            raise UsageError(f"visit {visit} is ignored already")
        if len(self.ignored) >= MAX_IGNORED:
            raise UsageError(
                f"found {len(self.ignored)} ignored strangers; allowed: {MAX_IGNORED}; undo one first, such as the "
                f"oldest (`whosthere visit undo {self.ignored[0].id}`)"
            )
        content = np.ascontiguousarray(vector, "<f4").tobytes()
        one = Ignored(secrets.token_hex(3), visit, at, alike, content, infrared)
        return msgspec.structs.replace(self, ignored=[*self.ignored, one])

    def without(self, wanted: Anchor | Ignored) -> Corrections:
        anchors = [one for one in self.anchors if one is not wanted]
        ignored = [one for one in self.ignored if one is not wanted]
        return msgspec.structs.replace(self, anchors=anchors, ignored=ignored)

    def forgetting(self, person: str) -> Corrections:
        """All but those about a person, and those that may show them."""
        anchors = [one for one in self.anchors if person != one.person_id and person not in one.alike]
        ignored = [one for one in self.ignored if person not in one.alike]
        return msgspec.structs.replace(self, anchors=anchors, ignored=ignored)


def corrections_path(gallery: Path) -> Path:
    return gallery.with_name(f"{gallery.name}.corrections.json")


def no_corrections(embedder: EmbedderId) -> Corrections:
    return Corrections(1, embedder, [])


def read_corrections(gallery: Path, embedder: EmbedderId, dimensions: int) -> Corrections:
    """The corrections beside a gallery; none without a file, and none when they are of another embedder.

    Raises GalleryError when the file cannot be read or is damaged.
    """
    found = read_any(gallery)
    if found is None or found.embedder.sha256 != embedder.sha256:
        return no_corrections(embedder)
    path = corrections_path(gallery)
    for one in found.all:
        if len(one.vector) != 4 * dimensions or not is_unit_vector(one.vector):
            raise GalleryError(f"{path}: damaged: correction {one.id} holds no embedding; {_REMEDY}")
    return found


def read_any(gallery: Path) -> Corrections | None:
    """The corrections beside a gallery, of any embedder; None: there is no file. Raises GalleryError."""
    path = corrections_path(gallery)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GalleryError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        if len(content) > MAX_BYTES:
            raise GalleryError(f"{path}: found {len(content)} bytes; allowed: {MAX_BYTES}; {_REMEDY}")
        return msgspec.json.decode(content, type=Corrections)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GalleryError(f"{path}: damaged: {error}; {_REMEDY}") from error


def write_corrections(corrections: Corrections, gallery: Path) -> None:
    """Write the file as a whole, for the daemon to apply within a second; hold the gallery's lock.

    Raises GalleryError.
    """
    path = corrections_path(gallery)
    write_whole(msgspec.json.encode(corrections), path)
    # Vectors of strangers are in it, and gallery files are readable for a group.
    with as_owner(path):
        path.chmod(0o600)


def forget_corrections(gallery: Path, person: str) -> int:
    """Remove what is about a person or may show them; how many corrections went. Raises GalleryError."""
    before = read_any(gallery)
    after = before.forgetting(person) if before else None
    if before is None or after is None or after == before:
        return 0
    write_corrections(after, gallery)
    return len(before.anchors) + len(before.ignored) - len(after.anchors) - len(after.ignored)


def vector_of(anchor: Anchor | Ignored) -> Vector:
    """Its embedding, (d,)."""
    return np.frombuffer(anchor.vector, "<f4").astype(np.float32)


def faces_of(found: Sequence[Anchor | Ignored]) -> SeenFaces:
    """Their embeddings, with the light in which each was seen."""
    return SeenFaces(read_only(np.stack([vector_of(one) for one in found])), np.array([one.infrared for one in found]))


_REMEDY = "remove it to do without corrections, or restore it from a backup"
