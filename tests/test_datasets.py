"""Lists of pairs and of people who are not compared: refused with file and line when they are of another form."""

from pathlib import Path

import pytest

from converter import datasets
from converter.datasets import DatasetError, PicturePair

RIGHT = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nBob\t2\t3\nBob\t1\tAda\t2\n"


def pairs_of(folder: Path, text: str) -> list[PicturePair]:
    path = folder / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return datasets.read_pairs(path, Path("images"))


def test_pairs_with_their_folds(tmp_path: Path) -> None:
    def picture(name: str, number: int) -> Path:
        return Path("images") / name / f"{name}_000{number}.jpg"

    assert pairs_of(tmp_path, RIGHT) == [
        PicturePair(picture("Ada", 1), picture("Ada", 2), True, 0),
        PicturePair(picture("Ada", 1), picture("Bob", 3), False, 0),
        PicturePair(picture("Bob", 2), picture("Bob", 3), True, 1),
        PicturePair(picture("Bob", 1), picture("Ada", 2), False, 1),
    ]


def test_one_number_in_the_first_line_is_one_fold(tmp_path: Path) -> None:
    assert [p.fold for p in pairs_of(tmp_path, "1\nAda\t1\t2\nAda\t1\tBob\t3\n")] == [0, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("many\n", "line 1.*many"),
        ("2\t1\nAda\t1\t2\n", "line 1 promises 2 x 2 x 1 pairs, but 1 line follows"),
        (RIGHT.replace("Bob\t2\t3", "Bob 2 3"), "line 4.*'Bob 2 3'"),
        (RIGHT.replace("Bob\t2\t3", "Bob\ttwo\t3"), "line 4.*two"),
        (RIGHT.replace("Bob\t2\t3", "Bob\t2\tAda\tthree"), "line 4.*three"),
    ],
)
def test_a_list_of_another_form_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=rf"pairs\.txt: {said}"):
        pairs_of(tmp_path, text)


def test_what_is_absent_is_told(tmp_path: Path) -> None:
    (tmp_path / "there.jpg").touch()
    gone = [tmp_path / f"gone{i}.jpg" for i in range(7)]

    assert datasets.absent([tmp_path / "there.jpg", *gone, *gone]) == gone
    datasets.require([tmp_path / "there.jpg"])
    with pytest.raises(DatasetError, match=r"(?s)7 of the pictures.*gone0\.jpg.*and 2 more"):
        datasets.require(gone)


def test_names_that_are_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# remark\nAda Adah  # one person\n\nBob Zoe\n", encoding="utf-8")

    assert datasets.read_not_compared(path, ["Ada", "Adah", "Bob"]) == [("Ada", "Adah")]
    path.write_text("Ada Adah\nBob\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 2"):
        datasets.read_not_compared(path, ["Ada"])
