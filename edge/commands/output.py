"""What the commands print, and how."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

T = TypeVar("T")
MANY = 5
"""From so many items on a progress bar is worth its line."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a script to read.")


def print_json(document: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def warn(text: str) -> None:
    """One line of a report that should be noticed."""
    click.secho(text, fg="yellow")


def progress(items: Sequence[T], label: str) -> Iterator[T]:
    """The items one by one; with a bar on standard error when they are many and somebody is watching."""
    if len(items) < MANY or not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label=label, file=sys.stderr) as bar:
        yield from bar


def timestamp() -> str:
    """Now, RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plural(count: int, noun: str) -> str:
    """`1 photo`, `2 photos`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
