"""The folder of people that enrolment, training and evaluation read: one folder per person, with their photos in it.

For all three: a person is a folder directly in the folder of people. What counts as a photo goes by its content or its
suffix (`edge.capture.media_files`); photos are searched for in subfolders too. Hidden folders and files do not count,
nor do folders of a system, such as `@eaDir`. People and photos come in natural order, `2.jpg` before `10.jpg`. A photo
that counts but cannot be read is reported by its reader, with the reason: it is never passed over in silence.

For enrolment, `person.yaml` beside the photos can say more about the person. A folder with a mistake is left out and
reported; the others are enrolled.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.bare_address import hint
from edge.capture.media_files import (
    PHOTO_SUFFIXES,
    SYSTEM_FILES,
    VIDEO_SUFFIXES,
    files_within,
    is_system_folder,
    natural,
)
from edge.config import typed_yaml
from edge.errors import WhosthereError
from edge.galleries import names
from edge.galleries.gallery import Consent, Gallery, Person, end_of
from edge.terminal import path_text, print_left_out

PERSON_FILE = "person.yaml"


class PeopleError(WhosthereError):
    """The folder of people cannot be used, or has mistakes; the message lists all of them."""


class PersonFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `person.yaml` can say; every key is optional."""

    name: str | None = None
    """The name to show; None: the folder's name."""
    notes: Annotated[str, Meta(max_length=2000)] = ""
    consent: Consent | None = None
    expires: date | None = None
    """The last day on which the person may be recognised, whatever the consent."""
    faces: dict[str, Annotated[int, Meta(ge=1)]] = {}
    """Photo -> which of its faces is the person, from 1, from left to right; for photos where that is not clear."""


@dataclass(frozen=True, slots=True)
class PersonFolder:
    """One person to enrol, and their photos."""

    path: Path
    id: str
    name: str
    about: PersonFile
    pictures: list[Path]
    """In natural order."""
    similar: list[Person] = field(default_factory=list)
    """People of the earlier gallery whose names are similar, if this person is not in it."""

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day that consent and `expires` both allow, UTC; None: neither sets one."""
        consent = self.about.consent
        days = [day for day in (self.about.expires, consent.until if consent else None) if day is not None]
        return end_of(min(days)) if days else None


@dataclass(frozen=True, slots=True)
class FolderOfPeople:
    """Everybody to enrol, and what was left out."""

    people: list[PersonFolder]
    mistakes: list[str]
    """Why somebody, or a photo outside any person's folder, is left out; each line begins with the path."""
    left_out: list[str]
    """What else the folder holds and why it is not read: no mistake, but it should be said."""


def read_people(root: Path, *, videos: bool, earlier: Gallery | None = None) -> FolderOfPeople:
    """Everybody to enrol, with what person.yaml says about them; with `videos`, videos count as photos.

    Those who are in the earlier gallery by exactly the same name keep their ids. Raises PeopleError when the folder
    cannot be listed, or holds nothing to enrol.
    """
    suffixes = PHOTO_SUFFIXES | VIDEO_SUFFIXES if videos else PHOTO_SUFFIXES
    left_out: list[str] = []
    shown = _shown(root, left_out)
    mistakes = [
        f"{path}: a photo outside any person's folder; move it into the folder of its person"
        for path in shown
        if path.is_file() and path.suffix.lower() in suffixes
    ]
    people = [_person(path, mistakes, left_out, videos=videos) for path in shown if path.is_dir()]
    found = _without_namesakes([person for person in people if person is not None], mistakes)
    if not people and not mistakes:
        raise PeopleError(f"{root}: holds no folder; make one for each person, with their photos in it")
    return FolderOfPeople(_with_ids(found, earlier), mistakes, left_out)


