"""Names as ids: fit for a topic, and never two people under one."""

import re
import unicodedata
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from edge.config.loading import Config
from edge.galleries import names
from edge.galleries.gallery import Header, Person
from edge.models.card import Card
from edge.mqtt.visit_payloads import VisitPayload


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("  José   Peña ", "jose-pena"),
        ("Łukasz Ødegård", "lukasz-odegard"),
        ("Miles O\u2019Brien", "miles-o-brien"),
    ],
)
def test_latin_names_make_readable_ids(name: str, expected: str) -> None:
    assert names.slug(name) == expected


def test_names_that_lose_letters_do_not_share_an_id() -> None:
    ids = {names.slug(name) for name in ("李 Wang", "王 Wang", "Wang", "山田太郎", "Ольга", "x" * 90, "x" * 91)}
    assert len(ids) == 7


def test_one_name_typed_in_two_ways_is_one_id() -> None:
    composed, decomposed = "Zoë", "Zoe\u0308"
    assert names.slug(composed) == names.slug(decomposed)
    assert names.tidy(composed) == names.tidy(decomposed)


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=150))
def test_every_id_fits_a_topic(name: str) -> None:
    assert re.fullmatch("[a-z0-9-]{1,64}", names.slug(name))
    assert names.plain(name).isascii()


PERSIAN = "\u0622\u0632\u0627\u062f\u0647\u200c\u067e\u0648\u0631"
SINHALA = "\u0dc1\u0dca\u200d\u0dbb\u0dd3"
FAMILY = "👩🏽\u200d❤\ufe0f\u200d👨\u200d👧"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
NEW_EMOJI = "\U0001faef"


@pytest.mark.parametrize("name", [PERSIAN, SINHALA, FAMILY, f"Ewan {SCOTLAND}", f"Ada {NEW_EMOJI}", "नरेन्द्र क्\u200dष"])
def test_what_a_script_or_an_emoji_needs_stays_in_a_name(name: str) -> None:
    assert names.problem(name) is None
    assert names.tidy(name) == unicodedata.normalize("NFC", name)
    assert not names.unprintable(name)
    assert names.printable(name) == name


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Ada\u00a0Lovelace", "Ada Lovelace"),
        ("Ada\u202f\u2009Lovelace\u3000", "Ada Lovelace"),
        ("\ufeffAda\u200b", "Ada"),
        ("A\u200dda", "Ada"),
        ("\u200cAda\u200d", "Ada"),
        ("\u200e\u05d3\u05d5\u05d3\u200f", "\u05d3\u05d5\u05d3"),
        (f"{PERSIAN}\u200c", PERSIAN),
    ],
)
def test_what_does_not_show_is_not_stored(name: str, stored: str) -> None:
    assert names.problem(name) is None
    assert names.tidy(name) == stored


@pytest.mark.parametrize(
    "name",
    [
        "\u202eada",
        "a\u202ab",
        "a\u2066b\u2069",
        "a\tb",
        "a\x85b",
        "a\u2028b",
        "a\x7f",
        "\udce9",
        "\ue000",
        "\U000e0067",
    ],
)
def test_controls_and_overrides_are_named_and_refused(name: str) -> None:
    found = names.problem(name)
    assert found is not None and found.startswith("it contains unprintable characters (")
    assert not names.unprintable(names.printable(name))


ODD = st.sampled_from("aé\u0301\u200c\u200d\u0627❤\ufe0f👨 \u00a0")
TEXT = st.text(st.one_of(st.characters(exclude_categories=()), ODD), max_size=12)


@given(TEXT)
def test_a_stored_name_is_tidy_and_printable(name: str) -> None:
    if names.problem(name) is None:
        stored = names.tidy(name)
        assert names.tidy(stored) == stored
        assert not names.unprintable(stored)


@given(TEXT)
def test_any_text_can_be_made_printable(text: str) -> None:
    shown = names.printable(text)
    assert not names.unprintable(shown) and names.printable(shown) == shown
    shown.encode()


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u00a0", "x" * 121, "two\nlines", "\x1b[31mred"])
def test_names_that_nobody_can_have(name: str) -> None:
    assert names.problem(name)


def test_ordinary_names_are_fine() -> None:
    assert names.problem("Zoë O\u2019Neill-山田") is None


def patterns(kind: inspect.Type) -> Iterator[str]:
    """Every pattern within a type."""
    if isinstance(kind, inspect.StrType) and kind.pattern:
        yield kind.pattern
    for part in (*getattr(kind, "types", ()), *getattr(kind, "item_types", ())):
        yield from patterns(part)
    for name in ("type", "item_type", "key_type", "value_type"):
        if isinstance(part := getattr(kind, name, None), inspect.Type):
            yield from patterns(part)
    for field in getattr(kind, "fields", ()):
        yield from patterns(field.type)


def test_no_pattern_lets_a_line_break_follow() -> None:
    """`$` also matches before one at the end, and msgspec searches for patterns as `re.search` does."""
    everything = {text for kind in (Header, Config, Card, VisitPayload) for text in patterns(inspect.type_info(kind))}
    assert len(everything) >= 6
    anchors = {text: re.sub(r"\[[^]]*\]|\\.", "", text) for text in everything}
    assert not [text for text, rest in anchors.items() if "$" in rest and "(?!\\n)$" not in text]


def test_an_id_with_a_line_break_is_refused() -> None:
    person = {"id": "a\n", "name": "A", "templates": [{"source": "a", "quality": 1.0, "added_at": "x"}]}
    with pytest.raises(msgspec.ValidationError, match="matching regex"):
        msgspec.convert(person, Person)


def test_an_error_lists_everybody_of_a_small_gallery_and_the_likeliest_of_a_large_one() -> None:
    many = [f"Guest {number:04}" for number in range(2000)] + ["Ada Lovelace"]

    few, near, long = (names.nobody_called(*given) for given in (
        ("Eve", ["Ada", "Ben"]), ("Ada Lovelac", many), ("x" * 100_000, many),
    ))  # fmt: skip

    assert few == "found nobody called 'Eve'; in the gallery: Ada, Ben"
    assert names.nobody_called("Eve", []).endswith("in the gallery: nobody")
    assert "nearest in the gallery: Ada Lovelace, " in near and near.endswith("; 2001 people in all")
    assert max(len(near), len(long)) < 400
