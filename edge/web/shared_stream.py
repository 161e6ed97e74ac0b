"""One stream of the daemon for all who look: opened for the first of them, closed after the last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from edge.link.protocol import LinkError

T = TypeVar("T")

RETRY_S = 2.0


class SharedStream(Generic[T]):
    """Holds the newest item. A slow viewer misses those in between, and holds up nobody."""

    def __init__(self, source: Callable[[], AsyncIterator[T]]) -> None:
        self._source = source
        self._viewers = 0
        self._version = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._newest: T | None = None
        self.problem: str | None = None
        """Why there is no stream now; None: there is one, or nobody looks."""

    async def follow(self, patience_s: float) -> AsyncIterator[T | None]:
        """Yield each new item, and the same again after `patience_s` without one; None while there is none."""
        self._viewers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        seen = 0
        try:
            while True:
                await self._wait(seen, patience_s)
                seen = self._version
                yield self._newest
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._close()

    async def _wait(self, seen: int, patience_s: float) -> None:
        async with self._changed:
            try:
                async with asyncio.timeout(patience_s):
                    await self._changed.wait_for(lambda: self._version != seen)
            except TimeoutError:
                pass

    def _close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._newest = self.problem = None
        self._version = 0

    async def _run(self) -> None:
        while True:
            try:
                async with aclosing(self._source()) as stream:  # type: ignore[type-var]
                    async for item in stream:
                        await self._set(item, None)
            except LinkError as error:
                await self._set(None, str(error))
            await asyncio.sleep(RETRY_S)

    async def _set(self, newest: T | None, problem: str | None) -> None:
        async with self._changed:
            self._newest, self.problem = newest, problem
            self._version += 1
            self._changed.notify_all()
