"""Visits and corrections for scripts."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge.diary.explanation import Explanation, explain
from edge.diary.listing import VisitLine
from edge.diary.opening import calibration_of, current_gallery, names_of, open_diary
from edge.diary.reader import NoSuchVisit
from edge.feedback.corrections_said import CorrectionLine, UndoneCorrection, said_so_far
from edge.feedback.said import Feedback, FeedbackPrice
from edge.storage.database import StorageError
from edge.web.access import SESSION
from edge.web.api import JPEG, ApiCall, ApiEndpoint, api
from edge.web.box import WebBox
from edge.web.errands import Errand

MAX_VISITS = 1000
CONFIRM = Errand("edge.feedback.naming:confirm", Feedback)
NAME = Errand("edge.feedback.naming:name", Feedback)
ENROLL = Errand("edge.feedback.newcomers:enroll_visitor", Feedback)
REJECT = Errand("edge.feedback.rejecting:reject", Feedback)
IGNORE = Errand("edge.feedback.rejecting:ignore", Feedback)
PRICE = Errand("edge.feedback.prices:price_of", FeedbackPrice)
PRICED = Errand("edge.feedback.undoing:list_corrections", list[CorrectionLine])
UNDO = Errand("edge.feedback.undoing:undo", UndoneCorrection)


class VisitsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which visits to list."""

    limit: Annotated[int, Meta(ge=1, le=MAX_VISITS)] = 50
    """At most so many, the newest."""
    since: float | None = None
    """Those that began then or later, in seconds since the epoch."""
    until: float | None = None
    """Those that began earlier."""
    person: str | None = None
    """Only visits with this person's id; empty: only those without a name."""


class PersonGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom an action is about."""

    person: Annotated[str, Meta(min_length=1, max_length=200)]
    """A name or an id."""


class PriceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody may want to say."""

    action: Literal["name", "enroll", "reject", "ignore"]
    person: str = ""
    """Whom it is about, by name or id; for `enroll` and `ignore`, nobody."""


class SessionInfo(msgspec.Struct, frozen=True):
    """The session that asks."""

    csrf: str
    """For the header X-CSRF-Token."""


async def _session(call: ApiCall) -> SessionInfo:
    return SessionInfo(call.request.scope["state"][SESSION].csrf)


def _visits(call: ApiCall) -> list[VisitLine]:
    """The oldest of them comes first."""
    wanted: VisitsQuery = call.given
    names = names_of(current_gallery(call.box.loaded))
    with open_diary(call.box.loaded) as diary:
        found = diary.visits(wanted.limit, since=wanted.since, until=wanted.until, person=wanted.person)
    return [VisitLine.of(visit, names) for visit in found]


def _explain(call: ApiCall) -> Explanation:
    """The same as `whosthere explain --json`. `visit` is an id, its beginning, or `last`."""
    loaded = call.box.loaded
    with open_diary(loaded) as diary:
        found = diary.find(call.name("visit"))
    return explain(found, names_of(current_gallery(loaded)), calibration_of(loaded, found.model))


def picture_of(box: WebBox, visit: str) -> bytes:
    """The best picture of a visit. Raises HTTPException where the diary keeps none."""
    try:
        with open_diary(box.loaded) as diary:
            jpeg = diary.picture(visit) or diary.picture(diary.find(visit).id)
    except (StorageError, NoSuchVisit) as error:
        raise HTTPException(404, str(error)) from error
    if jpeg is None:
        raise HTTPException(404, "no picture of this visit is kept")
    return jpeg


def _picture(call: ApiCall) -> bytes:
    """The picture that the diary keeps (`diary.pictures_days`)."""
    return picture_of(call.box, call.name("visit"))


def _price(call: ApiCall) -> FeedbackPrice:
    """What saying it would cost, before it is said."""
    wanted: PriceQuery = call.given
    return PRICE.run(call.box, action=wanted.action, visit=call.name("visit"), person=wanted.person)


def _confirm(call: ApiCall) -> Feedback:
    """The same as `whosthere visit confirm`."""
    return CONFIRM.run(call.box, visit=call.name("visit"))


def _name(call: ApiCall) -> Feedback:
    """The same as `whosthere visit name`."""
    return NAME.run(call.box, visit=call.name("visit"), person=call.given.person)


def _enroll(call: ApiCall) -> Feedback:
    """The same as `whosthere visit name --new`."""
    return ENROLL.run(call.box, visit=call.name("visit"), name=call.given.person)


def _reject(call: ApiCall) -> Feedback:
    """The same as `whosthere visit reject`."""
    return REJECT.run(call.box, visit=call.name("visit"), person=call.given.person)


def _ignore(call: ApiCall) -> Feedback:
    """The same as `whosthere visit ignore`."""
    return IGNORE.run(call.box, visit=call.name("visit"))


def corrections_of(box: WebBox) -> list[CorrectionLine]:
    """Every correction with its price. Raises WhosthereError."""
    lines = said_so_far(box.loaded)
    return PRICED.run(box) if any(line.kind == "rejected" for line in lines) else lines


def _corrections(call: ApiCall) -> list[CorrectionLine]:
    """The same as `whosthere visit corrections --json`."""
    return corrections_of(call.box)


def _undo(call: ApiCall) -> UndoneCorrection:
    """The same as `whosthere visit undo`."""
    return UNDO.run(call.box, correction=call.name("correction"))


_VISIT = "/api/visits/{visit}"
ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/session", "The session's token", SessionInfo, _session),
        ApiEndpoint("GET", "/api/visits", "The last visits", list[VisitLine], _visits, VisitsQuery),
        ApiEndpoint("GET", _VISIT, "Why a visit was decided so", Explanation, _explain),
        ApiEndpoint("GET", f"{_VISIT}/picture", "Its best picture", JPEG, _picture),
        ApiEndpoint("GET", f"{_VISIT}/price", "What a correction would cost", FeedbackPrice, _price, PriceQuery),
        ApiEndpoint("POST", f"{_VISIT}/confirm", "The name was right", Feedback, _confirm),
        ApiEndpoint("POST", f"{_VISIT}/name", "It was this person", Feedback, _name, PersonGiven),
        ApiEndpoint("POST", f"{_VISIT}/enroll", "It was somebody new", Feedback, _enroll, PersonGiven),
        ApiEndpoint("POST", f"{_VISIT}/reject", "It was not this person", Feedback, _reject, PersonGiven),
        ApiEndpoint("POST", f"{_VISIT}/ignore", "Publish nothing about them any more", Feedback, _ignore),
        ApiEndpoint("GET", "/api/corrections", "What was said, with its price", list[CorrectionLine], _corrections),
        ApiEndpoint("POST", "/api/corrections/{correction}/undo", "Take one back", UndoneCorrection, _undo),
    )
)
