"""The page of strangers: unknown visitors who came again, the most frequent first; name, ignore or discard them."""

from dataclasses import dataclass
from datetime import date, datetime

import anyio.to_thread
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.diary.opening import current_gallery, names_of
from edge.errors import ConfigError, UsageError, WhosthereError
from edge.feedback.kept_strangers import (
    StrangerLine,
    all_strangers,
    best_pictures,
    discard_strangers,
    one_stranger,
    opened_strangers,
    stranger_line,
    times_in_words,
)
from edge.feedback.said import Feedback, price_of_ignoring, price_text
from edge.galleries import names
from edge.models.embedder_choice import embedder_card
from edge.people.enroll_result import EnrollReport, PhotoOutcome
from edge.storage.database import StorageError
from edge.terminal import plural
from edge.visits.strangers_file import number_of
from edge.visits.strangers_layout import StrangerVisitRow
from edge.web.api import JPEG, ApiCall, ApiEndpoint, NoFields, api
from edge.web.bounds import allow_time
from edge.web.box import WebBox
from edge.web.days import day_in_words
from edge.web.errands import Errand
from edge.web.page import Page, get, post, text_of
from edge.web.pages.visits_api import PersonGiven
from edge.web.programs import run_whosthere
from edge.web.templating import render

SHOWN_PICTURES = 4
TIMEOUT_S = 300.0
IGNORE = Errand("edge.feedback.rejecting:ignore_stranger", Feedback)


@dataclass(frozen=True, slots=True)
class StrangerCard:
    """One stranger on the page."""

    line: StrangerLine
    came: str
    pictures: int
    """How many can be asked for, the best first."""

    @classmethod
    def of(cls, number: int, visits: list[StrangerVisitRow], today: date) -> "StrangerCard":
        line = stranger_line(number, visits)
        last = day_in_words(datetime.fromisoformat(line.last_seen).date(), today)
        return cls(line, f"Came {times_in_words(line.times)}, last {last}", min(line.pictures, SHOWN_PICTURES))


def show(request: Request) -> Response:
    return _page(request)


def picture(request: Request) -> Response:
    """One picture of a stranger, counted from 1: the best to look at comes first."""
    stranger, place = request.path_params["stranger"], request.path_params["place"]
    jpeg = _jpeg(request.app.state.box, stranger, place)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


def _jpeg(box: WebBox, stranger: str, place: int) -> bytes:
    try:
        with opened_strangers(box.loaded) as file:
            visits = one_stranger(number_of(stranger), file)
    except WhosthereError as error:
        raise HTTPException(404, str(error)) from error
    best = best_pictures(visits)
    if not 0 < place <= len(best):
        raise HTTPException(404, f"found no picture {place}; allowed: 1 to {len(best)}")
    return best[place - 1].jpeg


async def name(request: Request, form: FormData) -> Response:
    """Enrol a stranger with their good pictures."""
    box: WebBox = request.app.state.box
    allow_time(request.scope, TIMEOUT_S)
    try:
        report = await name_one(box, request.path_params["stranger"], text_of(form, "person"))
    except WhosthereError as error:
        return await _after(request, str(error), "bad")
    if not report.written:
        reasons = dict.fromkeys(photo.reason for photo in report.photos if photo.reason)
        return await _after(
            request, f"No picture is good enough for {report.person_name}: {'; '.join(reasons)}.", "bad"
        )
    count = plural(report.count(PhotoOutcome.ENROLLED), "picture")
    return await _after(request, f"Welcome, {report.person_name}: enrolled with {count}.", "good")


async def ignore(request: Request, _: FormData) -> Response:
    """Publish nothing about a stranger any more."""
    box: WebBox = request.app.state.box
    try:
        number = number_of(request.path_params["stranger"])
        said = await anyio.to_thread.run_sync(lambda: IGNORE.run(box, number=number))
    except WhosthereError as error:
        return await _after(request, str(error), "bad")
    price = price_text(said.price, None)
    text = "Remembered: nothing is published about this visitor any more."
    return await _after(request, f"{text} {price[:1].upper()}{price[1:]}." if price else text, "good")


async def discard(request: Request, _: FormData) -> Response:
    """Forget a stranger with all pictures."""
    box: WebBox = request.app.state.box
    try:
        number = number_of(request.path_params["stranger"])
        await anyio.to_thread.run_sync(discard_strangers, box.loaded, [number])
    except WhosthereError as error:
        return await _after(request, str(error), "bad")
    return await _after(request, "Forgotten, with all pictures.", "good")


