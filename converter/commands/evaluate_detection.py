"""`whosthere-converter evaluate-detection`: recall and precision by size of face."""

from pathlib import Path

import click
import msgspec
from rich.table import Table

from converter import datasets
from converter.commands import options
from converter.detection import SAME_IOU, BandResult, by_size, read_wider
from edge.capture.photos import read_photo
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.faces.detect import CANDIDATE_SCORE
from edge.faces.loading import load_detector
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json, progress


class DetectionResult(msgspec.Struct, frozen=True):
    """One score limit, and what the detector found with it."""

    detector: str
    squares: bool
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
    type=click.FloatRange(0.1, 0.95),
    help="The overlap (IoU) from which a detection counts as right.",
)
@click.option(
    "--score",
    "scores",
    multiple=True,
    default=(0.5, 0.6),
    show_default=True,
    type=click.FloatRange(CANDIDATE_SCORE, 1),
    help="The lowest score that counts as a detection. Repeat it for more.",
)
@json_option
def command(
    truth: Path, images: Path, detector: str, squares: bool, iou: float, scores: tuple[float, ...], as_json: bool
) -> None:
    """Measure recall and precision of a detector by the size of the face, on WIDER FACE's annotations.

    Faces marked invalid or heavily blurred count neither for nor against the detector. Each face, and each detection,
    counts only in the row of its size.
    """
    annotated = read_wider(truth, images)
    datasets.require(a.picture for a in annotated)
    finder = load_detector(ModelSettings(detector=detector), DetectSettings(min_score=CANDIDATE_SCORE, squares=squares))
    found = [finder.detect(read_photo(a.picture)) for a in progress(annotated, "pictures")]
    results = [
        DetectionResult(detector, squares, score, iou, len(annotated), by_size(annotated, found, score, iou))
        for score in scores
    ]
    if as_json:
        print_json(results)
    else:
        show(results)


def show(results: list[DetectionResult]) -> None:
    first = results[0]
    console = SafeConsole()
    how = "squares" if first.squares else "whole picture"
    console.print(f"{first.detector}, {how}, {first.pictures} pictures, IoU {first.same_iou:g}")
    table = Table("short side, px", "faces", "score", "found", "recall", "false", "precision", "average precision")
    for rows in zip(*(r.bands for r in results), strict=True):
        for result, band in zip(results, rows, strict=True):
            size = f"{band.smallest:g}-{band.below:g}" if band.below else f"{band.smallest:g} and more"
            counts = [size, str(band.faces), f"{result.min_score:g}", str(band.found), f"{band.recall:.1%}"]
            table.add_row(*counts, str(band.false), f"{band.precision:.1%}", f"{band.average_precision:.3f}")
    console.print(table)
