"""Everything that a box holds about one person, as one ZIP file for them to take away."""

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from edge.config.loading import LoadedConfig
from edge.diary.opening import open_diary
from edge.errors import ConfigError
from edge.galleries.additions import additions_path
from edge.galleries.corrections import read_any
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, Person
from edge.people.editing import person_of
from edge.people.summary import PersonExport
from edge.storage.database import StorageError

LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The same content gives the same bytes."""
MAX_VISITS = 100_000


def export_person(loaded: LoadedConfig, name: str) -> tuple[bytes, PersonExport]:
    """A ZIP file with `person.json`, `visits.json` and the pictures of visits that name them.

    Raises GalleryError and StorageError.
    """
    path = loaded.gallery_path
    gallery = open_gallery(path, None, loaded.gallery_keys)
    person = person_of(path, gallery, name)
    visits, pictures = _visits(loaded, person)
    added = _additions(loaded, person)
    document = about(gallery, person) | {"from_visits": added, "rejected": _rejected(loaded, person)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "person.json", msgspec.json.format(msgspec.json.encode(document)))
        _add(archive, "visits.json", msgspec.json.format(msgspec.json.encode(visits)))
        for visit, jpeg in pictures.items():
            _add(archive, f"pictures/{visit}.jpg", jpeg)
    return stream.getvalue(), PersonExport(person.id, person.name, len(person.templates), len(visits), len(pictures))


def about(gallery: Gallery, person: Person) -> dict[str, Any]:
    """Everything that a gallery holds about one person, for JSON."""
    return {
        "gallery": {"version": gallery.header.version, "embedder": gallery.header.embedder},
        "person": person,
        "embeddings": [[float(x) for x in vector] for vector in gallery.vectors(person)],
    }


def _visits(loaded: LoadedConfig, person: Person) -> tuple[list[Any], dict[str, bytes]]:
    """The visits in which they occur, and the pictures of those that name them."""
    try:
        with open_diary(loaded) as diary:
            found = [visit for visit in diary.visits(MAX_VISITS) if person.id in visit.people]
            named = [visit.id for visit in found if visit.person_id == person.id]
            pictures = {visit: diary.picture(visit) for visit in named}
    except (ConfigError, StorageError):
        if Path(loaded.config.diary.path).exists() and loaded.config.diary.keep_days:
            raise
        return [], {}
    return found, {visit: jpeg for visit, jpeg in pictures.items() if jpeg is not None}


def _additions(loaded: LoadedConfig, person: Person) -> list[Any]:
    path = additions_path(loaded.gallery_path)
    if not path.exists():
        return []
    additions = open_gallery(path, None, loaded.gallery_keys)
    known = next((one for one in additions.people if one.id == person.id), None)
    return [about(additions, known)] if known else []


def _rejected(loaded: LoadedConfig, person: Person) -> list[Any]:
    corrections = read_any(loaded.gallery_path)
    return [] if corrections is None else corrections.of(person.id)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