async def name_one(box: WebBox, stranger: str, person: str) -> EnrollReport:
    """Enrol a stranger by the name of a person. Raises WhosthereError."""
    if problem := names.problem(person):
        raise UsageError(f"the name: {problem}")
    chosen = names.tidy(person)
    number = number_of(stranger)
    words = ("strangers", "name", f"stranger-{number}", f"--person={chosen}", "--json", f"--config={box.config_path}")
    return (await run_whosthere(*words, limit_s=TIMEOUT_S)).report(EnrollReport)


async def _after(request: Request, note: str, tone: str) -> Response:
    return await anyio.to_thread.run_sync(lambda: _page(request, note, tone))


def _page(request: Request, note: str = "", tone: str = "") -> Response:
    box: WebBox = request.app.state.box
    cards, nothing = _cards(box)
    try:
        known = embedder_card(box.loaded.config.models, box.loaded.base)
        price = price_text(price_of_ignoring(box.loaded, known), None)
    except WhosthereError:
        price = ""
    people = sorted(names_of(current_gallery(box.loaded)).values(), key=str.casefold)
    shown = {"strangers": cards, "nothing": nothing, "people": people, "price": price, "note": note, "tone": tone}
    return render(request, "strangers.html", 422 if tone == "bad" else 200, **shown)


def _cards(box: WebBox) -> tuple[list[StrangerCard], str]:
    """The most frequent first; and what to say when there are none."""
    try:
        with opened_strangers(box.loaded) as file:
            found = all_strangers(file)
    except ConfigError:
        return [], "The box does not group strangers. To try it, set strangers.group and strangers.keep in config.yaml."
    except StorageError as error:
        return [], str(error)
    today = datetime.now().astimezone().date()
    cards = [StrangerCard.of(number, visits, today) for number, visits in found.items()]
    cards.sort(key=lambda card: (card.line.times, card.line.last_seen), reverse=True)
    return cards, "No stranger is kept now. Somebody unknown who comes again appears here."


def _listed(call: ApiCall) -> list[StrangerLine]:
    """The same as `whosthere strangers list --json`."""
    with opened_strangers(call.box.loaded) as file:
        return [stranger_line(number, visits) for number, visits in all_strangers(file).items()]


def _picture(call: ApiCall) -> bytes:
    """Counted from 1, the best to look at first."""
    return _jpeg(call.box, call.name("stranger"), int(call.name("place")))


async def _named(call: ApiCall) -> EnrollReport:
    """The same as `whosthere strangers name --json`."""
    allow_time(call.request.scope, TIMEOUT_S)
    return await name_one(call.box, call.name("stranger"), call.given.person)


def _ignored(call: ApiCall) -> Feedback:
    """They are forgotten as strangers, and their visits are only in the diary from now on."""
    return IGNORE.run(call.box, number=number_of(call.name("stranger")))


def _discarded(call: ApiCall) -> NoFields:
    """The same as `whosthere strangers discard`."""
    discard_strangers(call.box.loaded, [number_of(call.name("stranger"))])
    return NoFields()


_STRANGER = "/api/strangers/{stranger}"
_API = (
    ApiEndpoint("GET", "/api/strangers", "The strangers who are kept", list[StrangerLine], _listed),
    ApiEndpoint("GET", f"{_STRANGER}/pictures/{{place:int}}", "One of their pictures", JPEG, _picture),
    ApiEndpoint("POST", f"{_STRANGER}/name", "Enrol a stranger", EnrollReport, _named, PersonGiven),
    ApiEndpoint("POST", f"{_STRANGER}/ignore", "Publish nothing about them any more", Feedback, _ignored),
    ApiEndpoint("POST", f"{_STRANGER}/discard", "Forget them", NoFields, _discarded),
)
PAGE = Page(
    name="strangers",
    title="Strangers",
    path="/strangers",
    routes=(
        get("/strangers", show),
        get("/strangers/{stranger}/{place:int}.jpg", picture),
        post("/strangers/{stranger}/name", name),
        post("/strangers/{stranger}/ignore", ignore),
        post("/strangers/{stranger}/discard", discard),
        *(api(endpoint) for endpoint in _API),
    ),
)
