"""YAML as typed structs: every mistake at once, each with its path."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from edge.config import typed_yaml
from edge.config.typed_yaml import Mistakes


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low must be less than high")


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    width: Annotated[int, Meta(ge=64, le=8192)] = 640
    span: Span = Span()
    password_file: str | None = None


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    inner: Inner = Inner()
    extra: Inner | None = None
    tags: list[str] = []


def mistakes(document: object) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        typed_yaml.convert(document, Outer)
    return caught.value.lines


def test_a_right_document_becomes_a_struct(tmp_path: Path) -> None:
    path = tmp_path / "right.yaml"
    path.write_text("name: Türe\ninner: {width: 800, span: {low: 0.5}}\nextra:\ntags: [a, b]\n", encoding="utf-8")

    found = typed_yaml.convert(typed_yaml.read(path), Outer)

    assert found == Outer("Türe", Inner(800, Span(0.5)), None, ["a", "b"])


def test_every_mistake_is_told_with_its_path() -> None:
    lines = mistakes(
        {
            "inner": {"width": 12, "password": "x", "span": {"low": "left"}},
            "extra": {"width": "wide"},
            "tags": [1],
            "colour": "red",
        }
    )

    starts = [line.split(":")[0] for line in lines]
    assert sorted(starts) == sorted([
        "name", "inner.width", "inner.password", "inner.span.low", "extra.width", "tags", "colour",
    ])  # fmt: skip


def test_a_mistake_names_what_was_found() -> None:
    (line,) = mistakes({"name": "n", "inner": {"width": 12}})

    assert line.startswith("inner.width: ")
    assert "12" in line
    assert "64" in line


def test_an_unknown_key_is_answered_with_the_nearest_or_with_all() -> None:
    near, far = mistakes({"name": "n", "inner": {"widht": 3}}), mistakes({"name": "n", "inner": {"zzz": 3}})

    assert "'width'" in near[0]
    assert "width" in far[0]
    assert "password_file" in far[0]


def test_rules_between_fields_are_told_with_their_section() -> None:
    (line,) = mistakes({"name": "n", "inner": {"span": {"low": 3, "high": 2}}})

    assert line.startswith("inner.span")
    assert "low must be less than high" in line


@pytest.mark.parametrize("document", [None, [], "text", 3, {"name": "n", "inner": 3}, {"name": "n", "inner": []}])
def test_what_is_no_mapping_is_refused(document: object) -> None:
    assert mistakes(document)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"a: 1\na: 2\n", b"a: &x [*x", b"{"], ids=repr)
def test_what_is_no_yaml_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)

    with pytest.raises(Mistakes):
        typed_yaml.read(path)


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.yaml"):
        typed_yaml.read(tmp_path / "none.yaml")


def test_python_objects_are_not_made(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("a: !!python/object/apply:os.system ['true']\n", encoding="utf-8")

    with pytest.raises(Mistakes):
        typed_yaml.read(path)


def test_dump_and_read_are_inverse_and_keep_the_order(tmp_path: Path) -> None:
    document = {"z": 1, "a": {"name": "Türe", "points": [[0.5, 1e-05]]}, "none": None}
    path = tmp_path / "round.yaml"
    path.write_text(typed_yaml.dump(document), encoding="utf-8")

    found = typed_yaml.read(path)

    assert found == document
    assert list(found) == ["z", "a", "none"]
