"""The known people and their templates. Immutable; `file` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edge.errors import GalleryError
from edge.galleries import names
from edge.models.measure import COSINE, Measure
from edge.records import SeenFaces, Vector, read_only

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np

SCHEMA: Literal[2] = 2


class Template(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The origin of one embedding."""

    source: str
    """The photo's path within the folder that was given, or its name; or `camera`. Printable (`names.printable`)."""
    quality: float
    added_at: str
    """RFC 3339, UTC."""
    infrared: bool = False
    """Made from a grey picture. Not written when false; earlier releases ignore it."""
    yaw: float | None = None
    """Degrees that the head was turned, positive to the right of the picture; None: not recorded.

    Earlier releases ignore it, and `brightness`.
    """
    brightness: float | None = None
    """Mean luma of the face, 0..255; None: not recorded."""


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That somebody agreed to be recognised."""

    given_by: Annotated[str, Meta(min_length=1, max_length=names.MAX_NAME)]
    """The person, or somebody entitled to speak for them."""
    given_on: date
    purpose: Annotated[str, Meta(min_length=1, max_length=500)]
    """What the recognition is for."""
    until: date | None = None
    """The last day on which it is valid; None: until it is withdrawn."""


class Person(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Somebody in the gallery; their templates are as many rows of the embeddings."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}\Z")]
    name: Annotated[str, Meta(min_length=1, max_length=names.MAX_NAME)]
    templates: Annotated[list[Template], Meta(min_length=1)]
    notes: Annotated[str, Meta(max_length=2000)] = ""
    consent: Consent | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    """From then on they must not be recognised; None: no limit."""
    guest: bool = False
    """The box deletes them, and everything about them, at `expires_at`. Earlier releases ignore it."""


class EmbedderId(msgspec.Struct, frozen=True):
    """The embedder that made the templates; another embedder cannot compare them."""

    name: str
    sha256: str


class Header(msgspec.Struct, frozen=True):
    """Everything in a gallery file except the embeddings."""

    schema_version: Literal[1, 2]
    """Version 2 added consent and expiry. Both versions are read, 2 is written."""
    version: Annotated[int, Meta(ge=0, le=2**53)]
    """Incremented by every change."""
    created_at: str
    embedder: EmbedderId
    people: list[Person]

    @property
    def size(self) -> int:
        """How many templates there are."""
        return sum(len(person.templates) for person in self.people)

    def named(self, name: str) -> Person | None:
        """The person of exactly this name; None: nobody, however similar another name is."""
        return next((p for p in self.people if names.tidy(p.name) == names.tidy(name)), None)

    def similar(self, name: str) -> list[Person]:
        """Everybody whose name differs from this one only in case, accents and signs, or whose id it is."""
        wanted = {name, names.slug(name)}
        return [p for p in self.people if p.id in wanted or names.slug(p.name) in wanted]

    def person(self, name_or_id: str) -> Person | None:
        """Find a person by id or name; unless there is an exact one, case, accents and signs do not matter.

        Raises GalleryError when it may be several people: somebody's id can be another's name.
        """
        tidy = names.tidy(name_or_id)
        exact = [p for p in self.people if name_or_id == p.id or tidy == names.tidy(p.name)]
        found = exact or self.similar(name_or_id)
        if len(found) > 1:
            several = ", ".join(f"{p.name} ({p.id})" for p in found)
            raise GalleryError(f"found several people called {name_or_id!r}: {several}; give an exact name or an id")
        return found[0] if found else None


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Known people and their templates."""

    header: Header
    embeddings: NDArray[np.float32]
    """(n, d), rows of length one, grouped by person in the header's order; read-only."""
    signer: str | None = None
    """The principal whose signature was verified on opening; None: no signature was required."""

    @classmethod
    def empty(cls, embedder: EmbedderId, dimensions: int) -> Gallery:
        """A gallery of nobody, version 0."""
        header = Header(SCHEMA, 0, "1970-01-01T00:00:00Z", embedder, [])
        return cls(header, read_only(np.zeros((0, dimensions), np.float32)))

    @classmethod
    def of(
        cls, version: int, at: str, embedder: EmbedderId, dimensions: int, known: list[tuple[Person, list[Vector]]]
    ) -> Gallery:
        """A gallery of these people, each with as many vectors as templates."""
        people = [person for person, _ in known]
        vectors = [vector for _, some in known for vector in some]
        stacked = np.array(vectors, np.float32).reshape(-1, dimensions)
        return cls(Header(SCHEMA, version, at, embedder, people), read_only(stacked))

    @property
    def people(self) -> list[Person]:
        return self.header.people

    @property
    def owners(self) -> NDArray[np.intp]:
        """(n,) index into `people` of each row."""
        return np.repeat(np.arange(len(self.people)), [len(p.templates) for p in self.people])

    @property
    def faces(self) -> SeenFaces:
        """Everybody's templates, with the light in which each was seen."""
        marks = [template.infrared for person in self.people for template in person.templates]
        return SeenFaces(self.embeddings, np.array(marks, np.bool_))

    def named(self, name: str) -> Person | None:
        return self.header.named(name)

    def similar(self, name: str) -> list[Person]:
        return self.header.similar(name)

    def person(self, name_or_id: str) -> Person | None:
        return self.header.person(name_or_id)

    def vectors(self, person: Person) -> NDArray[np.float32]:
        """The templates of one of `people`, (n, d)."""
        rows: NDArray[np.float32] = self.embeddings[self.owners == self.people.index(person)]
        return rows

    def seen(self, person: Person) -> SeenFaces:
        """The templates of one of `people`, with the light in which each was seen."""
        return SeenFaces(self.vectors(person), np.array([t.infrared for t in person.templates], np.bool_))

    def known(self) -> list[tuple[Person, list[Vector]]]:
        """Everybody, with their vectors."""
        ends = np.cumsum([len(person.templates) for person in self.people])
        spans = zip(self.people, ends, strict=True)
        return [(person, list(self.embeddings[end - len(person.templates) : end])) for person, end in spans]

    def with_templates(self, name: str, vectors: list[Vector], templates: list[Template], at: str) -> Gallery:
        """The next version, with templates added to the person of exactly this name, who may be new.

        Raises GalleryError when nobody can be called that.
        """
        if problem := names.problem(name):
            raise GalleryError(f"{name!r} is not allowed as a name: {problem}")
        known = self.named(name) or Person(self.new_id(name), names.tidy(name), [])
        rows = {person.id: (person, vectors) for person, vectors in self.known()}
        had = rows.get(known.id, (known, []))[1]
        grown = msgspec.structs.replace(known, templates=[*known.templates, *templates])
        rows[known.id] = (grown, [*had, *vectors])
        return self._next(list(rows.values()), at)

    def new_id(self, name: str) -> str:
        """An id for somebody of this name who is not in the gallery."""
        return names.new_id(name, {text for p in self.people for text in (p.id, p.name)})

    def renamed(self, person: Person, name: str, at: str) -> Gallery:
        """The next version, in which one of `people` has another name; id, templates and consent stay.

        Raises GalleryError when nobody can be called that, or somebody else is.
        """
        if problem := names.problem(name):
            raise GalleryError(f"{name!r} is not allowed as a name: {problem}")
        other = self.named(name)
        if other is not None and other is not person:
            raise GalleryError(f"{names.tidy(name)!r} is already the name of {other.id}; found it for {person.id}")
        return self.with_about(person, at, name=names.tidy(name))

    def merged(self, kept: Person, other: Person, at: str) -> Gallery:
        """The next version, in which two entries are one person: `kept`, with the templates of both.

        Consent, notes and end date of `other` are taken over only where `kept` has none. Raises GalleryError for one
        and the same person.
        """
        if kept is other:
            raise GalleryError(f"found {kept.name} twice; allowed: two entries of the gallery")
        rows = {vector.tobytes() for vector in self.vectors(kept)}
        pairs = list(zip(other.templates, self.vectors(other), strict=True))
        more = [(template, vector) for template, vector in pairs if vector.tobytes() not in rows]
        both = msgspec.structs.replace(
            kept,
            templates=[*kept.templates, *(template for template, _ in more)],
            notes=kept.notes or other.notes,
            consent=kept.consent or other.consent,
            expires_at=kept.expires_at if kept.expires_at or kept.consent else other.expires_at,
            guest=kept.guest and other.guest,
        )
        known = [
            (both, [*vectors, *(v for _, v in more)]) if one is kept else (one, vectors)
            for one, vectors in self.known()
            if one is not other
        ]
        return self._next(known, at)

    def with_about(self, person: Person, at: str, **about: Any) -> Gallery:
        """The next version, in which fields of one of `people` are others, such as `consent`."""
        changed = msgspec.structs.replace(person, **about)
        return self._next([(changed if one is person else one, vectors) for one, vectors in self.known()], at)

    def without(self, name_or_id: str, at: str) -> Gallery:
        """The next version, without a person. Raises GalleryError when nobody has that name or id."""
        person = next((p for p in self.people if p.id == name_or_id), None) or self.person(name_or_id)
        if person is None:
            raise GalleryError(names.nobody_called(name_or_id, (p.name for p in self.people)))
        return self._next([row for row in self.known() if row[0] is not person], at)

    def without_template(self, person: Person, index: int, at: str) -> Gallery:
        """The next version, in which one of `people` has one template less. Raises GalleryError for their only one."""
        if len(person.templates) < 2:
            raise GalleryError(f"{person.name}: found one template; with none, nobody is recognised: remove the person")
        rows = []
        for one, vectors in self.known():
            kept = [place for place in range(len(vectors)) if one is not person or place != index]
            left = msgspec.structs.replace(one, templates=[one.templates[place] for place in kept])
            rows.append((left, [vectors[place] for place in kept]))
        return self._next(rows, at)

    def unexpired(self, now: datetime) -> Gallery:
        """Only the people who have not expired; the same object when nobody has."""
        expired = [p.expires_at is not None and p.expires_at <= now for p in self.people]
        if not any(expired):
            return self
        people = [p for p, gone in zip(self.people, expired, strict=True) if not gone]
        header = msgspec.structs.replace(self.header, people=people)
        return Gallery(header, read_only(self.embeddings[~np.array(expired)[self.owners]]), self.signer)

    def _next(self, known: list[tuple[Person, list[Vector]]], at: str) -> Gallery:
        dimensions = self.embeddings.shape[1]
        return Gallery.of(self.header.version + 1, at, self.header.embedder, dimensions, known)


def end_of(day: date) -> datetime:
    """The first moment after a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def timestamp() -> str:
    """Now, as galleries record times: RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lookalikes(gallery: Gallery, threshold: float, measure: Measure = COSINE) -> list[tuple[Person, Person, float]]:
    """Pairs of people of whom two templates are at least that similar, most similar first."""
    owners = gallery.owners
    found = []
    for a, b in combinations(range(len(gallery.people)), 2):
        best = float(measure.between(gallery.embeddings[owners == a], gallery.embeddings[owners == b]).max())
        if best >= threshold:
            found.append((gallery.people[a], gallery.people[b], best))
    return sorted(found, key=lambda pair: -pair[2])
