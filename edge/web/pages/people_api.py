"""People and their changes for scripts."""

from datetime import UTC, date, datetime
from types import NoneType
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.errors import GalleryError
from edge.galleries.forget import Forgotten
from edge.galleries.sealed import NoGallery
from edge.people.editing import made_consent
from edge.people.summary import Lookalike, PersonExport, PersonSummary, summaries
from edge.people.undoing import ChangeLine, list_changes
from edge.web.api import JPEG, ApiCall, ApiEndpoint, MediaType, NoFields, api
from edge.web.box import WebBox, stamp
from edge.web.errands import Errand
from edge.web.pages.visits_api import picture_of
from edge.web.programs import run_whosthere

T = TypeVar("T")
FIND_LOOKALIKES = Errand("edge.people.lookalikes:find_lookalikes", dict[str, list[Lookalike]])
RENAME = Errand("edge.people.editing:rename", NoneType)
SET_CONSENT = Errand("edge.people.editing:set_consent", NoneType)
REMOVE = Errand("edge.people.removing:remove", NoneType)
REMOVE_PHOTO = Errand("edge.people.editing:remove_photo", NoneType)
FORGET = Errand("edge.people.removing:forget", tuple[str, Forgotten])
EXPORT = Errand("edge.people.export:export_person", tuple[bytes, PersonExport])
UNDO = Errand("edge.people.undoing:undo_change", NoneType)
LOCK_WAIT_S = 10.0
ZIP = MediaType("application/zip")


class NameGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name for somebody."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class PhotoGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of somebody's templates."""

    photo: Annotated[str, Meta(min_length=1, max_length=500)]
    """Its `source`, or, where several have the same, its number in `templates`, from 1."""


class ConsentGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody agreed to today; without `given_by`, no consent is recorded any more."""

    given_by: str | None = None
    purpose: str = "recognition at the door"
    until: date | None = None
    """The last day on which they are recognised; null: no end."""


class SureGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A confirmation of what cannot be undone."""

    name: str
    """The person's name, in full."""


class OtherGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same person's other entry."""

    other: Annotated[str, Meta(min_length=1, max_length=200)]
    """A name or an id."""


def everybody(box: WebBox) -> list[PersonSummary]:
    """Everybody in the gallery; nobody, if there is none. Raises GalleryError."""
    try:
        return summaries(box.loaded, _alike(box))
    except NoGallery:
        return []


def _alike(box: WebBox) -> dict[str, list[Lookalike]]:
    """Who looks like whom, by id; searched for again when the gallery or the config has changed."""
    seen = stamp(box.config_path), stamp(box.loaded.gallery_path)
    if box.alike is None or box.alike[0] != seen:
        box.alike = seen, FIND_LOOKALIKES.run(box)
    return box.alike[1]


async def merge(box: WebBox, person: str, other: str) -> None:
    """Make one person of two. Raises HTTPException.

    Runs as a process: who denies a template of whom is a question for the networks' calibration.
    """
    words = ("--config", str(box.config_path), "--json", "--", person, other)
    done = await run_whosthere("gallery", "merge", *words)
    if done.code != 0:
        raise HTTPException(422, done.problem)


def _people(call: ApiCall) -> list[PersonSummary]:
    """By name."""
    return everybody(call.box)


def _rename(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery rename`."""
    return _edited(call, RENAME, name=call.given.name)


def _consent(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery consent`."""
    given: ConsentGiven = call.given
    if given.given_by is None:
        return _edited(call, SET_CONSENT, consent=None)
    today = datetime.now(UTC).date()
    made = made_consent(given.given_by.strip(), today, given.purpose.strip(), given.until)
    return _edited(call, SET_CONSENT, consent=made)


def _edited(call: ApiCall, errand: Errand[None], **given: Any) -> NoFields:
    edit(call.box, errand, call.name("person"), **given, wait_s=LOCK_WAIT_S)
    return NoFields()


def edit(box: WebBox, errand: Errand[T], person: str, **given: Any) -> T:
    """Change somebody, by name or id. Raises HTTPException when that cannot be, and WhosthereError."""
    try:
        return errand.run(box, person=person, **given)
    except GalleryError as error:
        raise HTTPException(422, str(error)) from error


def _remove(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery remove`: it can be undone for a week."""
    edit(call.box, REMOVE, call.name("person"))
    return NoFields()


def _remove_photo(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery remove --photo`: it can be undone for a week."""
    return _edited(call, REMOVE_PHOTO, photo=call.given.photo)


def _forget(call: ApiCall) -> Forgotten:
    """The same as `whosthere gallery remove --forget`: for good, with proof."""
    return edit(call.box, FORGET, call.name("person"), sure=call.given.name)[1]


async def _merge(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery merge`: the other's photos, visits and corrections become this person's."""
    await merge(call.box, call.name("person"), call.given.other)
    return NoFields()


def _export(call: ApiCall) -> bytes:
    """The same as `whosthere gallery export`."""
    try:
        return EXPORT.run(call.box, name=call.name("person"))[0]
    except GalleryError as error:
        raise HTTPException(404, str(error)) from error


def _portrait(call: ApiCall) -> bytes:
    """The picture of one of their last visits, as the diary keeps it (`diary.pictures_days`)."""
    person = call.name("person")
    visit = next((one.portrait for one in everybody(call.box) if one.id == person), None)
    if visit is None:
        raise HTTPException(404, f"found no picture of {person}; allowed: the id of somebody whose `portrait` is set")
    return picture_of(call.box, visit)


def _changes(call: ApiCall) -> list[ChangeLine]:
    """The same as `whosthere gallery changes --json`: the newest first."""
    return list_changes(call.box.loaded, call.box.loaded.gallery_path)[0]


def _undo(call: ApiCall) -> NoFields:
    """The same as `whosthere gallery undo`."""
    UNDO.run(call.box, wanted=call.name("change"), wait_s=LOCK_WAIT_S)
    return NoFields()


_PERSON = "/api/people/{person}"
ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/people", "Everybody whom the box knows", list[PersonSummary], _people),
        ApiEndpoint("POST", f"{_PERSON}/rename", "Give somebody another name", NoFields, _rename, NameGiven),
        ApiEndpoint("POST", f"{_PERSON}/consent", "Record what they agreed to", NoFields, _consent, ConsentGiven),
        ApiEndpoint("GET", f"{_PERSON}/portrait", "A picture of somebody", JPEG, _portrait),
        ApiEndpoint("GET", f"{_PERSON}/export", "All that is kept about somebody", ZIP, _export),
        ApiEndpoint("POST", f"{_PERSON}/merge", "Make one person of two entries", NoFields, _merge, OtherGiven),
        ApiEndpoint("POST", f"{_PERSON}/remove", "Remove somebody", NoFields, _remove),
        ApiEndpoint("POST", f"{_PERSON}/remove-photo", "Remove one photo", NoFields, _remove_photo, PhotoGiven),
        ApiEndpoint("POST", f"{_PERSON}/forget", "Forget somebody for good", Forgotten, _forget, SureGiven),
        ApiEndpoint("GET", "/api/changes", "The changes that can be undone", list[ChangeLine], _changes),
        ApiEndpoint("POST", "/api/changes/{change}/undo", "Take a change back", NoFields, _undo),
    )
)
