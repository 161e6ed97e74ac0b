"""A page that systemd started stops when nobody asks any more. Any page gives back the memory that requests leave."""

import asyncio
import subprocess
import sys
import time

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from edge.web import server
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


HOLES = """
from pathlib import Path
from edge.web.spare_memory import give_back
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
blocks = [bytearray(5000) for _ in range(10_000)]
del blocks[:-1]
before = resident()
give_back()
print(before - resident())
"""


def test_what_lies_below_the_last_block_in_use_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 40_000_000


def test_memory_is_given_back_within_a_second_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    activity = Activity(1.0)
    running = IdleServer(uvicorn.Config(app), activity, None)
    at = 0
    monkeypatch.setattr(server, "give_back", lambda: given.append(at))

    async def ticks(until: int) -> None:
        nonlocal at
        for at in range(at + 1, until):  # noqa: B020
            await running.on_tick(at)

    asyncio.run(ticks(25))
    assert given == [10], "what the start has left, once"
    activity.last = 2.0
    asyncio.run(ticks(45))
    assert given == [10, 30]
