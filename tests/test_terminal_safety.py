"""Names of files, fields of galleries and answers of other hosts reach the terminal without being obeyed."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.terminal import print_json, safe, safe_lines, table
from support.portraits import OBAMA_2009

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