def photos_by_person(root: Path) -> dict[str, list[Path]]:
    """Person -> photos, to train with or to measure on: each person goes by the name of their folder.

    A name that is not UTF-8 is written as `path_text` has it, as cards, lists and JSON hold nothing else.
    People without photos are left out, and so is everything outside any person's folder: a data set is somebody else's
    work, and may come with a picture of its own. Standard error says what is left out. Names are in code-point order,
    on which published figures rest: draws and splits go by it. Raises PeopleError when nobody is left.
    """
    left_out: list[str] = []
    shown = _shown(root, left_out)
    left_out += [f"{path}: left out: not in any person's folder" for path in shown if _is_stray(path)]
    found = {path_text(folder.name): photos_in(folder, left_out) for folder in shown if folder.is_dir()}
    people = {name: found[name] for name in sorted(found) if found[name]}
    left_out += [f"{root / name}: left out: a person without photos" for name in sorted(found) if not found[name]]
    print_left_out(left_out)
    if not people:
        raise PeopleError(f"{root}: no photos in it; one folder per person, with their photos in it, is expected")
    return people


def photos_in(folder: Path, left_out: list[str], *, videos: bool = False) -> list[Path]:
    """The photos of one person, with `videos` also the videos, in natural order; see `files_within`."""
    return [folder / path for path in files_within(folder, videos=videos, left_out=left_out)]


def _shown(root: Path, left_out: list[str]) -> list[Path]:
    """What a folder of people holds, without what is hidden, in natural order."""
    try:
        entries = sorted(root.iterdir(), key=lambda path: (natural(Path(path.name)), path.name))
    except OSError as error:
        raise PeopleError(f"{root}: cannot be listed: {error.strerror}{hint(str(root))}") from error
    left_out += [f"{path}: left out: a folder of the system, not of a person" for path in entries if _is_system(path)]
    left_out += [f"{path}: left out: hidden" for path in entries if path.name.startswith(".") and path.is_dir()]
    return [path for path in entries if not path.name.startswith(".") and not _is_system(path)]


def _is_stray(path: Path) -> bool:
    return not path.is_dir() and path.name.lower() not in SYSTEM_FILES


def _is_system(path: Path) -> bool:
    return is_system_folder(path) and path.is_dir()


def _person(folder: Path, mistakes: list[str], left_out: list[str], *, videos: bool) -> PersonFolder | None:
    about = _about(folder / PERSON_FILE, mistakes)
    if about is None:
        return None
    name = about.name if about.name is not None else folder.name
    if problem := names.problem(name):
        mistakes.append(f"{folder}: {name!r} cannot be a person's name: {problem}")
        return None
    pictures = photos_in(folder, left_out, videos=videos)
    inside = {path.relative_to(folder).as_posix() for path in pictures}
    if absent := sorted(set(about.faces) - inside):
        mistakes.append(f"{folder / PERSON_FILE}: faces: found {absent[0]!r}, which is no photo in the folder")
        return None
    return PersonFolder(folder, names.slug(name), names.tidy(name), about, pictures)


def _with_ids(people: list[PersonFolder], earlier: Gallery | None) -> list[PersonFolder]:
    """Give each person their id of the earlier gallery, or one that nobody else has, there or here."""
    known = {person.name: earlier.named(person.name) if earlier else None for person in people}
    ids = {p.id for p in earlier.people} if earlier else set()
    called = {person.name for person in people} | ({p.name for p in earlier.people} if earlier else set())
    found = []
    for person in people:
        before = known[person.name]
        similar = earlier.similar(person.name) if earlier and not before else []
        person_id = before.id if before else names.new_id(person.name, ids | (called - {person.name}))
        ids.add(person_id)
        found.append(replace(person, id=person_id, similar=similar))
    return found


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


def _without_namesakes(people: list[PersonFolder], mistakes: list[str]) -> list[PersonFolder]:
    """The people without those whose name another one before them has."""
    by_name: dict[str, PersonFolder] = {}
    for person in people:
        first = by_name.setdefault(person.name, person)
        if first is not person:
            mistakes.append(
                f"{person.path}: {person.name!r} is also the name of {first.path}; put their photos into one folder, "
                "or give one of them another `name` in person.yaml"
            )
    return list(by_name.values())
