"""Two galleries that were changed separately -> one: neither side overwrites the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from edge.errors import GalleryError
from edge.galleries.gallery import Gallery, Person, Template
from edge.records import Vector

Side = Literal["mine", "theirs"]
ABOUT = ("name", "notes", "consent", "expires_at")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that both sides changed, differently."""

    person: str
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The merged gallery. Conflicts are decided for the preferred side, or for mine if none is preferred."""

    gallery: Gallery
    conflicts: list[Conflict]
    added: list[str]
    """Ids of people who are new in my gallery."""
    removed: list[str]
    """Ids of people who are no longer in it."""


Rows = dict[bytes, tuple[Template, Vector]]
PersonRows = tuple[Person, Rows]


def merge(mine: Gallery, theirs: Gallery, base: Gallery | None = None, prefer: Side | None = None) -> Merged:
    """Merge person by person. `base` is what both started from; without it, nobody counts as removed.

    Raises GalleryError when they were made with different embedders.
    """
    if mine.header.embedder.sha256 != theirs.header.embedder.sha256:
        raise GalleryError("the galleries were made with different embedders: enrol the photos again")
    ours, other, before = _by_id(mine), _by_id(theirs), _by_id(base) if base else {}
    conflicts: list[Conflict] = []
    people = []
    for person in [*ours, *(one for one in other if one not in ours)]:
        one = _merged(ours.get(person), other.get(person), before.get(person), prefer or "mine", conflicts.append)
        if one is not None:
            templates, vectors = zip(*one[1].values(), strict=True)
            people.append((msgspec.structs.replace(one[0], templates=list(templates)), list(vectors)))
    version = max(mine.header.version, theirs.header.version) + 1
    at = max(mine.header.created_at, theirs.header.created_at)
    gallery = Gallery.of(version, at, mine.header.embedder, mine.embeddings.shape[1], people)
    left = {person.id for person in gallery.people}
    return Merged(gallery, conflicts, sorted(left - ours.keys()), sorted(ours.keys() - left))


def _by_id(gallery: Gallery) -> dict[str, PersonRows]:
    return {
        person.id: (
            person,
            {v.tobytes(): (t, v) for t, v in zip(person.templates, vectors, strict=True)},
        )
        for person, vectors in gallery.known()
    }


def _merged(
    mine: PersonRows | None,
    theirs: PersonRows | None,
    base: PersonRows | None,
    prefer: Side,
    conflict: Callable[[Conflict], None],
) -> PersonRows | None:
    """One person, merged; None: the person is removed."""
    if mine is None or theirs is None:
        there = mine or theirs
        if there is None or base is None:
            return there
        if _same(there, base):
            return None
        changed: Side = "mine" if mine else "theirs"
        conflict(Conflict(there[0].id, f"removed on one side, changed on the other ({changed})"))
        return there if changed == prefer else None
    about = mine[0]
    for field in ABOUT:
        ours, other = getattr(mine[0], field), getattr(theirs[0], field)
        old = getattr(base[0], field) if base else None
        if ours == other or (base and other == old):
            continue
        if not (base and ours == old):
            conflict(Conflict(about.id, f"{field}: {ours!s} in mine, {other!s} in theirs"))
            if prefer == "mine":
                continue
        about = msgspec.structs.replace(about, **{field: other})
    rows = _rows(mine[1], theirs[1], base[1] if base else {})
    if not rows:
        conflict(Conflict(about.id, "each side removed the templates that the other kept"))
        rows = mine[1] if prefer == "mine" else theirs[1]
    return about, rows


def _rows(mine: Rows, theirs: Rows, base: Rows) -> Rows:
    """The templates of both sides, without those that one side removed."""
    gone = {key for key in base if key not in mine or key not in theirs}
    return {key: row for key, row in (mine | theirs).items() if key not in gone}


def _same(one: PersonRows, other: PersonRows) -> bool:
    return one[1].keys() == other[1].keys() and all(getattr(one[0], f) == getattr(other[0], f) for f in ABOUT)
