"""Another process parses as this one would: the same values of the same types, and the same mistakes."""

import math
import sys
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.config.typed_yaml import Mistakes, Parsing, parse_here
from edge.config.yaml_process import keep_parser_out, parse_elsewhere
from edge.models import card

TEXTS = (
    "",
    "a: 1\nb: [yes, 1.5, 2026-01-02, 2026-01-02T03:04:05Z, null, !!binary aGk=]\n1: {2: three}\n",
    'name: Zoë 🦆\npath: "\\t\\x1b"\n',
    Path("config.yaml").read_text(encoding="utf-8"),
    card.find("mobilefacenet").read_text(encoding="utf-8"),
)
WRONG = ("a: [1\n", "a: 1\na: 2\n", "a: *nothing\n", "%YAML 9.9\n---\na: 1\n", "when: 2026-99-99\n")


@pytest.mark.parametrize("text", TEXTS)
def test_the_document_is_the_same(text: str) -> None:
    assert repr(parse_elsewhere(text)) == repr(parse_here(text))


def test_numbers_that_json_lacks() -> None:
    assert math.isinf(parse_elsewhere("a: .inf")["a"]) and math.isnan(parse_elsewhere("a: .nan")["a"])


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_are_the_same(text: str) -> None:
    with pytest.raises(Mistakes) as here:
        parse_here(text)
    with pytest.raises(Mistakes) as elsewhere:
        parse_elsewhere(text)
    assert elsewhere.value.lines == here.value.lines != []


def test_whoever_changes_a_document_changes_no_other_one() -> None:
    parse_elsewhere("a: [1]")["a"].append(2)
    assert parse_elsewhere("a: [1]") == {"a": [1]}


def test_a_process_that_keeps_the_parser_out_loads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("device_id: door\nvisit: {gap_s: 7}\n")
    here = load_config(path)
    monkeypatch.setattr(Parsing, "elsewhere", None)
    keep_parser_out()
    assert load_config(path) == here


def test_a_parser_that_cannot_be_started_or_dies_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("/nowhere/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        with pytest.raises(Mistakes, match="the process that parses it failed; try again"):
            parse_elsewhere("never: parsed before")
