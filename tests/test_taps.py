"""Errors on the page say what to tap, not which command to run; and they keep up with the commands' own texts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.people.photo_intake import HOW_TO_PICK
from edge.web import taps
from edge.web.taps import as_taps

EDGE = Path(taps.__file__).parents[1]
SHOWN = ("diary", "feedback", "galleries", "people", "visits")
"""The packages whose errors the page shows."""
TERMINAL = re.compile(
    # Nothing on the page does these.
    r"whosthere-converter|sudo chown|another `whosthere`|gallery receive|journalctl --rotate"
)


def texts() -> Iterator[str]:
    """Every text in the code of those packages, with X for what is put into it."""
    for path in (path for package in SHOWN for path in sorted((EDGE / package).rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
                yield node.value


COMMAND = re.compile(r"`(sudo|whosthere|visit|gallery|journalctl)\b[^`]* [^`]*`")
COMMANDS = sorted({text for text in texts() if COMMAND.search(text)})


def test_there_are_such_texts() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("text", [text for text in COMMANDS if not TERMINAL.search(text)])
def test_no_text_that_the_page_shows_names_a_command(text: str) -> None:
    shown = as_taps(text)
    assert "whosthere " not in shown and "`" not in shown.replace("`uncertain`", ""), shown


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "tap"), taps._TAPS)
def test_every_rule_still_has_a_text(pattern: str, tap: str) -> None:
    """A rule for a text that has changed would do nothing."""
    everything = [*texts(), *inspected(), f"2 faces; {HOW_TO_PICK}"]
    assert any(re.search(pattern, text) and tap in as_taps(text) for text in everything)


def inspected() -> list[str]:
    return [(EDGE / "inspection" / name).read_text() for name in ("notify_findings.py", "service.py")]


def test_what_no_rule_is_about_stays_as_it_is() -> None:
    for text in ("", "found 3 photos; allowed: 1", "sign it with `whosthere-converter sign`", "<b>`visit`</b>"):
        assert as_taps(text) == text


def test_a_name_cannot_write_into_the_tap() -> None:
    assert as_taps(f"2 faces; {HOW_TO_PICK}, or crop the photo") == "2 faces; crop it to one face"
    said = as_taps(r"\1 \g<0>: was not named, so there is nothing to confirm; use `visit name`")
    assert said == r"\1 \g<0>: was not named, so there is nothing to confirm; tap “This is …”"
