"""What to measure on: LFW's list of pairs, pictures that have to exist, people who are not compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import WhosthereError

LONGEST_NUMBER = 18


class DatasetError(WhosthereError):
    """A data set has the wrong format, or files of it are missing."""


@dataclass(frozen=True, slots=True)
class PicturePair:
    """Two pictures, and whether they show one person."""

    first: Path
    second: Path
    same: bool
    fold: int
    """From 0; thresholds for one fold are chosen on the others."""


def lines_of(path: Path) -> list[str]:
    """The lines of a list that somebody else wrote. Raises DatasetError when it is no text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as text in UTF-8: {error}") from error
    if "\0" in text:
        raise DatasetError(f"{path}: found a zero byte; a list in UTF-8 is expected")
    return text.splitlines()


def is_number(text: str) -> bool:
    """Whether a field of a list is a number that one can be."""
    return text.strip().isdecimal() and len(text) <= LONGEST_NUMBER


def read_pairs(pairs: Path, images: Path) -> list[PicturePair]:
    """LFW's pairs.txt: `folds count`, then in each fold `count` pairs of one person and `count` of two.

    See Huang et al., "Labeled Faces in the Wild", 2007, and the README of the data set.
    Raises DatasetError naming the line when the file has another form.
    """
    lines = [line.split("\t") for line in lines_of(pairs) if line.strip()]
    head = lines[0] if lines else []
    if len(head) not in {1, 2} or not all(map(is_number, head)):
        raise DatasetError(f"{pairs}: line 1: the numbers of folds and of pairs a fold are expected, found {head!r}")
    folds, count = (1, int(head[0])) if len(head) == 1 else (int(head[0]), int(head[1]))
    if len(lines) - 1 != folds * 2 * count or len(lines) == 1:
        follow = "1 line follows" if len(lines) == 2 else f"{len(lines) - 1} lines follow"
        raise DatasetError(f"{pairs}: line 1 promises {folds} x 2 x {count} pairs, but {follow}")
    return [_pair(line, f"{pairs}: line {i + 2}", images, i // (2 * count)) for i, line in enumerate(lines[1:])]


def _pair(fields: list[str], where: str, images: Path, fold: int) -> PicturePair:
    if len(fields) not in {3, 4} or not all(is_number(fields[i]) for i in (1, -1)):
        raise DatasetError(
            f"{where}: `name number number` or `name number name number` is expected, tabs between, found {fields!r}"
        )
    same = len(fields) == 3
    first = lfw_path(images, fields[0], int(fields[1]))
    return PicturePair(first, lfw_path(images, fields[0] if same else fields[2], int(fields[-1])), same, fold)


def lfw_path(images: Path, name: str, number: int) -> Path:
    """images/Name/Name_0001.jpg"""
    return images / name / f"{name}_{number:04}.jpg"


def read_existing_pairs(pairs: Path, images: Path) -> list[PicturePair]:
    """The same. Raises DatasetError also when pictures do not exist."""
    listed = read_pairs(pairs, images)
    require(pictures_of(listed))
    return listed


def pictures_of(pairs: Iterable[PicturePair]) -> list[Path]:
    """Both pictures of every pair, in order."""
    return [picture for pair in pairs for picture in (pair.first, pair.second)]


def absent(pictures: Iterable[Path]) -> list[Path]:
    """The pictures that do not exist, each once, sorted."""
    return sorted({picture for picture in pictures if not picture.is_file()})


def require(pictures: Iterable[Path]) -> None:
    """Raises DatasetError naming some of the pictures that do not exist, if any."""
    if missing := absent(pictures):
        shown = "".join(f"\n  {picture}" for picture in missing[:5])
        more = f"\n  and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DatasetError(f"{len(missing)} of the pictures listed do not exist:{shown}{more}")


def read_not_compared(path: Path, known: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of people who are not impostors of each other: two names per line; `#` starts a comment.

    Pairs whose names are not both `known` are left out: one list may serve several parts of a data set.
    Raises DatasetError naming a line that does not have two names.
    """
    names, pairs = set(known), []
    for number, line in enumerate(lines_of(path), 1):
        fields = line.partition("#")[0].split()
        if len(fields) not in {0, 2}:
            raise DatasetError(f"{path}: line {number}: two names are expected, found {line!r}")
        if fields and names.issuperset(fields):
            pairs.append((fields[0], fields[1]))
    return pairs
