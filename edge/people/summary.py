"""What the owner should know about each person: when they were seen, what photos show, and who looks like them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.config.loading import LoadedConfig
from edge.diary.opening import open_diary
from edge.diary.reader import DiaryReader
from edge.errors import ConfigError
from edge.galleries.additions import additions_path
from edge.galleries.coverage import Coverage, coverage
from edge.galleries.gallery import Consent, Person, Template
from edge.galleries.sealed import open_header
from edge.storage.database import StorageError

RECENT = 20
"""Among so many of somebody's visits a picture is looked for."""


class Lookalike(msgspec.Struct, frozen=True):
    """Somebody who can be mistaken for another person."""

    id: str
    name: str
    similarity: float


class PersonSummary(msgspec.Struct, frozen=True):
    """One person of a box."""

    id: str
    name: str
    templates: list[Template]
    from_visits: list[Template]
    coverage: Coverage
    last_seen: float | None
    """When their last visit began, in seconds since the epoch; None: the diary has none."""
    portrait: str | None
    """A visit of theirs whose picture is kept; None: none is."""
    consent: Consent | None
    expires_at: datetime | None
    expired: bool
    guest: bool
    notes: str
    alike: list[Lookalike]

    @property
    def until(self) -> str:
        """The last day on which they are recognised; empty: no end."""
        if self.consent is not None and self.consent.until is not None:
            return str(self.consent.until)
        return f"{self.expires_at:%Y-%m-%d}" if self.expires_at else ""


class PersonExport(msgspec.Struct, frozen=True):
    """What was put into the file."""

    person_id: str
    name: str
    templates: int
    visits: int
    pictures: int


def summaries(loaded: LoadedConfig, alike: Mapping[str, list[Lookalike]]) -> list[PersonSummary]:
    """Everybody in the gallery, by name; `alike` is who looks like whom, by id.

    Raises GalleryError; without a diary, nobody has been seen.
    """
    gallery = open_header(loaded.gallery_path, None, loaded.gallery_keys)
    added = _added(loaded)
    try:
        with open_diary(loaded) as diary:
            found = [_summary(one, added.get(one.id, []), alike.get(one.id, []), diary) for one in gallery.people]
    except (ConfigError, StorageError):
        found = [_summary(one, added.get(one.id, []), alike.get(one.id, []), None) for one in gallery.people]
    return sorted(found, key=lambda one: one.name.casefold())


def _summary(person: Person, added: list[Template], alike: list[Lookalike], diary: DiaryReader | None) -> PersonSummary:
    visits = diary.visits(RECENT, person=person.id)[::-1] if diary else []
    pictured = diary.pictured(visit.id for visit in visits) if diary and visits else set()
    return PersonSummary(
        id=person.id,
        name=person.name,
        templates=person.templates,
        from_visits=added,
        coverage=coverage([*person.templates, *added]),
        last_seen=visits[0].started_at if visits else None,
        portrait=next((visit.id for visit in visits if visit.id in pictured), None),
        consent=person.consent,
        expires_at=person.expires_at,
        expired=person.expires_at is not None and person.expires_at <= datetime.now(UTC),
        guest=person.guest,
        notes=person.notes,
        alike=alike,
    )


def _added(loaded: LoadedConfig) -> dict[str, list[Template]]:
    path: Path = additions_path(loaded.gallery_path)
    if not path.exists():
        return {}
    return {one.id: one.templates for one in open_header(path, None, loaded.gallery_keys).people}
