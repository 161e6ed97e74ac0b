"""Two galleries that were changed separately -> one: neither side overwrites the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from edge.errors import GalleryError
from edge.galleries import names
from edge.galleries.gallery import Gallery, Person, Template
from edge.records import Vector

Side = Literal["mine", "theirs"]
ABOUT = ("name", "notes", "consent", "expires_at", "guest")


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

    An id alone makes nobody the same person: both sides may have given one to different people of similar names.
    Raises GalleryError when they were made with different embedders.
    """
    if mine.header.embedder.sha256 != theirs.header.embedder.sha256:
        raise GalleryError("the galleries were made with different embedders: enrol the photos again")
    ours = _by_id(mine)
    before = _aligned(_by_id(base) if base else {}, [ours])
    other = _aligned(_by_id(theirs), [ours, before])
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


def _aligned(people: dict[str, PersonRows], references: Sequence[dict[str, PersonRows]]) -> dict[str, PersonRows]:
    """The people of one side, under the ids that the same people have in the references.

    Somebody whose id belongs to another person there gets a new one.
    """
    found: dict[str, PersonRows] = {}
    unmatched = []
    for known in people.values():
        match = _match(known, references, found)
        if match is None:
            unmatched.append(known)
        else:
            found[match] = known
    taken = {text for side in [found, *references] for key, known in side.items() for text in (key, known[0].name)}
    for known in unmatched:
        person = known[0]
        key = names.new_id(person.name, taken | people.keys()) if person.id in taken else person.id
        taken |= {key, person.name}
        found[key] = known
    return {key: (msgspec.structs.replace(person, id=key), rows) for key, (person, rows) in found.items()}


def _match(
    known: PersonRows, references: Sequence[dict[str, PersonRows]], used: Mapping[str, PersonRows]
) -> str | None:
    """The id of the same person in the references: by their id, else by their exact name; None: they have none."""
    person = known[0]
    for side in references:
        if person.id in side and person.id not in used and _same_person(known, side[person.id]):
            return person.id
    for side in references:
        for key, other in side.items():
            if key not in used and _namesakes(person, other[0]):
                return key
    return None


def _same_person(one: PersonRows, other: PersonRows) -> bool:
    """Whether two entries of one id are one person: of one name, or with a template in common (they were renamed)."""
    return _namesakes(one[0], other[0]) or not one[1].keys().isdisjoint(other[1])


def _namesakes(one: Person, other: Person) -> bool:
    return names.tidy(one.name) == names.tidy(other.name)


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
