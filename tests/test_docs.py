"""What README and docs/ name exists: files, links, commands, flags, config keys, make targets."""

import re
import tomllib
import types
import typing
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from edge.config import typed_yaml
from edge.config.loading import Config
from support.documents import ROOT, Page, check_command, every_command, every_flag, pages, quoted_commands

PAGES = pages()
PLANNED: set[str] = set()
"""What docs/design.md announces and nobody has built yet. Remove an entry when it arrives."""
FOREIGN_FLAGS = {
    "--wheelhouse", "--config", "--tflite-runtime", "--health-timeout", "--no-start",  # systemd/install.sh
    "--remove-gallery", "--keep-gallery",  # systemd/uninstall.sh
}  # fmt: skip
FORMER_FLAGS = {"--most", "--enrol"}
"""Only CHANGELOG names them."""
DEVELOPERS = {"dev", "mutation", "bench"}
"""Extras that nobody needs who only uses whosthere."""
OUR_FOLDERS = "edge|converter|tests|systemd|tools|docs"


def _named(page: Page) -> set[str]:
    """Files and folders of the project that a page names in `code`; NEW.py is one that the reader writes."""
    found = {match for code in page.inline for match in re.findall(rf"^((?:{OUR_FOLDERS})/[\w./*-]*)", code)}
    return {path.split("::")[0] for path in found if "NEW." not in path} - PLANNED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = page.path.parent / target if target else page.path
        assert path.exists(), f"{page.name} links to {link}, which does not exist"
        if anchor and path.suffix == ".md":
            assert anchor in Page(path).anchors, f"{page.name} links to {link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_exists(page: Page) -> None:
    missing = [path for path in _named(page) if not any(ROOT.glob(path.rstrip("/")))]

    assert not missing, f"{page.name} names what does not exist: {missing}"


def test_what_is_planned_has_not_arrived() -> None:
    arrived = [path for path in PLANNED if (ROOT / path).exists()]

    assert not arrived, f"these exist now: say so in docs/design.md, and remove them from PLANNED: {arrived}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_quoted_would_be_accepted(page: Page) -> None:
    for words in page.commands:
        try:
            check_command(words)
        except (click.UsageError, LookupError) as error:
            pytest.fail(f"{page.name}: {' '.join(words)}: {getattr(error, 'message', error)}")


def test_every_command_in_a_help_text_would_be_accepted() -> None:
    lines = [line for command in every_command() for line in (command.help or "").splitlines()]
    quoted = quoted_commands(lines)
    assert len(quoted) > 20

    for words in quoted:
        try:
            check_command(words)
        except (click.UsageError, LookupError) as error:
            pytest.fail(f"--help: {' '.join(words)}: {getattr(error, 'message', error)}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_named_exists(page: Page) -> None:
    known = every_flag() | FOREIGN_FLAGS | (FORMER_FLAGS if page.name == "CHANGELOG.md" else set())
    named = {code.split()[0].split("=")[0] for code in page.inline if re.match(r"--?[a-z]", code)}
    # Flags of ssh-keygen, apt packages' names and the like.
    named = {flag for flag in named if flag.startswith("--")}

    assert named <= known, f"{page.name} names options that no command has: {sorted(named - known)}"


def _struct_of(annotation: object) -> type[msgspec.Struct] | None:
    parts = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)), None)


def _key_exists(key: str) -> bool:
    section: type[msgspec.Struct] | None = Config
    for part in key.split("."):
        hints = typing.get_type_hints(section) if section else {}
        if part not in hints:
            return False
        section = _struct_of(hints[part])
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_config_key_named_exists(page: Page) -> None:
    sections = "|".join(Config.__struct_fields__)
    keys = {found[1] for code in page.inline if (found := re.match(rf"((?:{sections})\.[a-z_.0-9]+)(?:: .*)?$", code))}
    keys = {key for key in keys if Path(key).suffix not in {".yaml", ".json", ".py", ".md", ".kept"}}

    assert not (unknown := {key for key in keys if not _key_exists(key)}), f"{page.name}: no such keys: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_piece_of_config_shown_is_valid(page: Page) -> None:
    for language, text in page.fenced:
        if language != "yaml":
            continue
        document = typed_yaml.parse(text)
        if isinstance(document, dict) and next(iter(document)) in Config.__struct_fields__:
            typed_yaml.convert(document, Config)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_named_exists(page: Page) -> None:
    makefile = (ROOT / "Makefile").read_text()
    code = [*page.inline, *page.code_lines]
    named = {
        target
        for line in code
        if (found := re.match(r"make((?: [a-z][a-z0-9-]*)+)", line))
        for target in found[1].split()
    }

    missing = {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)}
    assert not missing, f"{page.name} names make targets that do not exist: {missing}"


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


DESIGN = Page(ROOT / "docs" / "design.md")


def test_the_design_shows_the_layers_that_lint_checks() -> None:
    [contract] = [c for c in _pyproject()["tool"]["importlinter"]["contracts"] if c["name"].startswith("the flow")]
    wanted = [sorted(layer.split(" | ")) for layer in contract["layers"]]

    shown = DESIGN.text.split("imports only from layers below:\n\n")[1].split("\n\n")[0]
    lines = [line.strip().split("  ")[0] for line in shown.splitlines()]
    assert [sorted(line.split(", ")) for line in lines] == wanted


def test_the_design_shows_every_folder_of_the_box() -> None:
    folders = {f"edge/{path.name}/" for path in (ROOT / "edge").iterdir() if any(path.glob("*.py"))}

    assert folders <= set(DESIGN.inline)


def test_the_design_names_every_package_that_users_install() -> None:
    project = _pyproject()["project"]
    extras = project["optional-dependencies"]
    required = [*project["dependencies"], *(r for name in extras if name not in DEVELOPERS for r in extras[name])]
    names = {re.split(r"[<>=;\s]", requirement)[0] for requirement in required}

    table = DESIGN.text.split("## Packages")[1]
    assert not (missing := {name for name in names if name not in table}), f"docs/design.md does not name {missing}"
