"""Guest passes for scripts."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from edge.web.api import ApiCall, ApiEndpoint, NoFields, api
from edge.web.pages.enrolling import checked_name
from edge.web.passes import LINK_S, GuestPass, Passes

MAX_DAYS = 366


class PassGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pass to make."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """Whom it is for."""
    until: date
    """The last day on which the guest is known."""


class PassLine(msgspec.Struct, frozen=True):
    """One pass. Times are seconds since the epoch."""

    id: str
    name: str
    until: date
    made_at: float
    opens_until: float
    """Until then the guest can use it."""
    person_id: str | None
    """Who has used it; null: nobody yet."""

    @classmethod
    def of(cls, one: GuestPass) -> "PassLine":
        return cls(one.id, one.name, one.until, one.made_at, one.made_at + LINK_S, one.person_id)


class PassMade(msgspec.Struct, frozen=True):
    """A new pass."""

    guest_pass: PassLine
    address: str
    """What the guest opens on their phone. It is returned this once: the box keeps a hash of it."""


def make_pass(request: Request, name: str, until: date) -> tuple[GuestPass, str]:
    """A new pass, and the address that its guest opens. Raises HTTPException and UsageError."""
    chosen, today = checked_name(name.strip()), datetime.now(UTC).date()
    if not today <= until <= today + timedelta(days=MAX_DAYS):
        raise HTTPException(422, f"found {until} as the last day; allowed: today to {today + timedelta(days=MAX_DAYS)}")
    made, secret = Passes(request.app.state.box.folder).make(chosen, until)
    return made, f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}/guest/{secret}"


def _passes(call: ApiCall) -> list[PassLine]:
    """Those that mean anything yet, the newest first."""
    return [PassLine.of(one) for one in Passes(call.box.folder).all()]


def _make(call: ApiCall) -> PassMade:
    made, address = make_pass(call.request, call.given.name, call.given.until)
    return PassMade(PassLine.of(made), address)


def _withdraw(call: ApiCall) -> NoFields:
    """Nobody can use it any more. A guest who has used it stays until their last day: POST /api/people/{person}/forget
    deletes them earlier."""
    if not Passes(call.box.folder).withdraw(call.name("guest")):
        raise HTTPException(404, f"found no guest pass {call.name('guest')}; GET /api/guests lists them")
    return NoFields()


ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/guests", "The guest passes", list[PassLine], _passes),
        ApiEndpoint("POST", "/api/guests", "Make a guest pass", PassMade, _make, PassGiven),
        ApiEndpoint("POST", "/api/guests/{guest}/withdraw", "End a guest pass", NoFields, _withdraw),
    )
)
