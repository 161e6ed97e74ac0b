"""Server-sent events: the page learns of a new visit within two seconds, without asking for the list all the time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

from edge.diary.opening import open_diary
from edge.errors import ConfigError
from edge.storage.database import StorageError
from edge.web.box import WebBox

POLL_S = 1.0
COMMENT_EVERY = 15
"""After so many polls without news a comment is sent, so that a browser that has gone away is noticed."""
MAX_FOLLOWERS = 16


async def follow(request: Request) -> StreamingResponse:
    """An event `visits` whenever one has been written."""
    if request.app.state.followers >= MAX_FOLLOWERS:
        raise HTTPException(503, f"{MAX_FOLLOWERS} pages follow the visits already; reload this one later")
    return StreamingResponse(_events(request), media_type="text/event-stream")


async def _events(request: Request) -> AsyncIterator[str]:
    box: WebBox = request.app.state.box
    path = Path(box.loaded.config.diary.path)
    request.app.state.followers += 1
    try:
        yield ": here\n\n"
        stamp, newest, quiet = _stamp(path), await anyio.to_thread.run_sync(_newest, box), 0
        while True:
            await asyncio.sleep(POLL_S)
            quiet += 1
            if (now := _stamp(path)) != stamp:
                stamp = now
                before, newest = newest, await anyio.to_thread.run_sync(_newest, box)
                if newest != before:
                    quiet = 0
                    yield f"event: visits\ndata: {newest}\n\n"
            if quiet >= COMMENT_EVERY:
                quiet = 0
                yield ": still here\n\n"
    finally:
        request.app.state.followers -= 1


def _newest(box: WebBox) -> str:
    try:
        with open_diary(box.loaded) as diary:
            return diary.newest() or ""
    except (ConfigError, StorageError):
        return ""


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever the diary or its log is written."""
    found: list[int] = []
    for name in (path, path.with_name(f"{path.name}-wal")):
        try:
            state = name.stat()
            found += [state.st_mtime_ns, state.st_size]
        except OSError:
            found.append(0)
    return tuple(found)
