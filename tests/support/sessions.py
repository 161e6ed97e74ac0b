"""Terminal sessions of a Markdown page: run as written, and held against the output that the page shows.

A page shows what is typed after `$ ` in a block of ```console, and below it what is printed. A line that ends in a
backslash goes on. A block whose first line is a comment with a file's name is that file. `…` stands for anything in a
line, and alone in a line for any lines. Numbers with a decimal point may differ by a tenth, or by 0.03; whole numbers
may not differ. A command must succeed, unless `echo $?` follows it and shows its exit code.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.documents import Page

ANYTHING = "…"
STATUS = "echo $?"
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
_FILE = re.compile(r"# ([\w.-]+\.(?:py|yaml|csv))\n")
_RULES = re.compile(r"[━─]+")
"""Lines of tables are as long as their columns are wide."""


@dataclass
class Step:
    """A file to save, or a command and what it prints."""

    typed: str
    printed: list[str] = field(default_factory=list)
    file: str | None = None


def steps(page: Page) -> Iterator[Step]:
    """Everything that a reader does, in order."""
    for language, text in page.fenced:
        named = _FILE.match(text)
        if named and language != "console":
            yield Step(text, file=named[1])
        elif language == "console":
            yield from _session(text)


def _session(text: str) -> Iterator[Step]:
    step, continued = None, False
    for line in text.splitlines():
        if line.startswith("$ ") or (continued and step):
            if step and not continued:
                yield step
            typed = line.removeprefix("$ ") if not continued else f"{step.typed}\n{line}" if step else line
            step, continued = Step(typed), line.endswith("\\")
        else:
            assert step, f"{line!r}: output before any command"
            step.printed.append(line)
    if step:
        yield step


def follow(page: Page, folder: Path) -> None:
    """Do in an empty folder what the page says. AssertionError names the first command that does something else."""
    code = 0
    for step in steps(page):
        if step.file:
            (folder / step.file).write_text(step.typed, encoding="utf-8")
        elif step.typed == STATUS:
            assert step.printed == [str(code)], f"{page.name}: the page shows the exit code {step.printed}, not {code}"
            code = 0
        else:
            assert code == 0, f"{page.name}: exit code {code}, which the page does not show"
            code, output = _run(step.typed, folder)
            missing = difference(step.printed, output.splitlines())
            assert missing is None, (
                f"{page.name}: {step.typed}\n(exit code {code}) does not print what the page shows:\n  {missing}\n"
                f"but prints:\n{output}"
            )
    assert code == 0, f"{page.name}: the last command ends with exit code {code}"


def _run(command: str, folder: Path) -> tuple[int, str]:
    """The exit code of a command line, and what a terminal of 100 columns would show."""
    (folder.parent / "home").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name in {"LANG", "LC_ALL", "TMPDIR"}}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment | {"PATH": path, "HOME": str(folder.parent / "home"), "COLUMNS": "100", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout


def difference(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    """The first line shown that was not printed in its place; None: all is as shown. Empty lines do not count."""
    wanted, found = ([_plain(line) for line in lines if line.strip()] for lines in (shown, printed))
    # For each number of lines shown: after which lines printed they may end.
    ends = {0}
    for line in wanted:
        if line == ANYTHING:
            ends = set(range(min(ends), len(found) + 1))
            continue
        after = {end + 1 for end in ends if end < len(found) and _same(line, found[end])}
        if not after:
            return line
        ends = after
    return None if len(found) in ends else f"(nothing after line {max(ends)}: {found[max(ends)]})"


def _plain(line: str) -> str:
    return _RULES.sub("─", " ".join(line.split()))


def _same(shown: str, printed: str) -> bool:
    pieces = re.split(f"({_NUMBER.pattern}|{ANYTHING})", shown)
    numbers = [piece for piece in pieces if _NUMBER.fullmatch(piece)]
    pattern = "".join(
        ".*?" if piece == ANYTHING else f"({_NUMBER.pattern})" if _NUMBER.fullmatch(piece) else re.escape(piece)
        for piece in pieces
    )
    match = re.fullmatch(pattern, printed)
    return match is not None and all(map(_close, numbers, match.groups()))


def _close(shown: str, printed: str) -> bool:
    if not {".", "e"} & set(shown):
        return shown == printed
    one, other = (float(number.replace(",", "")) for number in (shown, printed))
    return other == pytest.approx(one, rel=0.1, abs=0.03)
