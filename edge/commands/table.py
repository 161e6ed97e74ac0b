"""Plain text in aligned columns."""

import unicodedata
from collections.abc import Sequence

GAP = "  "


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Lines of aligned columns under their headings; the columns in `right` are flush right (figures)."""
    lines = [headings, *rows]
    widths = [max(width(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(_line(line, widths, right) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    padded = [_pad(cell, widths[i], right=i in right) for i, cell in enumerate(cells)]
    return GAP.join(padded).rstrip()


def _pad(cell: str, columns: int, *, right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if right else cell + space


def width(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters two, combining accents none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
