"""Work that needs the networks runs as a command of its own: its memory is given back when it ends."""

import asyncio
import sys

from edge.errors import ConfigError, UsageError, WhosthereError
from edge.web.box import WebBox

TIMEOUT_S = 300.0
MAX_OUTPUT = 1_000_000


class WorkerError(WhosthereError):
    """A command has failed; it says why."""


async def whosthere(box: WebBox, *words: str) -> str:
    """Run `whosthere WORDS --config ...`, one at a time, and return its standard output.

    Raises UsageError and ConfigError where the command ends with their exit codes, and WorkerError.
    """
    async with box.working:
        command = (sys.executable, "-P", "-m", "edge", *words, "--config", str(box.config_path))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise WorkerError(f"whosthere {words[0]}: took more than {TIMEOUT_S:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    problem = errors.decode("utf-8", "replace").strip().removeprefix("whosthere: ")
    for kind in (UsageError, ConfigError):
        if process.returncode == kind.exit_code:
            raise kind(problem)
    text = output[:MAX_OUTPUT].decode("utf-8", "replace")
    if process.returncode and not text.strip():
        raise WorkerError(problem or f"whosthere {words[0]} ended with {process.returncode}")
    return text
