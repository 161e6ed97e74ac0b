"""What both command lines, `whosthere` and `whosthere-converter`, print and accept in the same way."""

import importlib
import keyword
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

T = TypeVar("T")
LEFT_OUT_LINES = 20
BAR_FROM = 5
"""From this many items on, a progress bar is worth its line."""
GAP = "  "

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a script to read.")
config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The config.yaml to read settings from. Without it, every setting has its default.",
)


class LazyGroup(click.Group):
    """A group whose commands are modules of a package, imported only when they are used: some need much to load."""

    package: str
    """Where the modules are; each holds its command as `command`."""
    summaries: Mapping[str, str]
    """Command name -> its line in `--help`, in the order in which they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.summaries:
            return None
        name = cmd_name.replace("-", "_")
        # `import` is a keyword, so it cannot be the name of a module.
        module = importlib.import_module(f"{self.package}.{name}{'_' * keyword.iskeyword(name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))


def print_json(document: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def warn(text: str) -> None:
    """Print one line of a report that should be noticed."""
    click.secho(text, fg="yellow")


def print_left_out(lines: Sequence[str]) -> None:
    """Say on standard error which files of a folder are not read, the first of many."""
    for line in lines[:LEFT_OUT_LINES]:
        click.secho(line, err=True, fg="yellow" if sys.stderr.isatty() else None)
    if len(lines) > LEFT_OUT_LINES:
        click.echo(f"and {len(lines) - LEFT_OUT_LINES} more files or folders left out", err=True)


def progress(items: Sequence[T], label: str) -> Iterator[T]:
    """The items one by one; with a bar on standard error when there are many and somebody is watching."""
    if len(items) < BAR_FROM or not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label=label, file=sys.stderr) as bar:
        yield from bar


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 photo`, `2 photos`; `nouns` is the plural where an s does not make it."""
    return f"{count} {noun}" if count == 1 else f"{count} {nouns or f'{noun}s'}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Lines of aligned columns under their headings; the columns in `right` are flush right (figures)."""
    lines = [headings, *rows]
    widths = [max(width(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded = [_pad(cell, widths[i], right=i in right) for i, cell in enumerate(cells)]
    return GAP.join(padded).rstrip()


def _pad(cell: str, columns: int, *, right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if right else cell + space


def width(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters two, combining accents and joiners none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
