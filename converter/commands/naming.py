"""Naming the unknown visitors of a box, for `whosthere-converter enroll --from-box`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from converter.people_folder import read_people
from converter.unknown_faces import UnknownVisitor, adopt, chosen, fetch, write_sheet

F = TypeVar("F", bound=Callable[..., Any])

TIMEOUT_S = 60.0


def options(command: F) -> F:
    """--from-box, --name and --ssh."""
    box = click.option("--from-box", metavar="HOST", help="Name unknown visitors of this box first.")
    name = click.option(
        "--name",
        "called",
        metavar="VISIT=NAME",
        multiple=True,
        help='Who a visitor was: number on the sheet, visit id or its end, as in --name 3="Ada Lovelace".',
    )
    ssh = click.option("--ssh", default="ssh", show_default=True, help="The client for --from-box, with options.")
    return box(name(ssh(command)))


def name_strangers(people_dir: Path, sheet: Path, host: str | None, called: Sequence[str], ssh: str) -> None:
    """Put those who are named into their folders; what happens is told on stderr. Nothing is done without a host."""
    if host is None:
        if called:
            raise click.UsageError("--name names visitors of a box; give --from-box HOST")
        return
    console = Console(stderr=True, highlight=False)
    strangers = fetch(host, ssh, TIMEOUT_S)
    if not strangers:
        console.print(f"{host} keeps no picture of an unknown visitor")
        return
    write_sheet(strangers, sheet)
    console.print(f"{len(strangers)} unknown visitors of {host}, shown on {sheet}:")
    for number, stranger in enumerate(strangers, 1):
        console.print(f"  {number:3}  {stranger.visit}")
    names = _named(strangers, called) if called else _asked(strangers) if sys.stdin.isatty() else []
    if not names:
        console.print('nobody named; name them with --name NUMBER="Ada Lovelace"')
    people = read_people(people_dir, videos=True) if any(path.is_dir() for path in people_dir.iterdir()) else []
    for stranger, name in names:
        console.print(f"{adopt(stranger, name, people_dir, people)}: {name}")


def _named(strangers: Sequence[UnknownVisitor], called: Sequence[str]) -> list[tuple[UnknownVisitor, str]]:
    pairs = [text.partition("=") for text in called]
    if bad := next(
        (text for text, (_, equals, name) in zip(called, pairs, strict=True) if not equals or not name), None
    ):
        raise click.UsageError(f"--name {bad!r}: VISIT=NAME is expected, such as 3=Ada")
    return [(chosen(strangers, key), name) for key, _, name in pairs]


def _asked(strangers: Sequence[UnknownVisitor]) -> list[tuple[UnknownVisitor, str]]:
    answers = [
        click.prompt(f"{number}  {s.visit}: who is it? (empty: leave)", default="", show_default=False, err=True)
        for number, s in enumerate(strangers, 1)
    ]
    return [(stranger, name) for stranger, name in zip(strangers, answers, strict=True) if name.strip()]
