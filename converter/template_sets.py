"""Sets of pictures per person that are compared as wholes, as IJB-B and IJB-C do: templates.

A folder holds three lists, recognised by how their names end:

    *face_tid_mid.txt         picture, template, medium: pictures of one medium are frames of one video
    *template_pair_label.txt  template, template, 1 for one person or 0 for two
    *name_5pts_score.txt      picture, then x and y of eyes, nose and mouth corners, then a detection score
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces, PlacedPicture
from converter.verification import (
    NO_FACE_SIMILARITY,
    OperatingPoint,
    Scores,
    area_under_curve,
    equal_error_rate,
    operating_point,
)

FALSE_ACCEPT_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
CHUNK = 100_000
"""Pairs that are compared at once: IJB-C has 15.7 million."""
MEMBERS, PAIRS, POINTS = "face_tid_mid.txt", "template_pair_label.txt", "name_5pts_score.txt"


@dataclass(frozen=True, slots=True, eq=False)
class TemplateSet:
    """Templates and the pairs of them that are compared."""

    pictures: list[PlacedPicture]
    members: dict[int, dict[int, list[Path]]]
    """Template -> medium -> its pictures."""
    pairs: NDArray[np.int64]
    """(n, 2): templates."""
    same: NDArray[np.bool_]


class TemplateVerification(msgspec.Struct, frozen=True):
    """How well an embedder tells whether two templates are of one person."""

    model: str
    pictures: int
    unreadable: int
    """Pictures that cannot be read."""
    templates: int
    empty: int
    """Templates without a picture that can be read: different from everybody."""
    genuine: int
    impostors: int
    operating: list[OperatingPoint]
    equal_error_rate: float
    area_under_curve: float


def read_template_set(lists: Path, images: Path) -> TemplateSet:
    """Read the three lists in a folder; the pictures are in `images`. Raises DatasetError naming file and line."""
    placed = {name: _points(where, fields) for where, name, *fields in _lines(lists, POINTS, 12)}
    members: dict[int, dict[int, list[Path]]] = {}
    for where, name, template, medium in _lines(lists, MEMBERS, 3):
        if name not in placed:
            raise DatasetError(f"{where}: {name!r} is not in the list of points, *{POINTS}")
        of_template = members.setdefault(_number(where, template), {})
        of_template.setdefault(_number(where, medium), []).append(Path(name))
    pairs, same = _pairs(lists, members)
    files = [PlacedPicture(Path(name), _inside(images, name), five) for name, five in placed.items()]
    if absent := sorted(str(one.name) for one in files if not (images / one.name).is_file()):
        raise DatasetError(f"{images}: {len(absent)} of the pictures listed do not exist: {', '.join(absent[:5])}")
    return TemplateSet(files, members, pairs, same)


def verify_templates(model: str, sets: TemplateSet, faces: EmbeddedFaces) -> TemplateVerification:
    """Compare all pairs. A template is the sum of its media, each the mean of its pictures: IJB's protocol."""
    numbers = sorted(sets.members)
    vectors = np.stack([_template(sets.members[number], faces) for number in numbers])
    rows = np.searchsorted(np.array(numbers), sets.pairs)
    scores = _similarities(vectors, rows)
    return TemplateVerification(
        model=model,
        pictures=len(sets.pictures),
        unreadable=len(faces.missed()),
        templates=len(numbers),
        empty=int(np.isnan(vectors[:, 0]).sum()),
        genuine=int(sets.same.sum()),
        impostors=int((~sets.same).sum()),
        operating=[operating_point(scores, sets.same, rate) for rate in FALSE_ACCEPT_RATES],
        equal_error_rate=equal_error_rate(scores, sets.same),
        area_under_curve=area_under_curve(scores, sets.same),
    )


def _template(media: dict[int, list[Path]], faces: EmbeddedFaces) -> NDArray[np.float64]:
    """The unit vector (dimensions,) of a template; NaN: none of its pictures can be read."""
    total = np.zeros(faces.dimensions)
    for pictures in media.values():
        found = faces.matrix(pictures).astype(np.float64)
        found = found[~np.isnan(found[:, 0])]
        if len(found):
            total += found.mean(0)
    length = float(np.linalg.norm(total))
    return total / length if length > 0 else np.full(faces.dimensions, np.nan)


def _similarities(vectors: NDArray[np.float64], rows: NDArray[np.int64]) -> Scores:
    scores = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        first, second = (vectors[rows[start : start + CHUNK, side]] for side in (0, 1))
        scores[start : start + CHUNK] = np.einsum("nd,nd->n", first, second)
    return np.where(np.isnan(scores), NO_FACE_SIMILARITY, scores)


def _pairs(lists: Path, members: dict[int, dict[int, list[Path]]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    pairs, same = [], []
    for where, first, second, label in _lines(lists, PAIRS, 3):
        if label not in {"0", "1"}:
            raise DatasetError(f"{where}: 1 for one person or 0 for two is expected, found {label!r}")
        pair = _number(where, first), _number(where, second)
        if unknown := [one for one in pair if one not in members]:
            raise DatasetError(f"{where}: template {unknown[0]} has no picture in *{MEMBERS}")
        pairs.append(pair)
        same.append(label == "1")
    flags = np.array(same, bool)
    if not flags.any() or flags.all():
        raise DatasetError(
            f"{lists}: pairs of one person and of two are needed; found {int(flags.sum())} of one person"
        )
    return np.array(pairs, np.int64), flags


def _lines(lists: Path, ending: str, fields: int) -> Iterator[Sequence[str]]:
    """Where a line is, then its fields."""
    files = sorted(lists.glob(f"*{ending}"))
    if len(files) != 1:
        raise DatasetError(f"{lists}: one file *{ending} is expected, found {len(files)}")
    with files[0].open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            found = line.split()
            if found and len(found) != fields:
                raise DatasetError(f"{files[0]}: line {number}: {fields} fields are expected, found {len(found)}")
            if found:
                yield f"{files[0]}: line {number}", *found


def _number(where: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise DatasetError(f"{where}: a number is expected, found {text!r}") from None


def _points(where: str, fields: Sequence[str]) -> NDArray[np.float32]:
    try:
        numbers = np.array([float(field) for field in fields[:10]], np.float32)
    except ValueError:
        raise DatasetError(f"{where}: ten numbers are expected after the picture's name") from None
    if not np.isfinite(numbers).all():
        raise DatasetError(f"{where}: ten numbers are expected after the picture's name")
    return numbers.reshape(5, 2)


def _inside(images: Path, name: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DatasetError(f"{name!r}: a picture's name must stay inside {images}")
    return images / name
