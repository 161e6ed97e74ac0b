"""A page that systemd started stops when nobody asks any more."""

import asyncio
import time

import uvicorn
from starlette.types import Message, Receive, Scope, Send

from edge.web.server import Activity, IdleServer, Watched


def ends(activity: Activity, idle_s: float | None) -> bool:
    """Whether the server would end now."""
    return asyncio.run(IdleServer(uvicorn.Config(app), activity, idle_s).on_tick(1))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Lasts until something is received."""
    await receive()


def test_it_ends_only_when_there_was_no_request_for_so_long() -> None:
    long_ago = time.monotonic() - 100
    assert ends(Activity(long_ago), 99)
    assert not ends(Activity(long_ago), 1000)
    assert not ends(Activity(long_ago, running=1), 99), "somebody watches the door"
    assert not ends(Activity(long_ago), None), "it was not started by systemd"


def test_requests_count_and_the_lifetime_of_the_process_does_not() -> None:
    async def run() -> None:
        for kind, running in (("http", 1), ("lifespan", 0)):
            activity, over = Activity(0.0), asyncio.Event()

            async def receive(over: asyncio.Event = over) -> Message:
                await over.wait()
                return {}

            async def send(_: Message) -> None: ...

            task = asyncio.create_task(Watched(app, activity)({"type": kind}, receive, send))
            await asyncio.sleep(0)
            assert activity.running == running, kind
            over.set()
            await task
            assert activity.running == 0
            assert (activity.last > 0) == (kind == "http")

    asyncio.run(run())
