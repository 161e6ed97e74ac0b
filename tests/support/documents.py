"""The project's Markdown pages, taken apart: code, links, headings, and the commands that they quote."""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click

from converter.__main__ import main as whosthere_converter
from edge.__main__ import main as whosthere

ROOT = Path(__file__).parents[2]
PROGRAMS = {"whosthere": whosthere, "whosthere-converter": whosthere_converter}

_FENCE = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:(?:    [^\n]*|)\n)+")
_INLINE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_PLACEHOLDER = re.compile(r"[A-Z_]+|\.\.\.|<.*>")
_SHELL_OPERATORS = re.compile(r"&&|\|\||\s\||;|\$\(")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def fenced(self) -> list[tuple[str, str]]:
        """(language, text) of every fenced code block; the language may be empty."""
        return [(language, _dedented(indent, text)) for indent, language, text in _FENCE.findall(self.text)]

    @cached_property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _INDENTED.sub("\n", _FENCE.sub("", self.text))

    @cached_property
    def code_lines(self) -> list[str]:
        """The lines of every code block, those continued by a backslash joined."""
        blocks = [text for _, text in self.fenced] + _INDENTED.findall(_FENCE.sub("", self.text))
        return [line.strip() for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]

    @cached_property
    def inline(self) -> list[str]:
        """Every piece of `inline code`, on one line."""
        return [" ".join(code.split()) for code in _INLINE.findall(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """What links may point at: headings as GitHub spells them."""
        headings = re.findall(r"^#+ +(.+)$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}

    @cached_property
    def commands(self) -> list[list[str]]:
        """The words of every `whosthere ...` and `whosthere-converter ...` that the page quotes."""
        return quoted_commands([*self.code_lines, *self.inline])


def pages() -> list[Page]:
    """README and its like, and everything in docs/."""
    return [Page(path) for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]]


def _dedented(indent: str, text: str) -> str:
    return "\n".join(line.removeprefix(indent) for line in text.splitlines()) + "\n"


def _words(piece: str) -> list[str]:
    """The words of a command line that begins with one of our programs, without a prompt, sudo or comments."""
    piece = re.sub(r"^[(\s]*(\$ |# )?(sudo )?([A-Z_]+=\S+ )?", "", piece)
    if piece.split(" ")[0] not in PROGRAMS:
        return []
    piece = piece.replace("[", "").replace("]", "")
    piece = re.split(r"\s{2,}(?![-\\])|\s#\s|\s+[12]?>", piece)[0]
    try:
        return shlex.split(piece, comments=True)
    except ValueError:
        return piece.split()


def check_command(words: list[str]) -> None:
    """Raise click.UsageError or LookupError where the command line would not take these words.

    Placeholders such as FILE and `...` are let through, and no file has to exist.
    """
    command: click.Command = PROGRAMS[words[0]]
    # With its settings: click keeps the option --help of a command as the first context makes it.
    context = click.Context(command, info_name=words[0], **command.context_settings)
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        for name in rest[0].split("|"):
            command = _subcommand(context, name)
        context, rest = click.Context(command, info_name=rest[0], parent=context), rest[1:]
    # Prose may name an option without its value: `enroll --from-box`.
    options, _, _ = command.make_parser(context).parse_args([*rest, "..."])
    for parameter in command.params:
        for value in _values(options.get(parameter.name)):
            if isinstance(parameter.type, click.Choice | click.types._NumberRangeBase):
                parameter.type.convert(value, parameter, context)


def _subcommand(context: click.Context, name: str) -> click.Command:
    assert isinstance(context.command, click.Group)
    found = context.command.get_command(context, name)
    if found is None:
        raise LookupError(f"no such command: {name}")
    return found


def _values(given: object) -> list[object]:
    values = list(given) if isinstance(given, list | tuple) else [given]
    return [v for v in values if isinstance(v, str) and not _PLACEHOLDER.fullmatch(v)]


def every_command() -> list[click.Command]:
    """Both programs, their commands, and the commands of those."""
    commands: list[click.Command] = list(PROGRAMS.values())
    for command in commands:
        if isinstance(command, click.Group):
            context = click.Context(command)
            found = [command.get_command(context, name) for name in command.list_commands(context)]
            # The loop goes on to those that are added.
            commands += [child for child in found if child]
    return commands


def every_flag() -> set[str]:
    """Every option of every command of both programs."""
    parameters = [parameter for command in every_command() for parameter in command.params]
    return {flag for p in parameters for flag in [*p.opts, *p.secondary_opts]} | {"--help", "-h"}


def quoted_commands(lines: list[str]) -> list[list[str]]:
    """The words of every command of ours in lines of shell or prose."""
    found = (_words(piece.strip()) for line in lines for piece in _SHELL_OPERATORS.split(line))
    return [words for words in found if words]
