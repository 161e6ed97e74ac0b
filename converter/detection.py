"""Recall and precision of a detector by the size of the face, on WIDER FACE's form of annotation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from converter.datasets import DatasetError, is_number, lines_of
from edge.records import Box, Face

BANDS: tuple[tuple[float, float], ...] = ((16, 24), (24, 32), (32, 48), (48, 80), (80, float("inf")))
"""Short side of a face in pixels of the picture: from, below."""
SAME_IOU = 0.4
"""BlazeFace's boxes are square and end at the brows, WIDER's are high and hold the forehead: 0.5 calls hits misses."""
IGNORED_INSIDE = 0.5
"""A detection so far inside an ignored face is neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """One picture and the faces in it."""

    picture: Path
    faces: list[Box]
    ignored: list[Box]
    """Invalid or heavily blurred faces: finding or missing them does not count."""


class BandResult(msgspec.Struct, frozen=True):
    """The result for the faces of one size."""

    smallest: float
    below: float | None
    """None: no limit."""
    faces: int
    found: int
    false: int
    """Detections of that size that are no annotated face."""
    average_precision: float
    """Area under precision over recall, from score 0.3 up."""

    @property
    def recall(self) -> float:
        return self.found / self.faces if self.faces else 0.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 0.0


def read_wider(ground_truth: Path, images: Path) -> list[AnnotatedPicture]:
    """WIDER's `bbx_gt` text: picture, number of faces, then one face a line.

    Yang et al., "WIDER FACE: A Face Detection Benchmark", 2016, readme.txt of the annotations.
    Raises DatasetError naming the line when the file has another form.
    """
    lines = iter(enumerate(lines_of(ground_truth), 1))
    annotated = []
    for _, name in lines:
        if not name.strip():
            continue
        rows = list(_rows(lines, ground_truth))
        boxes = [(Box(x, y, x + w, y + h), blur == 2 or invalid == 1) for x, y, w, h, blur, _, _, invalid in rows]
        faces = [box for box, skip in boxes if not skip and box.area_px > 0]
        annotated.append(AnnotatedPicture(images / name.strip(), faces, [box for box, skip in boxes if skip]))
    return annotated


def _rows(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[tuple[int, ...]]:
    number, count = next(lines, (0, ""))
    if not is_number(count):
        raise DatasetError(f"{path}: {_line(number)}: the number of faces is expected, found {count!r}")
    # A picture without faces has one line of zeros anyway.
    for _ in range(max(int(count), 1)):
        number, line = next(lines, (0, ""))
        fields = line.split()
        if len(fields) < 8 or not all(is_number(f.removeprefix("-")) for f in fields[:8]):
            raise DatasetError(
                f"{path}: {_line(number)}: x, y, width, height and six flags of a face are expected, found {line!r}"
            )
        yield tuple(int(f) for f in fields[:8])


def _line(number: int) -> str:
    return f"line {number}" if number else "at its end"


def by_size(
    annotated: Sequence[AnnotatedPicture],
    found: Sequence[Sequence[Face]],
    min_score: float,
    same_iou: float = SAME_IOU,
    bands: Sequence[tuple[float, float]] = BANDS,
) -> list[BandResult]:
    """Score detections, `found[i]` being those of `annotated[i]`, band by band.

    In a band count its faces, what was found of them, and false detections of that size; everything else is ignored.
    """
    results = []
    for low, high in bands:
        seen = zip(annotated, found, strict=True)
        outcomes = [outcome for a, faces in seen for outcome in _outcomes(a, faces, (low, high), same_iou)]
        total = sum(low <= box.short_side < high for a in annotated for box in a.faces)
        kept = [right for score, right in outcomes if score >= min_score]
        below = None if high == float("inf") else high
        results.append(
            BandResult(low, below, total, sum(kept), len(kept) - sum(kept), average_precision(outcomes, total))
        )
    return results


def _outcomes(
    a: AnnotatedPicture, found: Sequence[Face], band: tuple[float, float], same_iou: float
) -> list[tuple[float, bool]]:
    """(score, is it right) of each detection of one picture that counts, best first."""
    low, high = band
    wanted = [box for box in a.faces if low <= box.short_side < high]
    others = [box for box in a.faces if not low <= box.short_side < high]
    outcomes: list[tuple[float, bool]] = []
    for face in sorted(found, key=lambda f: -f.score):
        mate = max(wanted, key=face.box.iou, default=None)
        if mate is not None and face.box.iou(mate) >= same_iou:
            wanted.remove(mate)
            outcomes.append((face.score, True))
        elif low <= face.box.short_side < high and not _is_ignored(face.box, a.ignored, others, same_iou):
            outcomes.append((face.score, False))
    return outcomes


def _is_ignored(box: Box, ignored: Sequence[Box], others: Sequence[Box], same_iou: float) -> bool:
    inside = any(box.overlap_px(i) >= IGNORED_INSIDE * box.area_px for i in ignored)
    return inside or any(box.iou(o) >= same_iou for o in others)


def average_precision(outcomes: Sequence[tuple[float, bool]], total: int) -> float:
    """Area under the precision-recall curve, precision made falling from the right (VOC 2010's way)."""
    if not outcomes or not total:
        return 0.0
    right = np.array([ok for _, ok in sorted(outcomes, key=lambda o: -o[0])], float)
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((precision * right).sum() / total)
