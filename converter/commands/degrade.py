"""`whosthere-converter degrade`: what blur, small size and darkness cost."""

from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from converter import datasets
from converter.commands import options
from converter.degrade import DegradeRow, by_harm, by_turn
from converter.verification import subset
from edge.errors import ModelError
from edge.models import card
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json


@click.command("degrade")
@options.stages
@options.pairs
@options.images
@click.option(
    "--each",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="How many pairs of each kind to take from each fold.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 0.1, min_open=True),
    default=1e-3,
    show_default=True,
    help="The false-match rate whose threshold decides, by the card's calibration.",
)
@json_option
def command(pairs: Path, images: Path, each: int, rate: float, as_json: bool, **stages: Any) -> None:
    """Measure what blur, motion, small size and darkness cost, by doing it to one photo of each pair.

    The quality limits of a box rest on this. It takes about ten minutes.
    """
    listed = datasets.read_existing_pairs(pairs, images)
    known = card.read_card(card.find(stages["model"]))
    if known.calibration is None:
        raise ModelError(f"{known.name}: its card has no calibration; run `whosthere-converter calibrate` first")
    threshold, _ = known.calibration.similarity_at(rate)
    embedder = options.embedder(**stages)
    rows = by_turn(embedder, listed, threshold) + by_harm(embedder, subset(listed, each), threshold)
    if as_json:
        print_json(rows)
    else:
        show(rows, threshold)


def show(rows: list[DegradeRow], threshold: float) -> None:
    console = SafeConsole()
    console.print(f"a similarity of {threshold:.3f} or more counts as one person; figures of photos are medians")
    for harm, degrees in groupby(rows, lambda row: row.harm):
        table = Table(
            "degree", "pairs", "missed", "true match", "false", "eyes px", "sharp", "bright", "turn", "refused"
        )
        table.title, table.title_justify = harm, "left"
        for row in degrees:
            counts = [f"{row.degree:g}", str(row.pairs), str(row.missed), f"{row.true_match_rate:.1%}"]
            medians = [row.eye_distance_px, row.sharpness, row.brightness, row.off_axis]
            table.add_row(*counts, str(row.false_matches), *(f"{m:.0f}" for m in medians), f"{row.refused:.0%}")
        console.print(table)
