"""`whosthere-converter score`: how good the labels of `whosthere identify` are."""

from pathlib import Path

import click
from rich.table import Column, Table
from rich.text import Text

from converter import label_scores
from converter.commands import options
from converter.files import write_whole
from converter.label_scores import LabelScore, LabelScores, labelled, read_rows
from edge.errors import UsageError
from edge.galleries.file import open_gallery
from edge.safe_console import SafeConsole
from edge.terminal import json_option, plural, print_json, print_left_out, safe

PLOTS = ("png", "jpg", "svg", "pdf")
WIDEST = 15
"""A matrix of more classes is too wide for a terminal; --plot draws it."""


@click.command("score")
@click.argument("csv_file", metavar="CSV", type=options.FILE)
@click.option(
    "--truth",
    required=True,
    type=options.TRUTH,
    metavar="FOLDER|FILE",
    help="The truth: a folder that holds one folder per person, with the files of CSV in them, or a .tar, .tar.gz or "
    ".zip of that; or a CSV file with the columns `file` and `person`, which is empty for strangers.",
)
@click.option(
    "--gallery",
    type=options.FILE,
    help="The gallery that was used: everybody who is not in it is a stranger.  [default: everybody whom CSV mentions "
    "is enrolled]",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the confusion matrix to this file: .png, .jpg, .svg or .pdf.",
)
@json_option
def command(csv_file: Path, truth: Path, gallery: Path | None, plot: Path | None, as_json: bool) -> None:
    """Compare the labels in CSV, which `whosthere identify --csv` wrote, with the truth.

    Prints accuracy, and precision, recall, specificity and F1 per person and on average, with the confusion matrix. All
    strangers are one class. Somebody who was not recognised has the label `stranger`, whatever the reason. In a picture
    of several faces, the largest counts; in a video, the visit with most usable faces.

    \b
    Example:
      whosthere identify --csv who.csv photos/
      whosthere-converter score who.csv --truth photos/ --plot confusion.png
    """
    kind = plot.suffix.lower().removeprefix(".") if plot else ""
    if plot and kind not in PLOTS:
        raise UsageError(f"--plot: found {plot.name!r}; allowed: a name that ends in .{', .'.join(PLOTS)}")
    enrolled = {person.id: person.name for person in open_gallery(gallery, None).people} if gallery else None
    found = labelled(read_rows(csv_file), truth, enrolled)
    print_left_out([f"left out: {file}: --truth says nothing about it" for file in found.unlisted])
    result = label_scores.scores(found)
    if plot:
        write_whole(plot, label_scores.plot(result, kind))
    if as_json:
        print_json(result)
    else:
        _show(result)


def _show(result: LabelScores) -> None:
    console = SafeConsole()
    console.print(f"{plural(result.photos, 'file')}, accuracy {result.accuracy:.2%}")
    table = Table("", "files", "precision", "recall", "specificity", "F1")
    for score in (*result.classes, *result.averages):
        figures = (score.precision, score.recall, score.specificity, score.f1)
        table.add_row(Text(safe(score.label)), str(score.photos), *map(_share, figures))
    console.print(table)
    if len(result.classes) <= WIDEST:
        _show_matrix(console, result.classes, result.matrix)
    else:
        console.print(f"The confusion matrix has {len(result.classes)} classes; --plot draws it.")


def _show_matrix(console: SafeConsole, classes: list[LabelScore], matrix: list[list[int]]) -> None:
    table = Table("truth \\ answer", *(Column(Text(safe(score.label))) for score in classes))
    for score, row in zip(classes, matrix, strict=True):
        table.add_row(Text(safe(score.label)), *(str(n) if n else "·" for n in row))
    console.print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
