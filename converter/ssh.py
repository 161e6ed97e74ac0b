"""Commands for a box over the user's own ssh(1), without a terminal and without a question to anybody."""

import shlex
import subprocess
from collections.abc import Sequence

from edge.errors import UsageError, WhosthereError


def ssh_command(
    host: str, words: Sequence[str], ssh: Sequence[str] = ("ssh",), options: Sequence[str] = ()
) -> list[str]:
    """What to run: `ssh` is the client with the user's options, `options` are further ones. Raises UsageError."""
    return [*ssh, "-T", "-o", "BatchMode=yes", *options, "--", checked_host(host), *words]


def checked_host(host: str) -> str:
    """The host as it is. Raises UsageError when ssh would read it as an option."""
    if host.startswith("-"):
        raise UsageError(f"{host!r} is not a host")
    return host


def ask(host: str, words: str, ssh: str, timeout_s: float) -> bytes:
    """Return what the box answers. Raises WhosthereError with the reason that it or ssh gave."""
    command = ssh_command(host, [words], shlex.split(ssh))
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise WhosthereError(f"{host}: no answer in {timeout_s:.0f} s") from error
    except OSError as error:
        raise WhosthereError(f"{host}: {command[0]} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise WhosthereError(f"{host}: {last_line(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout


def last_line(text: bytes) -> str:
    """The last line that is not empty, fit for a terminal; empty when there is none."""
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return "".join(c if c.isprintable() else "?" for c in lines[-1])[:300] if lines else ""
