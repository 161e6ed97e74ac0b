"""Every tutorial is followed as it is written: each command, each file, and what the terminal shows."""

import importlib.util
from pathlib import Path

import pytest

from support.documents import ROOT, Page
from support.sessions import difference, follow, steps

TUTORIALS = sorted((ROOT / "docs").glob("8[1-9]-*.md"))
INDEX = Page(ROOT / "docs" / "80-tutorials.md")


@pytest.mark.slow(80)
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_does_what_it_says(path: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    folder = tmp_path / "here"
    folder.mkdir()

    follow(Page(path), folder)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_says_what_you_need_and_where_to_go(path: Path) -> None:
    headings = [line for line in Page(path).text.splitlines() if line.startswith("## ")]

    assert headings[0] == "## What you need"
    assert headings[-2:] == ["## When it goes wrong", "## Where to go next"]
    assert path.name in INDEX.links
    assert len([step for step in steps(Page(path)) if step.file is None]) >= 4


MINI = """# Mini

```console
$ printf 'Ada  0.54\\n7 photos\\n'
Ada 0.55
7 photos
$ cat notes.csv
# notes.csv
a,b
$ printf 'one\\ntwo %s\\nlast\\n' \\
    2
…
last
$ exit 3
$ echo $?
3
```
"""
SAVED = """
```csv
# notes.csv
a,b
```
"""


def mini(folder: Path, text: str) -> Page:
    path = ROOT / "docs" / "mini.md"
    page = Page(path)
    page.__dict__["text"] = text
    (folder / "here").mkdir()
    return page


def test_a_page_that_is_right_can_be_followed(tmp_path: Path) -> None:
    follow(mini(tmp_path, SAVED + MINI), tmp_path / "here")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("cat notes", "catt notes", "does not print what the page shows"),
        ("cat notes.csv", "cat absent.csv", "does not print what the page shows"),
        ("Ada 0.55", "Eve 0.55", "Eve 0.55"),
        ("Ada 0.55", "Ada 0.95", "Ada 0.95"),
        ("7 photos\n$ cat", "8 photos\n$ cat", "8 photos"),
        ("7 photos\n$ cat", "7 pictures\n$ cat", "7 pictures"),
        ("7 photos\n$ cat", "$ cat", "nothing after line 1: 7 photos"),
        ("last\n$", "lost\n$", "lost"),
        ("$ echo $?\n3\n", "", "the last command ends with exit code 3"),
        ("$ echo $?\n3\n", "$ echo $?\n4\n", "the page shows the exit code ['4'], not 3"),
        ("$ exit 3\n$ echo $?\n3\n", "$ exit 3\n$ true\n", "exit code 3, which the page does not show"),
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert right in MINI
    with pytest.raises(AssertionError) as error:
        follow(mini(tmp_path, SAVED + MINI.replace(right, wrong)), tmp_path / "here")
    assert said in str(error.value)


def test_any_lines_may_stand_where_the_page_has_an_ellipsis() -> None:
    assert difference(["…", "b"], ["a", "b"]) is None
    assert difference(["…", "b"], ["b"]) is None
    assert difference(["a", "…"], ["a", "b", "c"]) is None
    assert difference(["a … c"], ["a b c"]) is None
    assert difference(["a …", "c"], ["a b", "d"]) == "c"
    assert difference(["…", "c"], ["a", "b"]) == "c"
