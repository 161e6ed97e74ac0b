"""Templates that the owner has added from visits, in a gallery file of their own beside the gallery.

A push from the desktop replaces the gallery and leaves this file alone. It is read by the same code: where galleries
must be signed, so must this file be. Only people who are in the gallery get templates from it.
"""

import contextlib
from pathlib import Path

import msgspec

from edge.config.sections import GalleryKeys
from edge.errors import UsageError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.owner import as_owner
from edge.records import Vector

MAX_ADDED = 5
"""Templates from visits per person: more than these would outweigh the photos that were chosen."""
_SOURCE = "visit "


def additions_path(gallery: Path) -> Path:
    return gallery.with_name(f"{gallery.name}.additions")


def read_additions(gallery: Path, embedder: EmbedderId, keys: GalleryKeys, dimensions: int) -> Gallery:
    """The added templates, by person; nobody's without a file. Raises GalleryError, also for another embedder's."""
    path = additions_path(gallery)
    if not path.exists():
        return Gallery.empty(embedder, dimensions)
    return open_gallery(path, embedder, keys, dimensions)


def with_additions(gallery: Gallery, additions: Gallery) -> Gallery:
    """The gallery with the added templates of the people in it."""
    added = {person.id: (person, vectors) for person, vectors in additions.known()}
    if not any(person.id in added for person in gallery.people):
        return gallery
    known = []
    for person, vectors in gallery.known():
        extra, more = added.get(person.id, (None, []))
        grown = [*person.templates, *(extra.templates if extra else [])]
        known.append((msgspec.structs.replace(person, templates=grown), [*vectors, *more]))
    header, dimensions = gallery.header, gallery.embeddings.shape[1]
    merged = Gallery.of(header.version, header.created_at, header.embedder, dimensions, known)
    return Gallery(merged.header, merged.embeddings, gallery.signer)


def source_of(visit: str) -> str:
    """How a template from a visit is marked."""
    return f"{_SOURCE}{visit}"


def visits_in(person: Person) -> list[str]:
    """The visits from which this entry's templates come."""
    return [template.source.removeprefix(_SOURCE) for template in person.templates]


def added(additions: Gallery, person: Person, vector: Vector, template: Template, at: str) -> Gallery:
    """The next version with one more template. Raises UsageError when the person has enough of them."""
    rows = {one.id: (one, vectors) for one, vectors in additions.known()}
    entry, vectors = rows.get(person.id, (Person(person.id, person.id, []), []))
    if len(vectors) >= MAX_ADDED:
        raise UsageError(
            f"{person.name}: found {len(vectors)} templates from visits; allowed: {MAX_ADDED}; undo one first, such as "
            f"the oldest (`whosthere visit undo {visits_in(entry)[0]}`), or enrol photos"
        )
    grown = msgspec.structs.replace(entry, templates=[*entry.templates, template])
    rows[person.id] = (grown, [*vectors, vector])
    return _next(additions, list(rows.values()), at)


def without_visit(additions: Gallery, visit: str, at: str) -> Gallery:
    """The next version without the templates of a visit."""
    source, left = source_of(visit), []
    for person, vectors in additions.known():
        pairs = [(t, v) for t, v in zip(person.templates, vectors, strict=True) if t.source != source]
        if pairs:
            left.append((msgspec.structs.replace(person, templates=[t for t, _ in pairs]), [v for _, v in pairs]))
    return _next(additions, left, at)


def write_additions(additions: Gallery, gallery: Path, signing_key: Path | None, keys: GalleryKeys) -> None:
    """Write the file, or remove it when nobody is left; hold the gallery's lock. Raises GalleryError."""
    path = additions_path(gallery)
    if additions.people:
        write_gallery(additions, path, signing_key, keys=keys)
        return
    with contextlib.suppress(FileNotFoundError), as_owner(path):
        path.unlink()


def _next(additions: Gallery, known: list[tuple[Person, list[Vector]]], at: str) -> Gallery:
    header, dimensions = additions.header, additions.embeddings.shape[1]
    return Gallery.of(header.version + 1, at, header.embedder, dimensions, known)
