"""Clients of the daemon's socket, with and without asyncio: one connection for each request or stream.

`Link(path).status()`, or `async for news in AsyncLink(path).watch(): ...`. Everything raises LinkError when the daemon
is not running, hangs, is of another version or refuses.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge.link.protocol import (
    AskCommand,
    AskGuide,
    AskLive,
    AskMetrics,
    AskPicture,
    AskStatus,
    AskWatch,
    BoxMetrics,
    BoxStatus,
    ChallengeNews,
    Guided,
    GuideNews,
    LinkAnswer,
    LinkError,
    Message,
    Messages,
    Picture,
    PictureHeader,
    Request,
    RingNews,
    VisitNews,
    line,
)
from edge.link.socket_file import connected
from edge.metrics.snapshot import MetricsSnapshot

TIMEOUT_S = 10.0
"""So long the daemon may take to answer."""
_CHUNK = 262_144

Watched = BoxStatus | VisitNews | RingNews | ChallengeNews
_Said = tuple[Message, bytes]
_T = TypeVar("_T", bound=Message)


class Link:
    """Asks the daemon, and waits for what it says."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def status(self) -> BoxStatus:
        return _expected(BoxStatus, self._ask(AskStatus())[0])

    def metrics(self) -> MetricsSnapshot:
        return _expected(BoxMetrics, self._ask(AskMetrics())[0]).metrics

    def picture(self, *, boxes: bool = False) -> Picture:
        """What the camera saw last, as JPEG."""
        message, data = self._ask(AskPicture(boxes))
        return _expected(PictureHeader, message), data

    def command(self, name: str, **fields: Any) -> LinkAnswer:
        """Carry out a command of docs/40-mqtt.md, such as `pause`."""
        return _expected(LinkAnswer, self._ask(_command(name, fields))[0])

    def watch(self) -> Iterator[Watched]:
        """The status, and then everything that happens; waits for ever."""
        with closing(self._said(AskWatch(), None)) as said:
            for message, _ in said:
                yield _news(message)

    def live(self, *, boxes: bool = False, max_fps: float = 30.0) -> Iterator[Picture]:
        """Pictures as they come; waits for ever."""
        with closing(self._said(AskLive(boxes, max_fps), None)) as said:
            for message, data in said:
                yield _expected(PictureHeader, message), data

    def guide(self, name: str, count: int = 5, within_s: float = 120.0) -> Iterator[Guided]:
        """Guide somebody in front of the camera: advice, and portraits, until one of them is `over`."""
        with closing(self._said(AskGuide(name, count, within_s), None)) as said:
            for message, data in said:
                yield (news := _expected(GuideNews, message)), data
                if news.over:
                    return

    def _ask(self, request: Request) -> _Said:
        with closing(self._said(request, self._timeout_s)) as said:
            return next(said)

    def _said(self, request: Request, timeout_s: float | None) -> Generator[_Said]:
        messages, deadline = Messages(), None if timeout_s is None else time.monotonic() + timeout_s
        with connected(self._path) as connection:
            connection.settimeout(timeout_s)
            try:
                connection.sendall(line(request))
                while data := connection.recv(_CHUNK):
                    yield from messages.feed(data)
                    if deadline is not None:
                        connection.settimeout(max(deadline - time.monotonic(), 0.001))
            except OSError as error:
                raise LinkError(f"{self._path}: {_why(error)}") from error
        raise LinkError(f"{self._path}: the daemon has closed the connection")


class AsyncLink:
    """The same for asyncio."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s

    async def status(self) -> BoxStatus:
        return _expected(BoxStatus, (await self._ask(AskStatus()))[0])

    async def picture(self, *, boxes: bool = False) -> Picture:
        """What the camera saw last, as JPEG."""
        message, data = await self._ask(AskPicture(boxes))
        return _expected(PictureHeader, message), data

    async def command(self, name: str, **fields: Any) -> LinkAnswer:
        """Carry out a command of docs/40-mqtt.md, such as `pause`."""
        return _expected(LinkAnswer, (await self._ask(_command(name, fields)))[0])

    async def watch(self) -> AsyncIterator[Watched]:
        """The status, and then everything that happens; waits for ever."""
        async with aclosing(self._said(AskWatch())) as said:
            async for message, _ in said:
                yield _news(message)

    async def live(self, *, boxes: bool = False, max_fps: float = 30.0) -> AsyncIterator[Picture]:
        """Pictures as they come; waits for ever."""
        async with aclosing(self._said(AskLive(boxes, max_fps))) as said:
            async for message, data in said:
                yield _expected(PictureHeader, message), data

    async def guide(self, name: str, count: int = 5, within_s: float = 120.0) -> AsyncIterator[Guided]:
        """Guide somebody in front of the camera: advice, and portraits, until one of them is `over`."""
        async with aclosing(self._said(AskGuide(name, count, within_s))) as said:
            async for message, data in said:
                yield (news := _expected(GuideNews, message)), data
                if news.over:
                    return

    async def _ask(self, request: Request) -> _Said:
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(self._said(request)) as said:
                return await anext(said)
        except TimeoutError as error:
            raise LinkError(f"{self._path}: {_why(error)}") from error

    async def _said(self, request: Request) -> AsyncGenerator[_Said]:
        messages, loop = Messages(), asyncio.get_running_loop()
        with connected(self._path) as connection:
            try:
                await loop.sock_sendall(connection, line(request))
                while data := await loop.sock_recv(connection, _CHUNK):
                    for one in messages.feed(data):
                        yield one
            except OSError as error:
                raise LinkError(f"{self._path}: {_why(error)}") from error
        raise LinkError(f"{self._path}: the daemon has closed the connection")


def _command(name: str, fields: dict[str, Any]) -> AskCommand:
    return AskCommand(name, msgspec.Raw(msgspec.json.encode(fields)))


def _expected(kind: type[_T], message: Message) -> _T:
    if isinstance(message, kind):
        return message
    if isinstance(message, LinkAnswer):
        raise LinkError(message.text)
    raise LinkError(f"the daemon answered with {type(message).__name__} where {kind.__name__} was expected")


def _news(message: Message) -> Watched:
    if isinstance(message, BoxStatus | VisitNews | RingNews | ChallengeNews):
        return message
    return _expected(BoxStatus, message)


def _why(error: OSError) -> str:
    return "the daemon does not answer" if isinstance(error, TimeoutError) else f"{error.strerror or error}"
