"""tools/prose.py: what it reads, and what it finds there."""

from pathlib import Path

import pytest

from tools.prose import faults, passages


def found(folder: Path, name: str, text: str) -> list[tuple[int, str]]:
    """(line, what was found) in a file of that name."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return [(line, what) for passage in passages(path) for line, what, _ in faults(passage)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.md", "Fine.\n\nOnce a visit, once\nper visit, once a day.\n", [(3, "Once a visit")]),
        ("a.md", "It belongs\ninto a folder; `belongs into` is code.\n", [(1, "belongs into")]),
        ("a.py", 'def f():\n    """Of the card: a rate."""\n', [(2, "Of")]),
        ("a.py", '"""Fine.\n\nOf all, the best.\n"""\n', []),
        ("a.py", "x = 1  # begins anew\n", [(1, "anew")]),
        ("a.py", 'x = f"{1}: told the broker"\n', [(1, "told")]),
        ("a.py", 'x = "people are told apart"\ntold = 1\n', []),
        ("tests/a.py", 'x = "told"\n', []),
        ("tests/a.py", 'def f():\n    """Told twice."""\n', [(2, "Told")]),
    ],
)
def test_what_is_found(tmp_path: Path, name: str, text: str, expected: list[tuple[int, str]]) -> None:
    assert found(tmp_path, name, text) == expected
