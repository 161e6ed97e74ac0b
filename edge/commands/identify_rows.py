"""What `whosthere identify` found, one row per face or visit: for the screen, for CSV and for JSON."""

import contextlib
import csv
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import msgspec

from edge.errors import UsageError, WhosthereError
from edge.inspection.identify_picture import Identified
from edge.inspection.identify_recording import FoundVisit
from edge.records import Box, Match
from edge.terminal import table


class RowOutcome(StrEnum):
    """The `outcome` of a row: the decisions of the visit topic, and two for files without any face."""

    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"
    NO_USABLE_FACE = "no_usable_face"
    NO_FACE = "no_face"
    UNREADABLE = "unreadable"


class IdentifyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One face of an image or one visit of a video; the fields are the columns of the CSV file."""

    file: str
    outcome: RowOutcome
    face: int | None = None
    """For an image: 1, 2, ... from left to right."""
    visit: int | None = None
    """For a video: 1, 2, ... in the order in which visits began."""
    start_s: float | None = None
    end_s: float | None = None
    """For a visit: when the visitor was first and last seen, in seconds of the video."""
    person_id: str | None = None
    person_name: str | None = None
    """Only when recognized."""
    candidates: str | None = None
    """Only when uncertain: whom it may be, one name or two, ` or ` between them."""
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
    """For a visit: that of its best face."""
    problem: str | None = None
    """Why a face is not usable, or a file not readable."""
    usable_faces: int | None = None
    """For a visit: how many faces the decision rests on."""
    detection_score: float | None = None
    left_px: int | None = None
    top_px: int | None = None
    width_px: int | None = None
    height_px: int | None = None


COLUMNS = IdentifyRow.__struct_fields__


def of_image(file: str, faces: Sequence[Identified], reduction: int = 1) -> list[IdentifyRow]:
    """One row per face, or one that says there is none. `reduction`: by what the picture's sides were divided."""
    return [_of_face(file, n, face, reduction) for n, face in enumerate(faces, 1)] or [_no_face(file)]


def _of_face(file: str, number: int, face: Identified, reduction: int) -> IdentifyRow:
    row = IdentifyRow(
        file=file,
        outcome=RowOutcome(face.outcome.value),
        face=number,
        quality=_short(face.quality.score),
        problem=face.quality.problem,
        detection_score=_short(face.detection_score),
    )
    return _with_match(_with_box(row, face.box.scaled(reduction)), face.match)


def of_video(file: str, visits: Sequence[FoundVisit]) -> list[IdentifyRow]:
    """One row per visit, or one that says there was none."""
    return [_of_visit(file, n, visit) for n, visit in enumerate(visits, 1)] or [_no_face(file)]


def _of_visit(file: str, number: int, visit: FoundVisit) -> IdentifyRow:
    decision = visit.decision
    row = IdentifyRow(
        file=file,
        outcome=RowOutcome(decision.kind.value),
        visit=number,
        start_s=round(visit.start_s, 2),
        end_s=round(visit.end_s, 2),
        quality=_short(decision.quality.score) if decision.quality else None,
        problem=decision.problem,
        usable_faces=decision.usable_faces,
    )
    return _with_match(_with_box(row, decision.box) if decision.box else row, decision.match)


def _no_face(file: str) -> IdentifyRow:
    return IdentifyRow(file=file, outcome=RowOutcome.NO_FACE)


def unreadable(file: str, reason: str) -> IdentifyRow:
    return IdentifyRow(file=file, outcome=RowOutcome.UNREADABLE, problem=reason)


def _with_match(row: IdentifyRow, match: Match | None) -> IdentifyRow:
    if match is None:
        return row
    best, second, person = match.best, match.runner_up, match.person
    return msgspec.structs.replace(
        row,
        person_id=person.person_id if person else None,
        person_name=person.name if person else None,
        candidates=" or ".join(candidate.name for candidate in match.contenders) or None,
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


def _with_box(row: IdentifyRow, box: Box) -> IdentifyRow:
    left, top, width, height = round(box.left), round(box.top), round(box.width), round(box.height)
    return msgspec.structs.replace(row, left_px=left, top_px=top, width_px=width, height_px=height)


def _short(value: float) -> float:
    return round(value, 4)


class CsvFile:
    """Rows as CSV with a heading, UTF-8, each file's rows on disk before the next file is read."""

    def __init__(self, path: Path, columns: Sequence[str] = COLUMNS) -> None:
        """Create the file. Raises UsageError."""
        try:
            self._file: TextIO = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def add(self, rows: Sequence[msgspec.Struct]) -> None:
        """Raises WhosthereError when the disk is full."""
        try:
            self._writer.writerows(["" if v is None else v for v in msgspec.structs.astuple(row)] for row in rows)
            self._file.flush()
        except OSError as error:
            raise WhosthereError(f"{self._file.name}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        # `add` has reported what could not be flushed; closing would fail over it again.
        with contextlib.suppress(OSError):
            self._file.close()


HEADINGS = ("file", "face", "who", "similarity", "threshold", "margin", "false match", "quality", "box")


def as_table(rows: Sequence[IdentifyRow]) -> str:
    """The rows as a table for a terminal."""
    return table(HEADINGS, [_cells(row) for row in rows], frozenset({3, 4, 5, 6, 7}))


def _cells(row: IdentifyRow) -> tuple[str, ...]:
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


def _which(row: IdentifyRow) -> str:
    if row.visit is not None:
        return f"visit {row.visit}, {row.start_s:.1f}-{row.end_s:.1f} s"
    return "" if row.face is None else str(row.face)


def who(row: IdentifyRow) -> str:
    """The answer in a few words."""
    if row.outcome is RowOutcome.RECOGNIZED:
        return row.person_name or ""
    if row.outcome is RowOutcome.UNCERTAIN:
        return f"uncertain: {row.candidates}"
    if row.outcome is RowOutcome.NO_USABLE_FACE:
        return f"not usable: {_words(row.problem)}" if row.problem else "not usable"
    return _words(row.outcome)


def _words(value: str | None) -> str:
    return (value or "").replace("_", " ")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
