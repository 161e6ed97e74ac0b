"""Names as ids: fit for a topic, and never two people under one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.galleries import names


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


@given(st.text(min_size=1, max_size=150))
def test_every_id_fits_a_topic(name: str) -> None:
    assert re.fullmatch("[a-z0-9-]{1,64}", names.slug(name))
    assert names.plain(name).isascii()


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "two\nlines", "\x1b[31mred"])
def test_names_that_nobody_can_have(name: str) -> None:
    assert names.problem(name)


def test_ordinary_names_are_fine() -> None:
    assert names.problem("Zoë O\u2019Neill-山田") is None
