"""Adding somebody, or more photos of somebody, from a phone's camera or its photo library."""

import importlib.util
from pathlib import Path

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from edge.errors import WhosthereError
from edge.galleries import names
from edge.galleries.daemon_status import stamp_of, wait_for_status
from edge.people.enroll_result import EnrollReport, PhotoOutcome, PhotoReport
from edge.terminal import path_text
from edge.web.box import WebBox
from edge.web.page import get, post, text_of
from edge.web.programs import CommandFailed, run_whosthere
from edge.web.taps import as_taps
from edge.web.templating import render
from edge.web.uploads import Upload, Uploads, shown_as

MAX_PHOTOS = 12
ACK_S = 3.0
HEIC = importlib.util.find_spec("pillow_heif") is not None
ACCEPT = "image/*" if HEIC else "image/jpeg,image/png,image/webp"
"""Without HEIC in it, iPhones convert their photos to JPEG before they send them."""
_WORDS = {
    PhotoOutcome.ENROLLED: ("good", "taken"),
    PhotoOutcome.ALREADY_IN: ("", "already there"),
    PhotoOutcome.SET_ASIDE: ("warn", "set aside"),
    PhotoOutcome.REFUSED: ("bad", "not usable"),
}


class PhotoShown(msgspec.Struct, frozen=True):
    """The outcome of one photo, as the page shows it."""

    number: int
    name: str
    tone: str
    word: str
    reason: str
    visible: bool
    """Whether a browser can show it."""
    faces: int
    """Among so many faces somebody should choose; 0: there is nothing to choose."""


class Added(msgspec.Struct, frozen=True):
    """The outcome of an upload."""

    name: str
    report: EnrollReport | None
    problem: str
    in_use: bool
    """Whether the daemon recognises them already."""


def show_form(request: Request) -> Response:
    """For somebody new, or for `?name=` who is there already."""
    name = request.query_params.get("name", "")[: names.MAX_NAME]
    return render(request, "add_person.html", name=name, accept=ACCEPT, heic=HEIC, most=MAX_PHOTOS)


async def add(request: Request, form: FormData) -> Response:
    """Enrol the photos of a form, in a process of its own, and show the outcome of each."""
    box: WebBox = request.app.state.box
    name = checked_name(text_of(form, "name"))
    files = [one for one in form.getlist("photos") if isinstance(one, UploadFile) and one.size]
    if not 1 <= len(files) <= MAX_PHOTOS:
        raise HTTPException(422, f"found {len(files)} photos; allowed: 1 to {MAX_PHOTOS} at once")
    upload = await Uploads(box.folder / "uploads").take(files)
    return await _enrolled(request, upload, name, upload.photos)


async def pick(request: Request, form: FormData) -> Response:
    """Enrol one photo again, with the face that the owner has picked."""
    box: WebBox = request.app.state.box
    upload = Uploads(box.folder / "uploads").find(request.path_params["token"])
    before, photos = upload.result(Added), upload.photos
    number, face = text_of(form, "photo"), text_of(form, "face")
    if not number.isdecimal() or int(number) >= len(photos) or not face.isdecimal() or not 0 < int(face) < 100:
        raise HTTPException(422, "choose a photo and one of its faces")
    return await _enrolled(request, upload, before.name, [photos[int(number)]], int(face))


def show_added(request: Request) -> Response:
    """The outcome of the photos."""
    box: WebBox = request.app.state.box
    upload = Uploads(box.folder / "uploads").find(request.path_params["token"])
    result = upload.result(Added)
    photos = [_shown(upload, one) for one in result.report.photos] if result.report else []
    return render(request, "added.html", added=result, photos=photos, token=upload.token)


def picture(request: Request) -> Response:
    """One of the photos, as it was sent, for the browser that shows the outcome of it."""
    box: WebBox = request.app.state.box
    upload = Uploads(box.folder / "uploads").find(request.path_params["token"])
    number, photos = request.path_params["number"], upload.photos
    kind = shown_as(photos[number]) if number < len(photos) else None
    if kind is None:
        raise HTTPException(404, "there is no such photo, or browsers do not show it")
    return FileResponse(photos[number], media_type=kind)


async def enroll(box: WebBox, name: str, photos: list[Path], face: int | None) -> tuple[EnrollReport, bool]:
    """Enrol photos, and say whether the daemon recognises the person already. Raises WhosthereError."""
    words = ["--config", str(box.config_path), "--json", f"--person={name}"]
    words += [] if face is None else [f"--face={face}"]
    report = (await run_whosthere("enroll", *words, *map(str, photos))).report(EnrollReport)
    return report, report.written and await run_in_threadpool(_in_use, box)


async def _enrolled(
    request: Request, upload: Upload, name: str, photos: list[Path], face: int | None = None
) -> Response:
    try:
        report, used = await enroll(request.app.state.box, name, photos, face)
        added = Added(name, report, "", used)
    except CommandFailed:
        raise
    except WhosthereError as error:
        added = Added(name, None, str(error), in_use=False)
    upload.write(added)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/people/+/added/{upload.token}", 303)


def _in_use(box: WebBox) -> bool:
    path = box.loaded.gallery_path
    status = wait_for_status(path, stamp_of(path), ACK_S)
    return status is not None and status.error is None


def checked_name(name: str) -> str:
    """A name in its usual form. Raises HTTPException for one that no gallery can hold."""
    if problem := names.problem(name):
        raise HTTPException(422, f"{name!r} is not allowed as a name: {problem}")
    return names.tidy(name)


def _shown(upload: Upload, report: PhotoReport) -> PhotoShown:
    paths = [path_text(path) for path in upload.photos]
    number = paths.index(report.photo) if report.photo in paths else 0
    tone, word = _WORDS[report.result]
    choosable = report.result is PhotoOutcome.REFUSED and (report.faces or 0) > 1
    reason = as_taps(report.reason or report.choice or "")
    return PhotoShown(
        number=number,
        name=upload.photos[number].name,
        tone=tone,
        word=word,
        reason=reason,
        visible=shown_as(upload.photos[number]) is not None,
        faces=report.faces or 0 if choosable else 0,
    )


ROUTES = (
    get("/people/+/add", show_form),
    post("/people/+/add", add, max_bytes=None, max_files=MAX_PHOTOS),
    get("/people/+/added/{token}", show_added),
    get("/people/+/added/{token}/{number:int}", picture),
    post("/people/+/added/{token}/face", pick),
)
