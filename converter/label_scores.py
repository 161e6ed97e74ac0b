"""The labels that `whosthere identify` gave, held against the truth: accuracy, precision, recall, specificity, F1."""

import csv
import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from converter.datasets import DatasetError
from converter.people_archive import is_unpacked
from converter.people_folder import read_people
from edge.galleries.names import slug

STRANGER = "stranger"
"""The class of everybody who is not enrolled, and the answer for anybody who is not recognised."""
STRANGER_WORDS = frozenset({"", "stranger", "unknown"})
NEEDED = frozenset({"file", "outcome", "person_id", "person_name"})
CLASSIFIED = frozenset({"file", "outcome", "label"})
"""The columns of `whosthere identify --classify --csv` that are judged."""


class LabelScore(msgspec.Struct, frozen=True):
    """The counts of one class, or an average over the classes. None: nothing to divide by."""

    label: str
    photos: int
    precision: float | None
    """The share of answers with this label that are right."""
    recall: float | None
    """The share of this person's photos that have this label."""
    specificity: float | None
    """The share of all other photos that have another label."""
    f1: float | None


class LabelScores(msgspec.Struct, frozen=True):
    """How good the labels are."""

    photos: int
    accuracy: float
    classes: list[LabelScore]
    """Enrolled people in alphabetical order, strangers last."""
    averages: list[LabelScore]
    """`average`: every class counts the same; `weighted`: every photo does."""
    matrix: list[list[int]]
    """How often the class of the row was given the label of the column, in the order of `classes`."""


class LabelAnswer(NamedTuple):
    """What was said of one photo or video, and what is true; ids of people, or STRANGER."""

    file: str
    truth: str
    given: str


class Labelled(NamedTuple):
    """All answers that can be judged."""

    answers: list[LabelAnswer]
    names: dict[str, str]
    """Id -> name of everybody enrolled."""
    unlisted: list[str]
    """Files that the truth says nothing about."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of `whosthere identify`. Raises DatasetError naming the columns that it lacks."""
    rows, columns = _csv(path)
    if set(columns) >= CLASSIFIED:
        return [_as_identified(row) for row in rows]
    if missing := sorted(NEEDED - set(columns)):
        raise DatasetError(f"{path}: no column {', '.join(missing)}; give what `whosthere identify --csv` has written")
    return rows


def _as_identified(row: Mapping[str, str]) -> dict[str, str]:
    """A row of a label classifier as if a gallery had answered. It calls nobody a stranger."""
    label = row["label"]
    outcome = "recognized" if row["outcome"] == "labelled" else row["outcome"]
    return {**row, "outcome": outcome, "person_id": slug(label) if label else "", "person_name": label}


def labelled(rows: Sequence[Mapping[str, str]], truth: Path, enrolled: Mapping[str, str] | None = None) -> Labelled:
    """Put answer and truth side by side; with several faces in a file, the largest one is the answer.

    `enrolled`: id -> name; None: everybody who occurs in the rows. Raises DatasetError when no file has a truth.
    """
    names = dict(enrolled) if enrolled is not None else _occurring(rows)
    true_of = _by_folder(truth) if truth.is_dir() else _by_file(truth)
    known = {slug(name): person for person, name in names.items()} | {person: person for person in names}
    answers, unlisted = [], []
    for file, row in _main_rows(rows).items():
        said = true_of(file)
        if said is None:
            unlisted.append(file)
            continue
        given = row["person_id"] if row["outcome"] == "recognized" else STRANGER
        names.setdefault(given, row["person_name"]) if given != STRANGER else None
        answers.append(LabelAnswer(file, known.get(slug(said), STRANGER) if said else STRANGER, given))
    if not answers:
        raise DatasetError(
            f"{truth}: says nothing about any of {len(unlisted)} files, such as {unlisted[0] if unlisted else 'none'}; "
            "a folder holds one folder per person, and a file has the columns `file` and `person`"
        )
    return Labelled(answers, names, unlisted)


def scores(found: Labelled) -> LabelScores:
    """All figures, by scikit-learn where it has them."""
    metrics = importlib.import_module("sklearn.metrics")
    people = sorted(found.names, key=lambda person: found.names[person].casefold())
    classes = [*people, STRANGER]
    truth, given = [a.truth for a in found.answers], [a.given for a in found.answers]
    matrix = np.asarray(metrics.confusion_matrix(truth, given, labels=classes))
    own = metrics.precision_recall_fscore_support(truth, given, labels=classes, zero_division=np.nan)
    specific = _specificity(matrix)
    columns = [own[0], own[1], specific, own[2]]
    counts = matrix.sum(1)
    judged = [
        LabelScore(found.names.get(label, STRANGER), int(counts[i]), *(_number(c[i]) for c in columns))
        for i, label in enumerate(classes)
    ]
    averages = [
        LabelScore(name, len(truth), *(_average(np.asarray(c), weights) for c in columns))
        for name, weights in (("average", (counts > 0).astype(float)), ("weighted", counts))
    ]
    return LabelScores(len(truth), float(np.trace(matrix) / len(truth)), judged, averages, matrix.tolist())


