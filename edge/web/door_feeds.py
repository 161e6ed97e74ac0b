"""What the door's pages follow: the box's state, and its pictures with and without boxes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from starlette.requests import Request

from edge.link.client import AsyncLink
from edge.link.protocol import BoxStatus, FaceInView, LinkError, Picture
from edge.web.box import WebBox
from edge.web.shared_stream import SharedStream

MAX_FPS = 10.0
PATIENCE_S = 5.0

Faces = tuple[FaceInView, ...]
DoorNow = tuple[BoxStatus, Faces]


class DoorFeeds:
    """One per process: however many look, the daemon has three streams at most."""

    def __init__(self, socket: Path) -> None:
        self.link = AsyncLink(socket)
        self.door: SharedStream[DoorNow] = SharedStream(self._door)
        """The status and the faces in view, whenever one of them changes."""
        self._plain: SharedStream[Picture] = SharedStream(lambda: self.link.live(max_fps=MAX_FPS))
        self._boxed: SharedStream[Picture] = SharedStream(lambda: self.link.live(boxes=True, max_fps=MAX_FPS))

    def pictures(self, *, boxes: bool) -> SharedStream[Picture]:
        return self._boxed if boxes else self._plain

    async def _door(self) -> AsyncIterator[DoorNow]:
        status: BoxStatus | None = None
        faces: Faces = ()
        changed: asyncio.Queue[BoxStatus | Faces | LinkError] = asyncio.Queue(1)
        tasks = [asyncio.create_task(_pump(source, changed)) for source in (self._status(), self._faces())]
        try:
            while not isinstance(news := await changed.get(), LinkError):
                if isinstance(news, BoxStatus):
                    status = news
                else:
                    faces = news
                if status is not None:
                    yield status, faces
            raise news
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _status(self) -> AsyncIterator[BoxStatus]:
        """The status now and after everything that happens."""
        async for news in self.link.watch():
            yield news if isinstance(news, BoxStatus) else await self.link.status()

    async def _faces(self) -> AsyncIterator[Faces]:
        """The faces in view, when others come or something else is wrong with them."""
        before: object = None
        async with aclosing(self._boxed.follow(PATIENCE_S)) as pictures:  # type: ignore[type-var]
            async for picture in pictures:
                faces = picture[0].faces if picture else ()
                key = [(face.visit_id, face.problem) for face in faces]
                if key != before:
                    before = key
                    yield faces


async def _pump(
    source: AsyncIterator[BoxStatus] | AsyncIterator[Faces], into: "asyncio.Queue[BoxStatus | Faces | LinkError]"
) -> None:
    try:
        async with aclosing(source) as items:  # type: ignore[type-var]
            async for item in items:
                await into.put(item)
    except LinkError as error:
        await into.put(error)


def feeds_of(request: Request) -> DoorFeeds:
    """Those of this process."""
    state = request.app.state
    if not hasattr(state, "feeds"):
        box: WebBox = state.box
        state.feeds = DoorFeeds(Path(box.loaded.config.link.path))
    feeds: DoorFeeds = state.feeds
    return feeds
