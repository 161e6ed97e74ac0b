"""`whosthere-converter evaluate-detection`: recall and precision by size of face."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from time import process_time

import click
import msgspec
from rich.table import Table

from converter import datasets
from converter.changes import Change, exposed
from converter.commands import options
from converter.detection import SAME_IOU, AnnotatedPicture, BandResult, by_size, read_wider
from edge.capture.photos import read_photo
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.faces.detect import CANDIDATE_SCORE, BlazeFaceDetector, suppress_nested
from edge.faces.loading import load_detector, load_near_detector
from edge.faces.roi_detect import RoiDetector
from edge.faces.tiles import grid
from edge.records import Face
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, json_option, print_json, progress


class DetectionResult(msgspec.Struct, frozen=True):
    """One score limit, and what the detector found with it."""

    detector: str
    squares: bool
    tile: int | None
    """Side in px of the tiles that were searched in addition; None: none were."""
    cost: float
    """CPU time, as a multiple of that without tiles."""
    min_score: float
    same_iou: float
    pictures: int
    bands: list[BandResult]


@click.command("evaluate-detection")
@click.option(
    "--truth",
    required=True,
    type=options.FILE,
    help="The annotated boxes, in the format of WIDER FACE's `bbx_gt` files.",
)
@click.option("--images", required=True, type=options.FOLDER, help="The folder that holds the photos named in TRUTH.")
@options.detector
@click.option(
    "--squares/--whole", default=True, show_default=True, help="Search overlapping squares, or the whole photo, shrunk."
)
@click.option(
    "--iou",
    default=SAME_IOU,
    show_default=True,
    type=NumberRange(0.1, 0.95),
    help="The overlap (IoU) from which a detection counts as right.",
)
@click.option(
    "--score",
    "scores",
    multiple=True,
    default=(0.5, 0.6),
    show_default=True,
    type=NumberRange(CANDIDATE_SCORE, 1),
    help="The lowest score that counts as a detection. Repeat it for more.",
)
@click.option(
    "--tile",
    "sides",
    multiple=True,
    type=click.IntRange(64, 1024),
    help="In addition, search the whole photo in tiles of this many pixels, as the daemon does where something moves, "
    "and show what that finds and costs. Repeat it for more.",
)
@click.option(
    "--exposure",
    type=NumberRange(0.01, 4),
    help="Darken the photos (below 1), or overexpose them, as degrade does.  [default: leave them as they are]",
)
@json_option
def command(
    truth: Path,
    images: Path,
    detector: str,
    squares: bool,
    iou: float,
    scores: tuple[float, ...],
    sides: tuple[int, ...],
    exposure: float | None,
    as_json: bool,
) -> None:
    """Measure recall and precision of a detector by the size of the face, on WIDER FACE's annotations.

    Faces marked invalid or heavily blurred count neither for nor against the detector. Each face, and each detection,
    counts only in the row of its size.
    """
    annotated = read_wider(truth, images)
    datasets.require(a.picture for a in annotated)
    change = exposed(exposure) if exposure else None
    finder = load_detector(ModelSettings(detector=detector), DetectSettings(min_score=CANDIDATE_SCORE, squares=squares))
    timed = found_with_tiles(finder, annotated, sides, change)
    alone = timed[None].seconds
    results = [
        DetectionResult(
            detector,
            squares,
            side,
            some.seconds / max(alone, 1e-9),
            score,
            iou,
            len(annotated),
            by_size(annotated, some.faces, score, iou),
        )
        for side, some in timed.items()
        for score in scores
    ]
    if as_json:
        print_json(results)
    else:
        show(results)


@dataclass
class Found:
    """The faces of every picture, and the CPU time that it took to find them."""

    faces: list[list[Face]] = field(default_factory=list)
    seconds: float = 0.0


def found_with_tiles(
    finder: BlazeFaceDetector, annotated: Sequence[AnnotatedPicture], sides: Sequence[int], change: Change | None
) -> dict[int | None, Found]:
    """Search every picture, and with each size of tiles in addition. Each picture is read once."""
    near = RoiDetector(load_near_detector(ModelSettings(), DetectSettings(min_score=CANDIDATE_SCORE)))
    timed: dict[int | None, Found] = {side: Found() for side in (None, *dict.fromkeys(sides))}
    for a in progress(annotated, "pictures"):
        image = read_photo(a.picture)
        image = change(image) if change else image
        began = process_time()
        whole = finder.detect(image)
        taken = process_time() - began
        for side, some in timed.items():
            began = process_time()
            faces = whole + near.search(image, grid(image.shape[1], image.shape[0], side)) if side else whole
            some.faces.append(suppress_nested(faces))
            some.seconds += taken + process_time() - began
    return timed


def show(results: list[DetectionResult]) -> None:
    first = results[0]
    console = SafeConsole()
    how = "squares" if first.squares else "whole picture"
    console.print(f"{first.detector}, {how}, {first.pictures} pictures, IoU {first.same_iou:g}")
    for _, of_a_side in groupby(results, lambda result: result.tile):
        _show_sizes(console, list(of_a_side))


def _show_sizes(console: SafeConsole, results: list[DetectionResult]) -> None:
    tile, cost = results[0].tile, results[0].cost
    if tile:
        console.print(f"and the whole picture in tiles of {tile} px, at {cost:.1f} times the CPU time")
    table = Table("short side, px", "faces", "score", "found", "recall", "false", "precision", "average precision")
    for rows in zip(*(r.bands for r in results), strict=True):
        for result, band in zip(results, rows, strict=True):
            size = f"{band.smallest:g}-{band.below:g}" if band.below else f"{band.smallest:g} and more"
            counts = [size, str(band.faces), f"{result.min_score:g}", str(band.found), f"{band.recall:.1%}"]
            table.add_row(*counts, str(band.false), f"{band.precision:.1%}", f"{band.average_precision:.3f}")
    console.print(table)