def plot(result: LabelScores, kind: str = "png") -> bytes:
    """The confusion matrix as a picture of that kind: rows are the truth, columns the answers, as shares of the row."""
    labels = [score.label for score in result.classes]
    side = 3.0 + 0.35 * len(labels)
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(side, side), layout="constrained", dpi=110)
    axes = figure.subplots()
    matrix = np.array(result.matrix, float)
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{int(matrix[row, column])}", ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(labels))
    axes.set_xticks(ticks, [_plain(label) for label in labels], rotation=90)
    axes.set_yticks(ticks, [_plain(label) for label in labels])
    axes.set(xlabel="answer", ylabel="truth", title=f"{result.photos} photos, accuracy {result.accuracy:.1%}")
    image = io.BytesIO()
    figure.savefig(image, format=kind)
    return image.getvalue()


def _plain(label: str) -> str:
    # A dollar sign would begin a formula.
    return label.replace("$", r"\$")


def _specificity(matrix: Any) -> Any:
    others = matrix.sum() - matrix.sum(1)
    wrongly = matrix.sum(0) - np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return np.where(others > 0, 1 - wrongly / np.maximum(others, 1), np.nan)


def _average(values: Any, weights: Any) -> float | None:
    usable = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[usable], weights=weights[usable])) if usable.any() else None


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _csv(path: Path) -> tuple[list[dict[str, str]], Sequence[str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            text = file.read()
        if "\0" in text:
            raise DatasetError(f"{path}: found a zero byte; text is expected, as `whosthere identify --csv` writes it")
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
        return list(reader), reader.fieldnames or ()
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read as CSV: {error}") from error


def _occurring(rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {
        row[f"{who}_id"]: row.get(f"{who}_name") or row[f"{who}_id"]
        for row in rows
        for who in ("person", "nearest", "second")
        if row.get(f"{who}_id")
    }


def _main_rows(rows: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The row of each file's largest face, or of the visit with most usable faces."""
    main: dict[str, Mapping[str, str]] = {}
    for row in rows:
        if row["file"] not in main or _weight(row) > _weight(main[row["file"]]):
            main[row["file"]] = row
    return main


def _weight(row: Mapping[str, str]) -> tuple[float, float]:
    figures = [row.get(column) or "0" for column in ("usable_faces", "width_px", "height_px")]
    try:
        faces, width, height = map(float, figures)
    except ValueError as error:
        raise DatasetError(f"{row['file']}: found {figures}; numbers are expected") from error
    return faces, width * height


def _by_folder(root: Path) -> Any:
    """Who a file shows: the person whose folder it is in; None: it is not in the folder."""
    found = {person.path.name: person.name for person in read_people(root, videos=True).people}
    inside = _in_archive if is_unpacked(root) else _in_folder

    def true_of(file: str) -> str | None:
        parts = inside(root, Path(file).resolve())
        return found.get(parts[0], parts[0]) if len(parts) > 1 else None

    return true_of


def _in_folder(root: Path, file: Path) -> tuple[str, ...]:
    """The parts of a file's path below a folder; none if it is elsewhere."""
    return file.relative_to(root.resolve()).parts if file.is_relative_to(root.resolve()) else ()


def _in_archive(root: Path, file: Path) -> tuple[str, ...]:
    """The end of a file's path that the unpacked archive holds, the longest; none if it holds none."""
    ends = (file.parts[start:] for start in range(1, len(file.parts)))
    return next((end for end in ends if root.joinpath(*end).is_file()), ())


def _by_file(path: Path) -> Any:
    """Who a file shows, by a CSV file; "": a stranger; None: it is not listed."""
    rows, columns = _csv(path)
    if not {"file", "person"} <= set(columns):
        raise DatasetError(f"{path}: found the columns {', '.join(columns) or 'none'}; `file` and `person` are needed")
    listed: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        person = "" if row["person"].strip().casefold() in STRANGER_WORDS else row["person"].strip()
        if listed.setdefault(_absolute(row["file"]), person) != person:
            raise DatasetError(f"{path}: line {number}: {row['file']} is listed twice, as different people")
    return lambda file: listed.get(_absolute(file))


def _absolute(file: str) -> str:
    return str(Path(file).resolve())
