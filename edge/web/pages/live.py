"""The door's pictures for the page and for other systems: /snapshot.jpg and /live.mjpg, each with a key of its own."""

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edge.link.protocol import LinkError, Picture
from edge.web.access import SESSION
from edge.web.box import WebBox
from edge.web.door_feeds import MAX_FPS, feeds_of
from edge.web.page import Page, get
from edge.web.shared_stream import SharedStream
from edge.web.stream_tokens import ADDRESSES, Opens, StreamTokens

BOUNDARY = "whosthere-frame"
REPEAT_S = 5.0
"""A viewer gets the last picture again after so long without a new one, so that it does not give up."""
EARLY = 0.8
"""A picture may come this part of the interval early: the camera's rate is not a multiple of the viewer's."""
_YES, _NO = {"1", "true", "yes"}, {"0", "false", "no", ""}


async def snapshot(request: Request) -> Response:
    """What the camera saw last; `boxes=1` with names."""
    await _check(request, "snapshot")
    header, jpeg = await feeds_of(request).link.picture(boxes=_boxes(request))
    headers = {"X-Age-Seconds": f"{header.age_s:g}", **_sharing(request)}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


async def live(request: Request) -> Response:
    """What the camera sees, as one endless response of JPEGs; `fps` at most."""
    await _check(request, "live")
    stream = feeds_of(request).pictures(boxes=_boxes(request))
    parts = _parts(stream, 1 / _fps(request))
    # The first one now: a daemon that is not running is an error, not a stream without pictures.
    first = await anext(parts, None)
    if first is None:
        raise LinkError(stream.problem or "the camera has not delivered a frame yet")
    media = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return StreamingResponse(_beginning_with(first, parts), media_type=media, headers=_sharing(request))


async def _parts(stream: SharedStream[Picture], interval_s: float) -> AsyncIterator[bytes]:
    """Pictures as parts of a multipart body, until there are none for `REPEAT_S`."""
    async with aclosing(stream.follow(REPEAT_S)) as pictures:  # type: ignore[type-var]
        async for picture in pictures:
            if picture is None:
                return
            due = time.monotonic() + EARLY * interval_s
            yield _part(picture[1])
            # The next one is then the newest, whatever came meanwhile.
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def _part(jpeg: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


async def _beginning_with(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(others):  # type: ignore[type-var]
        yield first
        async for one in others:
            yield one


async def _check(request: Request, opens: Opens) -> None:
    """Raises HTTPException unless there is a session or a key for this address."""
    if request.scope["state"][SESSION] is not None:
        return
    key = _key(request)
    box: WebBox = request.app.state.box
    if not key or not await anyio.to_thread.run_sync(StreamTokens(box.folder).fits, key, opens):
        found = "no key" if not key else "a key that does not open it"
        raise HTTPException(
            401,
            f"{ADDRESSES[opens]}: found {found}; make one on the page Door, or with `whosthere web token make {opens}`",
        )


def _key(request: Request) -> str:
    """From `?token=`, a bearer token, or the password of a basic log-in, whatever its user."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return request.query_params.get("token", "")


def _sharing(request: Request) -> dict[str, str]:
    """With a key, other pages may show the picture too, such as a dashboard."""
    return {} if request.scope["state"][SESSION] is not None else {"Cross-Origin-Resource-Policy": "cross-origin"}


def _boxes(request: Request) -> bool:
    text = request.query_params.get("boxes", "").lower()
    if text not in _YES | _NO:
        raise HTTPException(422, "boxes: found something else; allowed: 1 or 0")
    return text in _YES


def _fps(request: Request) -> float:
    text = request.query_params.get("fps", f"{MAX_FPS:g}")
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0.1 <= fps <= MAX_FPS:
        raise HTTPException(422, f"fps: allowed: 0.1 to {MAX_FPS:g}")
    return fps


PAGE = Page(
    name="live",
    title="Live pictures",
    routes=(get("/snapshot.jpg", snapshot), get("/live.mjpg", live)),
    public=("/snapshot.jpg", "/live.mjpg"),
)
