"""A folder of photos a person, with what `person.yaml` beside the photos says of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.capture.photos import PHOTO_SUFFIXES, VIDEO_SUFFIXES, natural
from edge.config import typed_yaml
from edge.errors import WhosthereError
from edge.galleries import names
from edge.galleries.gallery import Consent

PERSON_FILE = "person.yaml"


class PeopleError(WhosthereError):
    """The folder of people is not as it should be; lists all that is wrong with it."""


class PersonFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `person.yaml` can say; all of it may be left out."""

    name: str | None = None
    """As it is to be shown; the folder's name when left out."""
    notes: Annotated[str, Meta(max_length=2000)] = ""
    consent: Consent | None = None
    expires: date | None = None
    """The last day on which the person may be recognised, whatever the consent."""


@dataclass(frozen=True, slots=True)
class PersonFolder:
    """One person and their pictures."""

    path: Path
    id: str
    name: str
    about: PersonFile
    pictures: list[Path]
    """In the order in which a person would list them."""

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day that consent and `expires` both allow, UTC; None: neither sets one."""
        consent = self.about.consent
        days = [day for day in (self.about.expires, consent.until if consent else None) if day is not None]
        return end_of(min(days)) if days else None


def end_of(day: date) -> datetime:
    """The first moment after a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def read_people(root: Path, *, videos: bool) -> list[PersonFolder]:
    """Everybody in a folder of folders, in the order of their names; `videos` count as pictures, too, if wanted.

    Raises PeopleError with every mistake of every person at once.
    """
    suffixes = PHOTO_SUFFIXES | VIDEO_SUFFIXES if videos else PHOTO_SUFFIXES
    try:
        entries = sorted(root.iterdir(), key=lambda path: natural(Path(path.name)))
    except OSError as error:
        raise PeopleError(f"{root}: cannot be listed: {error.strerror}") from error
    shown = [path for path in entries if not path.name.startswith(".")]
    mistakes = [f"{path}: a photo outside any person's folder" for path in shown if _is_picture(path, suffixes)]
    people = [_person(path, suffixes, mistakes) for path in shown if path.is_dir()]
    found = [person for person in people if person is not None]
    mistakes += _namesakes(found)
    if not people and not mistakes:
        mistakes.append(f"{root}: holds no folder; make one for each person, with their photos in it")
    if mistakes:
        raise PeopleError("\n".join(mistakes))
    return found


def _is_picture(path: Path, suffixes: frozenset[str]) -> bool:
    return path.is_file() and path.suffix.lower() in suffixes


def _person(folder: Path, suffixes: frozenset[str], mistakes: list[str]) -> PersonFolder | None:
    about = _about(folder / PERSON_FILE, mistakes)
    if about is None:
        return None
    name = about.name if about.name is not None else folder.name
    if problem := names.problem(name):
        mistakes.append(f"{folder}: {name!r} cannot be a person's name: {problem}")
        return None
    found = [path for path in folder.rglob("*") if _is_picture(path, suffixes)]
    inside = [path.relative_to(folder) for path in found]
    seen = sorted((p for p in inside if not any(part.startswith(".") for part in p.parts)), key=natural)
    return PersonFolder(folder, names.slug(name), names.tidy(name), about, [folder / p for p in seen])


def _about(path: Path, mistakes: list[str]) -> PersonFile | None:
    if not path.exists():
        return PersonFile()
    try:
        document = typed_yaml.read(path)
        return typed_yaml.convert({} if document is None else document, PersonFile)
    except OSError as error:
        mistakes.append(f"{path}: cannot be read: {error.strerror}")
    except typed_yaml.Mistakes as error:
        mistakes.extend(f"{path}: {line}" for line in error.lines)
    return None


def _namesakes(people: list[PersonFolder]) -> list[str]:
    by_id: dict[str, PersonFolder] = {}
    mistakes = []
    for person in people:
        first = by_id.setdefault(person.id, person)
        if first is not person:
            mistakes.append(
                f"{person.path}: {person.name!r} has the same id ({person.id}) as {first.name!r} in {first.path}; "
                "put their photos into one folder, or give one of them another `name` in person.yaml"
            )
    return mistakes
