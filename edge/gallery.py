"""The known people: one safetensors file of templates with a JSON header. Immutable once opened.

Layout: tensor `embeddings` (n, d) float32, rows in the order of the people in the header; metadata key
`whosthere` holds the header as JSON; tensor `sha256` (32,) uint8 is the digest of that JSON text followed by the
embeddings' bytes. There is no code in such a file, unlike in a pickle.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import safetensors
from msgspec import Meta
from numpy.typing import NDArray
from safetensors.numpy import save

from edge import names
from edge.errors import GalleryError
from edge.records import Vector, frozen

HEADER = "whosthere"
TENSOR = "embeddings"
DIGEST = "sha256"
UNIT_TOLERANCE = 1e-3


class Template(msgspec.Struct, frozen=True):
    """Where one embedding came from."""

    source: str
    """Name of the photo, with its path inside the folder that was given, if any; or `camera`."""
    quality: float
    added_at: str
    """RFC 3339, UTC."""


class Person(msgspec.Struct, frozen=True):
    """Somebody in the gallery; their templates are as many rows of the embeddings."""

    id: Annotated[str, Meta(pattern="^[a-z0-9_-]{1,64}$")]
    name: Annotated[str, Meta(min_length=1, max_length=names.MAX_NAME)]
    templates: Annotated[list[Template], Meta(min_length=1)]


class EmbedderId(msgspec.Struct, frozen=True):
    """Which embedder made the templates: those of another one mean nothing here."""

    name: str
    sha256: str


class Header(msgspec.Struct, frozen=True):
    """All that a gallery file says besides the embeddings."""

    schema_version: Literal[1]
    version: int
    """One more at every change."""
    created_at: str
    embedder: EmbedderId
    people: list[Person]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Known people and their templates."""

    header: Header
    embeddings: NDArray[np.float32]
    """(n, d), rows of length one, grouped by person in the header's order; read-only."""

    @classmethod
    def empty(cls, embedder: EmbedderId, dimensions: int) -> "Gallery":
        """Nobody yet, version 0."""
        header = Header(1, 0, "1970-01-01T00:00:00Z", embedder, [])
        return cls(header, frozen(np.zeros((0, dimensions), np.float32)))

    @property
    def people(self) -> list[Person]:
        return self.header.people

    @property
    def owners(self) -> NDArray[np.intp]:
        """(n,) index into `people` of each row."""
        return np.repeat(np.arange(len(self.people)), [len(p.templates) for p in self.people])

    def person(self, name_or_id: str) -> Person | None:
        """By id or name; else by what the name comes down to, so that capitals and accents may be left out."""
        exact = next((p for p in self.people if name_or_id in (p.id, p.name)), None)
        return exact or next((p for p in self.people if p.id == names.slug(name_or_id)), None)

    def vectors(self, person: Person) -> NDArray[np.float32]:
        """(n, d) the templates of one of `people`."""
        rows: NDArray[np.float32] = self.embeddings[self.owners == self.people.index(person)]
        return rows

    def with_templates(self, name: str, vectors: list[Vector], templates: list[Template], at: str) -> "Gallery":
        """The next version, with templates added to a person, who is created if need be. Raises GalleryError."""
        if problem := names.problem(name):
            raise GalleryError(f"{name!r} cannot be a person's name: {problem}")
        old = self.person(name)
        person_id, shown = (old.id, old.name) if old else (names.slug(name), names.tidy(name))
        rows = self._rows()
        rows.setdefault(person_id, (shown, [], []))
        rows[person_id][1].extend(templates)
        rows[person_id][2].extend(vectors)
        return self._next(rows, at)

    def without(self, name_or_id: str, at: str) -> "Gallery":
        """The next version, without a person. Raises GalleryError when nobody is called so."""
        person = self.person(name_or_id)
        if person is None:
            known = ", ".join(p.name for p in self.people) or "nobody"
            raise GalleryError(f"{name_or_id!r} is not in the gallery; it holds {known}")
        rows = self._rows()
        del rows[person.id]
        return self._next(rows, at)

    def _rows(self) -> dict[str, tuple[str, list[Template], list[Vector]]]:
        rows, start = {}, 0
        for person in self.people:
            end = start + len(person.templates)
            rows[person.id] = (person.name, list(person.templates), list(self.embeddings[start:end]))
            start = end
        return rows

    def _next(self, rows: dict[str, tuple[str, list[Template], list[Vector]]], at: str) -> "Gallery":
        people = [Person(person_id, name, templates) for person_id, (name, templates, _) in rows.items()]
        vectors = [vector for _, _, some in rows.values() for vector in some]
        header = Header(1, self.header.version + 1, at, self.header.embedder, people)
        stacked = np.array(vectors, np.float32).reshape(-1, self.embeddings.shape[1])
        return Gallery(header, frozen(stacked))


