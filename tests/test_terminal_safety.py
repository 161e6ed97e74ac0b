"""Names of files, fields of galleries and answers of other hosts reach the terminal without being obeyed."""

import ast
import contextlib
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge.daemon.systemd import set_up_logging
from edge.demo.view import DemoView
from edge.mqtt.visit_payloads import visit_payload
from edge.records import Candidate
from edge.safe_console import SafeConsole
from edge.terminal import path_text, print_json, safe, safe_lines, table
from support.portraits import OBAMA_2009
from support.publishing import ORIGIN, match, recognized

HOSTILE = "a\x1b]0;owned\x07\nb\u202egpj\x9b2J\udce9.jpg"
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
OBEYED = {"Cc", "Cs", "Zl", "Zp"}
DIRECTIONS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def is_harmless(line: str) -> bool:
    return not any(unicodedata.category(c) in OBEYED or c in DIRECTIONS for c in line)


@given(TEXT)
@example(HOSTILE)
def test_safe_text_is_one_harmless_line_that_can_be_written(text: str) -> None:
    shown = safe(text)
    assert is_harmless(shown)
    shown.encode()
    assert all(is_harmless(line) for line in safe_lines(text).split("\n"))
    if is_harmless(text) and not any(unicodedata.category(c) == "Cf" for c in text):
        assert shown == text


@pytest.mark.parametrize(
    "name", ["Nguyễn Văn Hùng", "علی‌رضا", "👨‍👩‍👧 family", "\U0001f3f4\U000e0067\U000e007f", "a\\b"]
)
def test_names_of_all_scripts_stay(name: str) -> None:
    assert safe(name) == name


@given(st.lists(st.tuples(TEXT, TEXT), max_size=4))
def test_a_table_has_one_harmless_line_per_row(rows: list[tuple[str, str]]) -> None:
    lines = table(("one", "two"), rows).split("\n")
    assert len(lines) == 1 + len(rows)
    assert all(is_harmless(line) for line in lines)


@given(TEXT)
@example(HOSTILE)
def test_json_is_exact_and_harmless(text: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        print_json({"name": text})
    shown = out.getvalue()
    # A pair of lone surrogates is one character in JSON.
    assert json.loads(shown)["name"] == json.loads(json.dumps(text))
    assert all(is_harmless(line) for line in shown.split("\n"))


@pytest.mark.parametrize("command", ["identify", "enroll"])
def test_a_hostile_file_name_is_shown_and_not_obeyed(command: str, demo_gallery: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "family.whg"
    shutil.copy(demo_gallery, gallery)
    (tmp_path / HOSTILE).write_bytes(OBAMA_2009.read_bytes())
    (tmp_path / f"bad {HOSTILE}").write_bytes(b"no photo")
    options = ["--gallery", gallery, *(["--person", "Barack Obama"] if command == "enroll" else [])]
    done = subprocess.run(
        [sys.executable, "-m", "edge", command, *options, tmp_path / HOSTILE, tmp_path / f"bad {HOSTILE}"],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 1, done.stderr
    for line in (done.stdout + done.stderr).decode().split("\n"):
        assert is_harmless(line)
    assert rb"a\x1b]0;owned\x07\nb\u202egpj" in done.stdout


NAMES = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["[red]Ada[/red]", "[/]", "[link=file:///etc]x[/link]", ":smile:", "\x1b[31mAda", "a\nb", "\u202egpj", HOSTILE]
)


@given(NAMES)
def test_rich_shows_names_and_obeys_none_of_them(name: str) -> None:
    out = io.StringIO()
    console = SafeConsole(file=out, width=400, force_terminal=True, color_system=None)
    table = Table("who", name)
    table.add_row(name, Text(name, "bold"))
    console.print(name, style="bold")
    console.print(table)
    console.print(Panel(Group(Text(name), name)))
    shown = re.sub("\x1b\\[[0-9;]*m", "", out.getvalue())
    assert all(is_harmless(line) for line in shown.split("\n"))
    for line in filter(str.strip, safe_lines(name).split("\n")):
        assert shown.count(line.strip()) >= 4


@given(NAMES)
def test_the_demo_shows_names_and_obeys_none_of_them(name: str) -> None:
    payload = visit_payload(recognized(match=match(best=Candidate("ada", name, 0.7))), wall_offset=0.0, origin=ORIGIN)
    view = DemoView([], broker=name)
    out, lines = io.StringIO(), []
    view.pass_lines_to(lines.append)
    view.message("whosthere/front-door/visit", msgspec.json.encode(payload) if _is_unicode(name) else b"{}")
    view.message(f"whosthere/front-door/{safe(name)}/visit", b"{")
    console = SafeConsole(file=out, width=200, color_system=None)
    console.print(view)
    view.print_summary(console)
    assert all(is_harmless(line) for line in out.getvalue().split("\n"))


@given(st.binary(max_size=20).filter(lambda name: b"\0" not in name))
@example(b"who\xff.jpg")
@example(b"a\\xff")
@example(b"\\\xff\\x5c\xc3\xa9")
def test_a_path_as_text_can_be_turned_back_into_its_bytes(name: bytes) -> None:
    text = path_text(os.fsdecode(name))
    back = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    assert back == name
    if _is_unicode(os.fsdecode(name)) and b"\\x" not in name:
        assert text == os.fsdecode(name)


def test_csv_and_json_name_a_file_that_is_not_utf_8(demo_gallery: Path, tmp_path: Path) -> None:
    photo, csv_file = os.fsencode(tmp_path) + b"/who\xff.jpg", tmp_path / "rows.csv"
    Path(os.fsdecode(photo)).write_bytes(OBAMA_2009.read_bytes())
    words = ["identify", "--gallery", demo_gallery, "--csv", csv_file, "--json", photo]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    expected = f"{tmp_path}/who\\xff.jpg"
    assert [row["file"] for row in json.loads(done.stdout)["rows"]] == [expected]
    assert csv_file.read_text(encoding="utf-8").splitlines()[1].startswith(expected)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def test_the_log_on_a_terminal_is_harmless(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    set_up_logging("info", "porch")
    logging.getLogger("whosthere.test").info("found %s", HOSTILE)
    assert all(is_harmless(line) for line in capsys.readouterr().err.split("\n"))


def test_nothing_but_safe_consoles_are_made() -> None:
    """rich obeys markup, and passes control characters on."""
    root = Path(__file__).parents[1]
    modules = [path for folder in ("edge", "converter", "tools") for path in (root / folder).rglob("*.py")]
    for path in modules:
        names = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        called = {node.func.id for node in names if isinstance(node.func, ast.Name)}
        if path.name != "safe_console.py":
            assert "Console" not in called, path
        live = [node for node in names if isinstance(node.func, ast.Name) and node.func.id == "Live"]
        assert all("console" in {word.arg for word in node.keywords} for node in live), path
