"""Enrolment for scripts: from photos that they send, and at the box's own camera."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.routing import Route

from edge.people.enroll_result import EnrollReport
from edge.terminal import path_text
from edge.web.api import ApiCall, ApiEndpoint, ApiFiles, api
from edge.web.bounds import allow_time
from edge.web.pages.coached import WITHIN_S, CameraCourse, taken
from edge.web.pages.enrolling import MAX_PHOTOS, checked_name, enroll
from edge.web.pages.people_api import NameGiven
from edge.web.uploads import Uploads

WRITING_S = 30.0


class PhotosGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose photos they are."""

    person: Annotated[str, Meta(min_length=1, max_length=200)]
    """The name of somebody who is there, or of somebody new."""
    face: Annotated[int, Meta(ge=1, le=99)] | None = None
    """In a single photo, which face is theirs, from 1, from left to right; null: the box decides."""


class PhotosAdded(msgspec.Struct, frozen=True):
    """What came of the photos."""

    report: EnrollReport
    """As `whosthere enroll --json` has it; each photo by the name under which it was sent."""
    in_use: bool
    """Whether the daemon recognises the person already."""


class CameraTaken(msgspec.Struct, frozen=True):
    """What came of the portraits at the camera."""

    name: str
    portraits: int
    """How many went into the gallery, of five."""
    said: str
    """What the coach said last."""
    alike: list[str]
    """The names of those who look like this person."""


async def _photos(call: ApiCall) -> PhotosAdded:
    """The same as `whosthere enroll --person`. The photos are deleted before the answer comes."""
    given: PhotosGiven = call.given
    name = checked_name(given.person)
    upload = await Uploads(call.box.folder / "uploads").take(call.files)
    try:
        report, in_use = await enroll(call.box, name, upload.photos, given.face)
        sent = {path_text(path): path.name for path in upload.photos}
    finally:
        upload.remove()
    photos = [msgspec.structs.replace(one, photo=sent.get(one.photo, Path(one.photo).name)) for one in report.photos]
    return PhotosAdded(msgspec.structs.replace(report, photos=photos), in_use)


async def _camera(call: ApiCall) -> CameraTaken:
    """Takes five portraits of the person in front of the box's camera, within two minutes, and then answers."""
    allow_time(call.request.scope, WITHIN_S + WRITING_S)
    course = CameraCourse(checked_name(call.given.name))
    said = [text async for text in taken(call.box, course)]
    return CameraTaken(course.name, len(course.shots), said[-1] if said else "", course.alike)


_PHOTOS = ApiFiles("photos", MAX_PHOTOS)
ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("POST", "/api/enrolments/photos", "Enrol from photos", PhotosAdded, _photos, PhotosGiven, _PHOTOS),
        ApiEndpoint("POST", "/api/enrolments/camera", "Enrol at the camera", CameraTaken, _camera, NameGiven),
    )
)
