"""What both command lines, `whosthere` and `whosthere-converter`, print and accept in the same way."""

import codecs
import importlib
import io
import json
import keyword
import math
import re
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
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of controls, formats such as direction marks, surrogates, and separators of lines."""
_BROKEN = re.compile("[\udc80-\udcff]")
"""Bytes of file names that are not text, as Python has them (PEP 383)."""
_EMPTY_OPTION = re.compile(r"--[a-z][a-z-]*=")
_JOINERS = frozenset({"\u200c", "\u200d"})
"""Names in Persian and Sinhala and emoji of several parts need them, as emoji of flags need tags."""

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

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command. A terminal that cannot show a character, and a deleted working folder, are no surprises."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().main(*args, **options)
        except FileNotFoundError:
            if _working_folder_exists():
                raise
            problem = "the working folder has been deleted: change to another one with `cd` and try again"
        except UnicodeEncodeError as error:
            encoding = sys.getfilesystemencoding()
            if encoding == "utf-8":
                raise
            problem = f"file names here are {encoding}, which lacks {error.object[error.start]!a}: set PYTHONUTF8=1"
        click.echo(problem, err=True)
        sys.exit(2)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments, of which none is empty: `--network "$NAME"` without a NAME is a mistake."""
        if not ctx.resilient_parsing:
            _refuse_empty(ctx, args)
        return super().parse_args(ctx, args)

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


def _refuse_empty(ctx: click.Context, args: Sequence[str]) -> None:
    """Raise UsageError naming what stands before an empty argument."""
    for number, argument in enumerate(args):
        option = argument[:-1] if _EMPTY_OPTION.fullmatch(argument) else ""
        if argument and not option:
            continue
        before = option or (args[number - 1] if number else str(ctx.info_name))
        raise click.UsageError(f"found an empty text after {safe(before)}; give it a value, or leave it out", ctx)


def safe(text: str) -> str:
    """Text as one line that a terminal shows without obeying it.

    Names of files, fields of galleries and answers of other hosts may hold anything. Control characters, newlines,
    direction marks and lone surrogates become visible escapes, such as `\\x1b`.
    """
    return "".join(_escape(c) if _is_unsafe(c) else c for c in text)


def path_text(path: Path | str) -> str:
    """A path as valid text that can be turned back into its bytes.

    A byte that is not UTF-8 becomes `\\xe9`. In such a path, or one with `\\x` in it, a backslash is `\\x5c`. So the
    bytes are those of the text in UTF-8, each `\\xNN` replaced by the byte NN.
    """
    text = str(path)
    if "\\x" not in text and not _BROKEN.search(text):
        return text
    return _BROKEN.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text.replace("\\", "\\x5c"))


def safe_lines(text: str) -> str:
    """Text of several lines, each as `safe` has it. What goes into one line must have been through `safe` before."""
    return "\n".join(safe(line) for line in text.split("\n"))


def _is_unsafe(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSAFE and character not in _JOINERS and not "\U000e0020" <= character <= "\U000e007f"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _working_folder_exists() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def print_json(document: Any) -> None:
    """Print JSON whose strings are exact, with `\\u` escapes for what a terminal would obey."""
    try:
        text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    except UnicodeEncodeError:
        # Lone surrogates, from file names that are not UTF-8.
        text = json.dumps(msgspec.to_builtins(document), indent=2)
    click.echo(safe_json(text))


def safe_json(text: str) -> str:
    """JSON that says the same, with `\\u` escapes for what a terminal would obey; its own newlines stay.

    JSON is UTF-8. Where standard output is not, all of it is ASCII.
    """
    utf_8 = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name == "utf-8"

    def shown(character: str) -> str:
        return _json_character(character) if utf_8 or character.isascii() else _escaped(character)

    return "\n".join("".join(map(shown, line)) for line in text.split("\n"))


def _json_character(character: str) -> str:
    return _escaped(character) if _is_unsafe(character) else character


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def echo(text: str, *, err: bool = False) -> None:
    """Print lines in which names of people and files occur."""
    click.echo(safe_lines(text), err=err)


class NumberRange(click.FloatRange):
    """A number of an option. Not NaN, which is neither below nor above anything, and not infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"found {value!r}; allowed: a number", param, ctx)
        return found


def warn(text: str) -> None:
    """Print one line of a report that should be noticed."""
    click.secho(safe_lines(text), fg="yellow")


def fail_with(text: str) -> None:
    """Print an error on standard error."""
    click.secho(safe_lines(text), err=True, fg="red" if sys.stderr.isatty() else None)


def print_left_out(lines: Sequence[str]) -> None:
    """Say on standard error which files of a folder are not read, the first of many."""
    for line in lines[:LEFT_OUT_LINES]:
        click.secho(safe(line), err=True, fg="yellow" if sys.stderr.isatty() else None)
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
    """Lines of aligned columns under their headings; those in `right` are flush right (figures). Cells are `safe`."""
    lines = [headings, *([safe(cell) for cell in row] for row in rows)]
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
