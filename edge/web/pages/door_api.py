"""The door for scripts: how the box is doing, its commands, pictures, and keys to them."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from edge.link.protocol import BoxStatus
from edge.web.api import JPEG, ApiCall, ApiEndpoint, NoFields, api
from edge.web.door_feeds import feeds_of
from edge.web.stream_tokens import ADDRESSES, MAX_LABEL, Opens, StreamToken, StreamTokens


class PauseGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long."""

    for_s: Annotated[float, Meta(gt=0)] | None = None
    """Seconds; null: until somebody resumes."""


class PictureQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What kind of picture."""

    boxes: bool = False
    """With a box around each face, and its name."""


class KeyGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make."""

    opens: Opens
    """`live` opens /live.mjpg, `snapshot` opens /snapshot.jpg."""
    label: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL)]
    """What it is for."""


class KeyLine(msgspec.Struct, frozen=True):
    """One key to the pictures."""

    id: str
    opens: Opens
    label: str
    made_at: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, one: StreamToken) -> "KeyLine":
        return cls(one.id, one.opens, one.label, one.made_at)


class KeyMade(msgspec.Struct, frozen=True):
    """A new key."""

    key: KeyLine
    address: str
    """With the key in it. It is returned this once: the box keeps a hash of it."""


def make_key(request: Request, opens: Opens, label: str) -> tuple[StreamToken, str]:
    """A new key to the pictures, and the address with it. Raises UsageError and WebStateError."""
    made, key = StreamTokens(request.app.state.box.folder).make(opens, label)
    path = request.scope.get("root_path", "") + ADDRESSES[opens]
    return made, str(request.url.replace(path=path, query=f"token={key}"))


async def _status(call: ApiCall) -> BoxStatus:
    """How the box is doing, and who is here."""
    return await feeds_of(call.request).link.status()


async def _picture(call: ApiCall) -> bytes:
    """What the camera saw last."""
    return (await feeds_of(call.request).link.picture(boxes=call.given.boxes))[1]


async def _ring(call: ApiCall) -> NoFields:
    return await _commanded(call, "ring")


async def _resume(call: ApiCall) -> NoFields:
    return await _commanded(call, "resume")


async def _challenge(call: ApiCall) -> NoFields:
    """The visitor is asked to turn their head."""
    return await _commanded(call, "challenge")


async def _pause(call: ApiCall) -> NoFields:
    given: PauseGiven = call.given
    return await _commanded(call, "pause", **({} if given.for_s is None else {"for_s": given.for_s}))


async def _commanded(call: ApiCall, name: str, **fields: Any) -> NoFields:
    answer = await feeds_of(call.request).link.command(name, **fields)
    if not answer.ok:
        raise HTTPException(409, answer.text)
    return NoFields()


def _keys(call: ApiCall) -> list[KeyLine]:
    """The same as `whosthere web token list`."""
    return [KeyLine.of(one) for one in StreamTokens(call.box.folder).all()]


def _make(call: ApiCall) -> KeyMade:
    """The same as `whosthere web token make`."""
    made, address = make_key(call.request, call.given.opens, call.given.label)
    return KeyMade(KeyLine.of(made), address)


def _revoke(call: ApiCall) -> KeyLine:
    """The same as `whosthere web token revoke`."""
    return KeyLine.of(StreamTokens(call.box.folder).revoke(call.name("key")))


ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/door", "The door now", BoxStatus, _status),
        ApiEndpoint("GET", "/api/door/picture", "What the camera sees", JPEG, _picture, PictureQuery),
        ApiEndpoint("POST", "/api/door/ring", "Ring", NoFields, _ring),
        ApiEndpoint("POST", "/api/door/challenge", "Ask for a movement", NoFields, _challenge),
        ApiEndpoint("POST", "/api/door/pause", "Stop watching for a while", NoFields, _pause, PauseGiven),
        ApiEndpoint("POST", "/api/door/resume", "Watch again", NoFields, _resume),
        ApiEndpoint("GET", "/api/keys", "The keys to the pictures", list[KeyLine], _keys),
        ApiEndpoint("POST", "/api/keys", "Make a key to the pictures", KeyMade, _make, KeyGiven),
        ApiEndpoint("POST", "/api/keys/{key}/revoke", "Revoke a key", KeyLine, _revoke),
    )
)
