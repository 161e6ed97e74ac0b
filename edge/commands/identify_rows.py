"""What `whosthere identify` found, a row a face or visit: for the screen, for CSV and for JSON."""

import contextlib
import csv
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import msgspec

from edge.errors import WhosthereError
from edge.inspection.identify_picture import Identified
from edge.inspection.identify_recording import FoundVisit
from edge.records import Box, Match
from edge.terminal import table


class Found(StrEnum):
    """`outcome` of a row: the decisions of the visit topic, and two for files without any face."""

    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"
    NO_USABLE_FACE = "no_usable_face"
    NO_FACE = "no_face"
    UNREADABLE = "unreadable"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One face of an image or one visit of a video; the fields are the columns of the CSV file."""

    file: str
    outcome: Found
    face: int | None = None
    """Of an image: 1, 2, ... from left to right."""
    visit: int | None = None
    """Of a video: 1, 2, ... as they began."""
    start_s: float | None = None
    end_s: float | None = None
    """Of a visit: first and last seen, in seconds of the video."""
    person_id: str | None = None
    person_name: str | None = None
    """Only when recognized."""
    nearest_id: str | None = None
    nearest_name: str | None = None
    similarity: float | None = None
    """To the nearest person, whatever the outcome."""
    second_id: str | None = None
    second_name: str | None = None
    second_similarity: float | None = None
    threshold: float | None = None
    margin: float | None = None
    false_match_rate: float | None = None
    quality: float | None = None
    """Of a visit: its best face."""
    problem: str | None = None
    """Why a face is not usable, or a file not readable."""
    usable_faces: int | None = None
    """Of a visit: how many faces the decision rests on."""
    detection_score: float | None = None
    left_px: int | None = None
    top_px: int | None = None
    width_px: int | None = None
    height_px: int | None = None


COLUMNS = Row.__struct_fields__


def of_image(file: str, faces: Sequence[Identified]) -> list[Row]:
    """A row a face, or one that says there is none."""
    return [_of_face(file, n, face) for n, face in enumerate(faces, 1)] or [Row(file=file, outcome=Found.NO_FACE)]


def _of_face(file: str, number: int, face: Identified) -> Row:
    row = Row(
        file=file,
        outcome=Found(face.outcome.value),
        face=number,
        quality=_short(face.quality.score),
        problem=face.quality.problem,
        detection_score=_short(face.detection_score),
    )
    return _with_match(_with_box(row, face.box), face.match)


def of_video(file: str, visits: Sequence[FoundVisit]) -> list[Row]:
    """A row a visit, or one that says there was none."""
    return [_of_visit(file, n, visit) for n, visit in enumerate(visits, 1)] or [Row(file=file, outcome=Found.NO_FACE)]


def _of_visit(file: str, number: int, visit: FoundVisit) -> Row:
    decision = visit.decision
    row = Row(
        file=file,
        outcome=Found(decision.kind.value),
        visit=number,
        start_s=round(visit.start_s, 2),
        end_s=round(visit.end_s, 2),
        quality=_short(decision.quality.score) if decision.quality else None,
        problem=decision.problem,
        usable_faces=decision.usable_faces,
    )
    return _with_match(_with_box(row, decision.box) if decision.box else row, decision.match)


def unreadable(file: str, reason: str) -> Row:
    return Row(file=file, outcome=Found.UNREADABLE, problem=reason)


def _with_match(row: Row, match: Match | None) -> Row:
    if match is None:
        return row
    best, second, person = match.best, match.runner_up, match.person
    return msgspec.structs.replace(
        row,
        person_id=person.person_id if person else None,
        person_name=person.name if person else None,
        nearest_id=best.person_id if best else None,
        nearest_name=best.name if best else None,
        similarity=_short(best.similarity) if best else None,
        second_id=second.person_id if second else None,
        second_name=second.name if second else None,
        second_similarity=_short(second.similarity) if second else None,
        threshold=_short(match.threshold),
        margin=None if match.margin is None else _short(match.margin),
        false_match_rate=None if match.false_match_rate is None else float(f"{match.false_match_rate:.3g}"),
    )


def _with_box(row: Row, box: Box) -> Row:
    left, top, width, height = round(box.left), round(box.top), round(box.width), round(box.height)
    return msgspec.structs.replace(row, left_px=left, top_px=top, width_px=width, height_px=height)


def _short(value: float) -> float:
    return round(value, 4)


class CsvFile:
    """Rows as CSV with a heading, UTF-8, each file's rows on disk before the next file is looked at."""

    def __init__(self, path: Path) -> None:
        """Begin the file. Raises OSError."""
        self._file: TextIO = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def add(self, rows: Sequence[Row]) -> None:
        """Raises WhosthereError when the disk is full."""
        try:
            self._writer.writerows(["" if v is None else v for v in msgspec.structs.astuple(row)] for row in rows)
            self._file.flush()
        except OSError as error:
            raise WhosthereError(f"{self._file.name}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        # What could not be flushed was reported by `add`; closing would fail over it once more.
        with contextlib.suppress(OSError):
            self._file.close()


HEADINGS = ("file", "face", "who", "similarity", "threshold", "margin", "false match", "quality", "box")


def as_table(rows: Sequence[Row]) -> str:
    """The rows for a screen."""
    return table(HEADINGS, [_cells(row) for row in rows], frozenset({3, 4, 5, 6, 7}))


def _cells(row: Row) -> tuple[str, ...]:
    box = (row.left_px, row.top_px, row.width_px, row.height_px)
    return (
        row.file,
        _which(row),
        who(row),
        _figure(row.similarity),
        _figure(row.threshold),
        _figure(row.margin),
        "" if row.false_match_rate is None else f"{row.false_match_rate:.1e}",
        _figure(row.quality),
        "" if row.left_px is None else ",".join(str(v) for v in box),
    )


def _which(row: Row) -> str:
    if row.visit is not None:
        return f"visit {row.visit}, {row.start_s:.1f}-{row.end_s:.1f} s"
    return "" if row.face is None else str(row.face)


def who(row: Row) -> str:
    """The answer in a few words."""
    if row.outcome is Found.RECOGNIZED:
        return row.person_name or ""
    if row.outcome is Found.UNCERTAIN:
        return f"uncertain: {row.nearest_name}" + (f" or {row.second_name}" if row.second_name else "")
    if row.outcome is Found.NO_USABLE_FACE:
        return f"not usable: {_words(row.problem)}" if row.problem else "not usable"
    return _words(row.outcome)


def _words(value: str | None) -> str:
    return (value or "").replace("_", " ")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
