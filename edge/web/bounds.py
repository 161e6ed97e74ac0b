"""How much, and for how long, one request may take: bodies without an end and slow clients are cut off."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_FORM_BYTES = 64_000
MAX_REQUEST_S = 60.0
MAX_STREAM_S = 3600.0
"""Browsers open an ended stream again."""
STREAMS = ("text/event-stream", "multipart/x-mixed-replace")
_EXCHANGE = "exchange"
MAX_BODY = "max_body"
"""In the scope: how many bytes the body may have. A route that takes uploads raises it."""


class Bounded:
    """Middleware: the bounds of a request, and a closed connection where its body was not read to the end."""

    def __init__(self, app: ASGIApp, request_s: float = MAX_REQUEST_S) -> None:
        self._app = app
        self._request_s = request_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[MAX_BODY] = MAX_FORM_BYTES
        scope[_EXCHANGE] = exchange = _Exchange(scope, receive, send)
        try:
            async with asyncio.timeout(self._request_s) as exchange.deadline:
                await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if exchange.started:
                # uvicorn closes the connection.
                raise
            await PlainTextResponse("this took too long", 408)(scope, receive, exchange.send)


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive: Callable[[], Awaitable[Message]] = receive
        self._send = send
        self._bytes = 0
        self._whole = not _has_body(scope)
        self.started = False
        self.deadline: asyncio.Timeout | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            if self._bytes > self._scope[MAX_BODY]:
                raise HTTPException(413, f"found more than {self._scope[MAX_BODY]} bytes, which is the limit")
            self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            if not self._whole:
                headers["Connection"] = "close"
            if self.deadline is not None and headers.get("content-type", "").startswith(STREAMS):
                self.deadline.reschedule(asyncio.get_running_loop().time() + MAX_STREAM_S)
        await self._send(message)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def allow_body(scope: Scope, limit: int) -> None:
    """Let this request have a body of up to `limit` bytes. Raises HTTPException when it announces more."""
    scope[MAX_BODY] = limit
    announced = Headers(scope=scope).get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise HTTPException(413, f"found {int(announced)} bytes; allowed: {limit}")


def allow_time(scope: Scope, seconds: float) -> None:
    """Let this request take so long from now on, because enrolling does."""
    deadline: asyncio.Timeout | None = scope[_EXCHANGE].deadline
    if deadline is not None:
        deadline.reschedule(asyncio.get_running_loop().time() + seconds)
