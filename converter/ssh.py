"""Fetching from a box over the user's own ssh(1), with a key that may send and do nothing else."""

import shlex
import subprocess

import click

from edge.errors import WhosthereError


def ask(host: str, words: str, ssh: str, timeout_s: float) -> bytes:
    """What the box answers. Raises WhosthereError with the reason that it or ssh gave."""
    if host.startswith("-"):
        raise click.BadParameter(f"{host!r} is not a host")
    asking = [*shlex.split(ssh), "-T", "-o", "BatchMode=yes", "--", host, words]
    try:
        done = subprocess.run(asking, capture_output=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise WhosthereError(f"{host}: no answer in {timeout_s:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise WhosthereError(f"{host}: {said[-1] if said else f'exit code {done.returncode}'}")
    return done.stdout
