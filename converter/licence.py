"""The licence of weights that somebody published: asked for, as many are for research only."""

import sys
from pathlib import Path

import click

from edge.errors import UsageError

LONGEST = 200
WHY = (
    "the file does not say under which licence its weights were published, and many are for research only, whatever "
    "the licence of the code is"
)


def licence_of(given: str | None, path: Path) -> str:
    """The licence for the cards: `given`, or else what is typed on a terminal. Raises UsageError when there is none."""
    if given is None and sys.stdin.isatty():
        click.echo(f"{path.name}: {WHY}.", err=True)
        given = click.prompt("The licence of the weights (for example: research only)", err=True)
    if given is None or not given.strip():
        raise UsageError(f"{path}: give --licence: {WHY}; it is written into the cards")
    if len(given) > LONGEST or not given.isprintable():
        raise UsageError(f"--licence: found {len(given)} characters; allowed: one line of at most {LONGEST}")
    return given.strip()
