"""Commands that the page runs as processes of their own: networks take memory, which the page must not keep."""

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from edge.errors import ConfigError, UsageError, WhosthereError

LIMIT_S = 55.0
"""Less than a request may take."""
_one_at_a_time = asyncio.Lock()
_KINDS = {kind.exit_code: kind for kind in (UsageError, ConfigError)}
T = TypeVar("T")


class CommandFailed(WhosthereError):
    """A command did not do what was asked; the text says why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: bytes
    problem: str
    """What it said on standard error, without its own name."""

    def report(self, kind: type[T]) -> T:
        """What it has written, as JSON. Raises the error that the command has ended with."""
        try:
            return msgspec.json.decode(self.out, type=kind)
        except msgspec.DecodeError as error:
            raise _KINDS.get(self.code, WhosthereError)(self.problem) from error


async def run_whosthere(*words: str, limit_s: float = LIMIT_S) -> Ran:
    """Run a command of `whosthere`, one at a time. Raises CommandFailed when it takes too long."""
    async with _one_at_a_time:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "edge", *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, errors = await asyncio.wait_for(process.communicate(), limit_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise CommandFailed(f"this took longer than {limit_s:.0f} s; try again with less at once") from error
    text = errors.decode(errors="replace").strip()
    return Ran(process.returncode or 0, out, text.rpartition("whosthere: ")[2] or text)
