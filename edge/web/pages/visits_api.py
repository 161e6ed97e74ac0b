"""Visits and corrections for scripts."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.routing import Route

from edge.diary.explanation import Explanation, explain
from edge.diary.listing import VisitLine
from edge.diary.opening import calibration_of, current_gallery, names_of, open_diary
from edge.feedback import naming, rejecting, undoing
from edge.feedback.said import Feedback
from edge.feedback.undoing import CorrectionLine, UndoneCorrection
from edge.web.access import SESSION
from edge.web.api import ApiCall, ApiEndpoint, api

MAX_VISITS = 1000


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


def _confirm(call: ApiCall) -> Feedback:
    """The same as `whosthere visit confirm`."""
    return naming.confirm(call.box.loaded, call.name("visit"))


def _name(call: ApiCall) -> Feedback:
    """The same as `whosthere visit name`."""
    return naming.name(call.box.loaded, call.name("visit"), call.given.person)


def _reject(call: ApiCall) -> Feedback:
    """The same as `whosthere visit reject`."""
    return rejecting.reject(call.box.loaded, call.name("visit"), call.given.person)


def _ignore(call: ApiCall) -> Feedback:
    """The same as `whosthere visit ignore`."""
    return rejecting.ignore(call.box.loaded, call.name("visit"))


def _corrections(call: ApiCall) -> list[CorrectionLine]:
    """The same as `whosthere visit corrections --json`."""
    return undoing.list_corrections(call.box.loaded)


def _undo(call: ApiCall) -> UndoneCorrection:
    """The same as `whosthere visit undo`."""
    return undoing.undo(call.box.loaded, call.name("correction"))


_VISIT = "/api/visits/{visit}"
ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/session", "The session's token", SessionInfo, _session),
        ApiEndpoint("GET", "/api/visits", "The last visits", list[VisitLine], _visits, VisitsQuery),
        ApiEndpoint("GET", _VISIT, "Why a visit was decided so", Explanation, _explain),
        ApiEndpoint("POST", f"{_VISIT}/confirm", "The name was right", Feedback, _confirm),
        ApiEndpoint("POST", f"{_VISIT}/name", "It was this person", Feedback, _name, PersonGiven),
        ApiEndpoint("POST", f"{_VISIT}/reject", "It was not this person", Feedback, _reject, PersonGiven),
        ApiEndpoint("POST", f"{_VISIT}/ignore", "Publish nothing about them any more", Feedback, _ignore),
        ApiEndpoint("GET", "/api/corrections", "What was said, with its price", list[CorrectionLine], _corrections),
        ApiEndpoint("POST", "/api/corrections/{correction}/undo", "Take one back", UndoneCorrection, _undo),
    )
)
