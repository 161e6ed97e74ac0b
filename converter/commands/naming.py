"""Naming the unknown visitors of a box, for `whosthere-converter enroll --from-box`."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from converter.commands import gallery_options
from converter.people_folder import read_people
from converter.unknown_faces import UnknownVisitor, adopt, chosen, fetch, write_sheet
from edge.terminal import echo

F = TypeVar("F", bound=Callable[..., Any])

TIMEOUT_S = 60.0


def options(command: F) -> F:
    """--from-box, --name and --ssh."""
    box = click.option("--from-box", metavar="HOST", help="Name unknown visitors of this box before enrolling.")
    name = click.option(
        "--name",
        "called",
        metavar="VISIT=NAME",
        multiple=True,
        help="Say who a visitor was, by number on the sheet, visit id or the last six characters of it: "
        '--name 3="Ada Lovelace".',
    )
    return box(name(gallery_options.ssh(command)))


def name_strangers(people_dir: Path, sheet: Path, host: str | None, called: Sequence[str], ssh: str) -> None:
    """Put the pictures of visitors who are named in their folders, and say so on stderr. Without a host, do nothing."""
    if host is None:
        if called:
            raise click.UsageError("--name is for the visitors of a box: give --from-box HOST too")
        return
    strangers = fetch(host, ssh, TIMEOUT_S)
    if not strangers:
        echo(f"{host} keeps no pictures of unknown visitors now", err=True)
        return
    write_sheet(strangers, sheet)
    echo(f"{len(strangers)} unknown visitors of {host}, shown on {sheet}:", err=True)
    for number, stranger in enumerate(strangers, 1):
        count = f", {len(stranger.pictures)} pictures" if len(stranger.pictures) > 1 else ""
        echo(f"  {number:3}  {stranger.visit}{count}", err=True)
    names = _named(strangers, called) if called else _asked(strangers) if sys.stdin.isatty() else []
    if not names:
        echo('nobody named; to name one: --name NUMBER="Ada Lovelace"', err=True)
    named_folders = any(path.is_dir() for path in people_dir.iterdir())
    people = read_people(people_dir, videos=True).people if named_folders else []
    for stranger, name in names:
        for path in adopt(stranger, name, people_dir, people):
            echo(f"{path}: {name}", err=True)


def _named(strangers: Sequence[UnknownVisitor], called: Sequence[str]) -> list[tuple[UnknownVisitor, str]]:
    pairs = [text.partition("=") for text in called]
    if bad := next(
        (text for text, (_, equals, name) in zip(called, pairs, strict=True) if not equals or not name), None
    ):
        raise click.UsageError(f"--name {bad!r}: VISIT=NAME is expected, such as 3=Ada")
    return [(chosen(strangers, key), name) for key, _, name in pairs]


def _asked(strangers: Sequence[UnknownVisitor]) -> list[tuple[UnknownVisitor, str]]:
    answers = [
        click.prompt(f"{number}  {s.visit}: who is it? (Enter: skip)", default="", show_default=False, err=True)
        for number, s in enumerate(strangers, 1)
    ]
    return [(stranger, name) for stranger, name in zip(strangers, answers, strict=True) if name.strip()]
