"""Texts and numbers of options that say nothing, or contradict each other: each command refuses them at once."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from converter.__main__ import main as converter_main
from edge.__main__ import main as edge_main
from edge.terminal import LazyGroup
from support.converting import run

COMMANDS = [
    (group, name) for group in (edge_main, converter_main) for name in group.list_commands(click.Context(group))
]


@pytest.mark.parametrize(("group", "name"), COMMANDS, ids=[f"{group.name} {name}" for group, name in COMMANDS])
@pytest.mark.parametrize("given", [("--config", ""), ("--config=",)])
def test_an_empty_text_is_refused(group: LazyGroup, name: str, given: tuple[str, ...]) -> None:
    found = CliRunner().invoke(group, [name, *given])
    assert (found.exit_code, "found an empty text after --config;" in found.output) == (2, True), found.output


def test_an_empty_argument_is_refused_with_what_stands_before_it() -> None:
    found = CliRunner().invoke(edge_main, ["gallery", "rename", "Ada Lovelace", ""])
    assert (found.exit_code, "found an empty text after Ada Lovelace;" in found.output) == (2, True), found.output


def test_a_text_that_only_ends_in_an_equals_sign_is_none(tmp_path: Path) -> None:
    code, _, error = run("convert", tmp_path / "none.keras", "-o", tmp_path, "--origin", "https://example.org/?id=")
    assert (code, "none.keras' does not exist" in error) == (2, True), error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--warm-up", "31"), "--warm-up: found 31; allowed: at most the 30 of --epochs"),
        (("--epochs", "2", "--warm-up", "5"), "--warm-up: found 5; allowed: at most the 2 of --epochs"),
        (
            ("--validation", "0.5", "--test", "0.5"),
            "--validation, --test: found 0.5 and 0.5; allowed: less than 1 together",
        ),
    ],
)
def test_numbers_of_train_that_contradict_each_other(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    code, _, error = run("train", "--images", tmp_path, "-o", tmp_path / "out", *options)
    assert (code, said in error, list(tmp_path.iterdir())) == (2, True, []), error


def test_collect_looks_more_often_than_once(tmp_path: Path) -> None:
    asked = ("--person", "Ada", "--video", tmp_path, "-o", tmp_path / "out", "--every", "10", "--seconds", "5")
    code, _, error = run("collect", *asked)
    assert (code, "--every: found 10; allowed: at most the 5 of --seconds" in error) == (2, True), error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--crop", "1.3"), "--crop: it would be disregarded; allowed with --no-align"),
        (("--max-accuracy-loss", "0.1"), "--max-accuracy-loss: it would be disregarded; allowed with --pairs"),
    ],
)
def test_options_of_convert_that_would_do_nothing_are_refused(
    options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    code, _, error = run("convert", tmp_path, "-o", tmp_path / "out", *options)
    assert (code, said in error) == (2, True), error