def lookalikes(gallery: Gallery, threshold: float) -> list[tuple[Person, Person, float]]:
    """Pairs of people of whom two templates are at least that similar, most similar first."""
    owners = gallery.owners
    found = []
    for a, b in combinations(range(len(gallery.people)), 2):
        best = float((gallery.embeddings[owners == a] @ gallery.embeddings[owners == b].T).max())
        if best >= threshold:
            found.append((gallery.people[a], gallery.people[b], best))
    return sorted(found, key=lambda pair: -pair[2])


def open_gallery(path: Path, embedder: EmbedderId | None) -> Gallery:
    """Read and verify a gallery; `embedder` is the one in use, None to accept any.

    Raises GalleryError naming the file when it is missing, damaged, of another schema or embedder.
    """
    try:
        # safetensors reports whatever it may not read as missing.
        path.open("rb").close()
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise GalleryError(f"{path}: no such gallery; make one with `whosthere enroll --gallery {path} ...`") from error
    except OSError as error:
        raise GalleryError(f"{path}: cannot be read: {error.strerror or error}") from error
    except safetensors.SafetensorError as error:
        raise GalleryError(f"{path}: not a gallery, or damaged: {error}; {_REMEDY}") from error
    header = _header(path, metadata)
    if embedder is not None and header.embedder.sha256 != embedder.sha256:
        raise GalleryError(
            f"{path}: made with the embedder {header.embedder.name} ({header.embedder.sha256[:12]}...), but "
            f"{embedder.name} ({embedder.sha256[:12]}...) is in use: enrol the photos again"
        )
    if TENSOR not in tensors or bytes(tensors.get(DIGEST, b"")) != _digest(metadata[HEADER], tensors[TENSOR]):
        raise GalleryError(f"{path}: damaged: its contents are not those that were written; {_REMEDY}")
    embeddings = tensors[TENSOR]
    _check(path, header, embeddings)
    return Gallery(header, frozen(embeddings))


_REMEDY = "put a good copy in its place, or enrol the photos again"


def _digest(header: str, embeddings: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(header.encode() + embeddings.tobytes()).digest()


def _header(path: Path, metadata: dict[str, str]) -> Header:
    try:
        return msgspec.json.decode(metadata[HEADER].encode(), type=Header)
    except KeyError as error:
        raise GalleryError(f"{path}: a safetensors file, but not a gallery: it has no `{HEADER}` header") from error
    except msgspec.DecodeError as error:
        raise GalleryError(f"{path}: the gallery's header is not valid: {error}") from error


def _check(path: Path, header: Header, embeddings: NDArray[np.float32]) -> None:
    rows = sum(len(person.templates) for person in header.people)
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != rows:
        raise GalleryError(
            f"{path}: damaged: the header speaks of {rows} templates, but the embeddings are "
            f"{embeddings.dtype}{embeddings.shape}"
        )
    lengths = np.linalg.norm(embeddings, axis=1)
    if not np.isfinite(lengths).all() or (np.abs(lengths - 1) > UNIT_TOLERANCE).any():
        raise GalleryError(f"{path}: damaged: some embeddings are not unit vectors")
    ids = [person.id for person in header.people]
    if len(set(ids)) != len(ids):
        raise GalleryError(f"{path}: damaged: a person id occurs twice")


def write_gallery(gallery: Gallery, path: Path) -> None:
    """Write beside, sync, rename: whatever happens, `path` holds the old gallery or the new one, whole.

    Raises GalleryError naming the file when it cannot be written.
    """
    path = path.resolve()
    header = msgspec.json.encode(gallery.header).decode()
    embeddings = np.ascontiguousarray(gallery.embeddings)
    digest = np.frombuffer(_digest(header, embeddings), np.uint8)
    content = save({TENSOR: embeddings, DIGEST: digest}, metadata={HEADER: header})
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            _inherit(file.fileno(), path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise GalleryError(f"{path}: cannot be written: {error.strerror or error}") from error


def _inherit(file: int, path: Path) -> None:
    """Faces are personal data: for owner and group alone. Written by root, they still belong to the daemon's user."""
    old = path.stat() if path.exists() else None
    os.fchmod(file, old.st_mode & 0o777 if old else 0o640)
    if os.geteuid() == 0:
        like = old or path.parent.stat()
        os.fchown(file, like.st_uid, like.st_gid)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Keep others from changing galleries of this folder meanwhile, so that no change is lost.

    Raises GalleryError when somebody else is at it, or when there is no such folder.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise GalleryError(f"{path}: its folder cannot be used: {error.strerror}; make it first") from error
    try:
        _lock(folder, path)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise GalleryError(
            f"{path}: another `whosthere` is changing it right now; try again when it is done"
        ) from error
    except OSError:
        # Some network file systems cannot lock a folder; then there is no protection to be had.
        return
