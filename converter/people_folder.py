"""The folder of people that enrolment, training and evaluation read: one folder per person, with their photos in it.

For all three: a person is a folder directly in the folder of people. What counts as a photo goes by its suffix
(`edge.capture.photos`); photos are searched for in subfolders too. Hidden folders and files do not count. People and
photos come in natural order, `2.jpg` before `10.jpg`. A photo that counts but cannot be read is reported by its reader,
with the reason: it is never passed over in silence.

For enrolment, `person.yaml` beside the photos can say more about the person, and every mistake in the folder is an
error.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.capture.photos import PHOTO_SUFFIXES, VIDEO_SUFFIXES, files_within, natural
from edge.config import typed_yaml
from edge.errors import WhosthereError
from edge.galleries import names
from edge.galleries.gallery import Consent

PERSON_FILE = "person.yaml"


class PeopleError(WhosthereError):
    """The folder of people has mistakes; the message lists all of them."""


class PersonFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `person.yaml` can say; every key is optional."""

    name: str | None = None
    """The name to show; None: the folder's name."""
    notes: Annotated[str, Meta(max_length=2000)] = ""
    consent: Consent | None = None
    expires: date | None = None
    """The last day on which the person may be recognised, whatever the consent."""


@dataclass(frozen=True, slots=True)
class PersonFolder:
    """One person to enrol, and their photos."""

    path: Path
    id: str
    name: str
    about: PersonFile
    pictures: list[Path]
    """In natural order."""

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
    """Everybody to enrol, with what person.yaml says about them; with `videos`, videos count as photos.

    Raises PeopleError with every mistake of every person at once.
    """
    suffixes = PHOTO_SUFFIXES | VIDEO_SUFFIXES if videos else PHOTO_SUFFIXES
    shown = _shown(root)
    mistakes = [
        f"{path}: a photo outside any person's folder; move it into the folder of its person"
        for path in shown
        if path.is_file() and path.suffix.lower() in suffixes
    ]
    people = [_person(path, suffixes, mistakes) for path in shown if path.is_dir()]
    found = [person for person in people if person is not None]
    mistakes += _namesakes(found)
    if not people and not mistakes:
        mistakes.append(f"{root}: holds no folder; make one for each person, with their photos in it")
    if mistakes:
        raise PeopleError("\n".join(mistakes))
    return found


def photos_by_person(root: Path) -> dict[str, list[Path]]:
    """Person -> photos, to train with or to measure on: each person goes by the name of their folder.

    People without photos are left out, and so are photos outside any person's folder: a data set is somebody else's
    work, and may come with a picture of its own. Names are in code-point order, on which published figures rest: draws
    and splits go by it. Raises PeopleError when nobody is left.
    """
    found = {folder.name: photos_in(folder) for folder in _shown(root) if folder.is_dir()}
    people = {name: found[name] for name in sorted(found) if found[name]}
    if not people:
        raise PeopleError(f"{root}: no photos in it; one folder per person, with their photos in it, is expected")
    return people


def photos_in(folder: Path, suffixes: frozenset[str] = PHOTO_SUFFIXES) -> list[Path]:
    """The photos of one person, in natural order."""
    return [folder / path for path in files_within(folder, suffixes)]


def _shown(root: Path) -> list[Path]:
    """What a folder of people holds, without what is hidden, in natural order."""
    try:
        entries = sorted(root.iterdir(), key=lambda path: (natural(Path(path.name)), path.name))
    except OSError as error:
        raise PeopleError(f"{root}: cannot be listed: {error.strerror}") from error
    return [path for path in entries if not path.name.startswith(".")]


def _person(folder: Path, suffixes: frozenset[str], mistakes: list[str]) -> PersonFolder | None:
    about = _about(folder / PERSON_FILE, mistakes)
    if about is None:
        return None
    name = about.name if about.name is not None else folder.name
    if problem := names.problem(name):
        mistakes.append(f"{folder}: {name!r} cannot be a person's name: {problem}")
        return None
    return PersonFolder(folder, names.slug(name), names.tidy(name), about, photos_in(folder, suffixes))


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
