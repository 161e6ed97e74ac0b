"""Guest passes: the owner's page with the QR code, and the one page that a guest's phone may open."""

import asyncio
import io
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from types import NoneType

import msgspec
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.galleries import names
from edge.galleries.sealed import NoGallery, open_header
from edge.people.editing import key_problem
from edge.people.enroll_result import EnrollReport
from edge.web.box import WebBox
from edge.web.client import INGRESS_USER
from edge.web.errands import Errand
from edge.web.page import Page, get, post, text_of
from edge.web.pages import guests_api
from edge.web.pages.enrolling import ACCEPT
from edge.web.passes import GuestPass, Passes
from edge.web.programs import run_whosthere
from edge.web.taps import as_taps
from edge.web.templating import render
from edge.web.uploads import Uploads

MAX_PHOTOS = 3
FORGET_GUEST = Errand("edge.people.removing:forget_guest", NoneType)
_one_guest_at_a_time = asyncio.Lock()


def show(request: Request) -> Response:
    """The passes that there are, and a form for another one."""
    today = datetime.now(UTC).date()
    return render(
        request,
        "guests.html",
        passes=_passes(request).all(),
        now=_box(request).now(),
        today=str(today),
        week=str(today + timedelta(days=7)),
        problem=key_problem(_box(request).loaded),
    )


async def make(request: Request, form: FormData) -> Response:
    """Make a pass and show its QR code, this once."""
    made, address = guests_api.make_pass(request, text_of(form, "name"), _day(text_of(form, "until")))
    return render(request, "guest_code.html", guest=made, address=address, code=_code(address), far=_is_far(request))


async def withdraw(request: Request, _: FormData) -> Response:
    """Nobody can use the pass any more. The guest who used it stays until their last day, on the page of people."""
    _passes(request).withdraw(request.path_params["guest"])
    return RedirectResponse(f"{request.scope.get('root_path', '')}/guests", 303)


def welcome(request: Request) -> Response:
    """What the guest reads before they agree; afterwards, what is known of them."""
    guest = _guest(request)
    return render(request, "guest.html", guest=guest, name=guest.name, accept=ACCEPT, problem="")


async def join(request: Request, form: FormData) -> Response:
    """The guest has agreed and sends a picture."""
    async with _one_guest_at_a_time:
        guest = _guest(request)
        name = text_of(form, "name").strip()
        files = [one for one in form.getlist("photos") if isinstance(one, UploadFile) and one.size]
        problem = await run_in_threadpool(_problem, _box(request), guest, name, text_of(form, "agreed"), len(files))
        problem = problem or await _enrolled(request, guest, names.tidy(name), files)
    if problem:
        return render(request, "guest.html", 422, guest=guest, name=name, accept=ACCEPT, problem=problem)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/guest/{request.path_params['secret']}", 303)


async def leave(request: Request, _: FormData) -> Response:
    """The guest withdraws what they agreed to: everything about them is deleted now."""
    guest = _guest(request)
    if guest.person_id is not None:
        await run_in_threadpool(FORGET_GUEST.run, _box(request), person=guest.person_id)
    _passes(request).withdraw(guest.id)
    return render(request, "guest_gone.html")


def admit(request: Request) -> None:
    """Only who has a pass may send anything at all. Raises HTTPException."""
    _guest(request)


async def _enrolled(request: Request, guest: GuestPass, name: str, files: list[UploadFile]) -> str:
    """Enrol the guest; what went wrong, in words that tell them nothing about anybody else."""
    box = _box(request)
    upload = await Uploads(box.folder / "uploads").take(files)
    try:
        words = ["--config", str(box.config_path), "--json", "--guest", f"--until={guest.until}", f"--person={name}"]
        done = await run_whosthere("enroll", *words, *map(str, upload.photos))
        try:
            report = msgspec.json.decode(done.out, type=EnrollReport)
        except msgspec.DecodeError:
            return "the box cannot do this now; ask those who gave you the pass"
    finally:
        upload.remove()
    if report.written:
        _passes(request).use(guest, report.person_id)
        return ""
    if report.lookalikes:
        return "the box cannot tell you apart from somebody whom it knows; ask those who gave you the pass"
    reasons = [photo.reason for photo in report.photos if photo.reason]
    return as_taps(reasons[0]) if reasons else "no face was found in the picture"


def _problem(box: WebBox, guest: GuestPass, name: str, agreed: str, photos: int) -> str:
    """Why the guest cannot be enrolled; empty: they can."""
    if guest.person_id is not None or not guest.open_at(box.now()):
        return "this pass has been used already, or its time is over"
    if agreed != "yes":
        return "nothing is stored unless you agree"
    if problem := names.problem(name):
        return f"this is not allowed as a name: {problem}"
    if not 1 <= photos <= MAX_PHOTOS:
        return f"take a picture of yourself: found {photos}; allowed: 1 to {MAX_PHOTOS}"
    try:
        known = open_header(box.loaded.gallery_path, None, box.loaded.gallery_keys)
    except NoGallery:
        return ""
    return "this name is taken; add your family name" if known.similar(name) or known.named(name) else ""


def _guest(request: Request) -> GuestPass:
    """The pass in the address. Raises HTTPException; nobody learns whether there ever was one."""
    found = _passes(request).find(request.path_params["secret"])
    if found is None:
        raise HTTPException(
            404, "This guest pass is not valid, or its time is over. Ask those who gave it to you for another."
        )
    return found


def _passes(request: Request) -> Passes:
    return Passes(_box(request).folder)


def _box(request: Request) -> WebBox:
    box: WebBox = request.app.state.box
    return box


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(422, f"found {text!r} as the last day; allowed: a date such as 2027-01-31") from error


def _code(address: str) -> Markup:
    """The QR code as an inline picture, black on white also in the dark."""
    import segno  # noqa: PLC0415  (takes a megabyte, for good)

    stream = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        stream, kind="svg", xmldecl=False, svgns=True, nl=False, omitsize=True, dark="#000", light="#fff", border=3
    )
    return Markup(stream.getvalue().decode())  # noqa: S704  (made here, of squares only)


def _is_far(request: Request) -> bool:
    """Whether another phone can open the address by which the owner has opened this page."""
    if INGRESS_USER in request.scope["state"]:
        return False
    host = request.url.hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


PAGE = Page(
    name="guests",
    title="Guest passes",
    routes=(
        get("/guests", show),
        post("/guests", make),
        post("/guests/{guest}/withdraw", withdraw),
        get("/guest/{secret}", welcome),
        post("/guest/{secret}", join, max_bytes=None, max_files=MAX_PHOTOS, token=False, admit=admit),
        post("/guest/{secret}/leave", leave, token=False),
        *guests_api.ROUTES,
    ),
    public=("/guest/",),
)
