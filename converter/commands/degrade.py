"""`whosthere-converter degrade`: what blur, small size and darkness cost."""

from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from converter import datasets
from converter.commands import options
from converter.degrade import HARMS, DegradeRow, by_harm, by_turn
from converter.verification import subset
from edge.errors import ModelError
from edge.models import card
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, json_option, print_json


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
    type=NumberRange(0, 0.1, min_open=True),
    default=1e-3,
    show_default=True,
    help="The false-match rate whose threshold decides, by the card's calibration.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([harm.partition(",")[0] for harm in HARMS]),
    help="Measure only this kind of harm. Repeat it for more.  [default: all kinds, and heads that are turned away]",
)
@json_option
def command(
    pairs: Path, images: Path, each: int, rate: float, only: tuple[str, ...], as_json: bool, **stages: Any
) -> None:
    """Measure what blur, motion, small size, darkness and missing colours cost, by doing it to one photo of each pair.

    The quality limits of a box rest on this. Infrared pictures are imitated: grey, flat, noisy and a little soft, with
    skin and lips as bright as in red light. It takes about a quarter of an hour.
    """
    listed = datasets.read_existing_pairs(pairs, images)
    known = card.read_card(card.find(stages["model"]))
    if known.calibration is None:
        raise ModelError(f"{known.name}: its card has no calibration; run `whosthere-converter calibrate` first")
    threshold, _ = known.calibration.similarity_at(rate)
    embedder = options.embedder(**stages)
    harms = [harm for harm in HARMS if not only or harm.partition(",")[0] in only]
    rows = [] if only else by_turn(embedder, listed, threshold)
    rows += by_harm(embedder, subset(listed, each), threshold, harms)
    if as_json:
        print_json(rows)
    else:
        show(rows, threshold)


def show(rows: list[DegradeRow], threshold: float) -> None:
    console = SafeConsole()
    console.print(f"a similarity of {threshold:.3f} or more counts as one person; figures of photos are medians")
    for harm, degrees in groupby(rows, lambda row: row.harm):
        table = Table(
            "degree",
            "pairs",
            "missed",
            "true match",
            "false",
            "eyes px",
            "sharp",
            "bright",
            "turn",
            "refused",
            "in vain",
        )
        table.title, table.title_justify = harm, "left"
        for row in degrees:
            counts = [f"{row.degree:g}", str(row.pairs), str(row.missed), f"{row.true_match_rate:.1%}"]
            medians = [row.eye_distance_px, row.sharpness, row.brightness, row.off_axis]
            table.add_row(
                *counts,
                str(row.false_matches),
                *(f"{m:.0f}" for m in medians),
                f"{row.refused:.0%}",
                f"{row.refused_in_vain:.0%}",
            )
        console.print(table)
