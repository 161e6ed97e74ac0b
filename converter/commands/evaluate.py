"""`whosthere-converter evaluate`: verification on a list of pairs."""

from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from converter import card_text, datasets
from converter.commands import options
from converter.evaluate import Verification, verify
from edge import card


@click.command("evaluate")
@options.stages
@options.pairs
@options.images
@options.as_json
@click.option("--record", is_flag=True, help="Add the accuracy to the card's `measured`.")
@options.name
def command(pairs: Path, images: Path, as_json: bool, record: bool, name: str | None, **stages: Any) -> None:
    """Verification after LFW's protocol.

    For each fold the threshold is the best one on the other folds. A picture in which no face is found counts as "not
    the same person"; it is never left out. The face nearest to the middle of the picture is the one that counts.
    """
    listed = datasets.read_pairs(pairs, images)
    pictures = [picture for pair in listed for picture in (pair.first, pair.second)]
    datasets.require(pictures)
    result = verify(listed, options.looker(**stages).embed(pictures))
    if record:
        title = f"verification on {name or images.resolve().parent.name}, {stages['detector']}"
        card_text.record(card.find(stages["model"]), {title: summary(result)})
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result)).decode())
    else:
        show(result)


def summary(result: Verification) -> str:
    """The one line that goes into a card."""
    return (
        f"accuracy {result.accuracy:.2%} +- {result.deviation:.2%} over {result.folds} folds, "
        f"{result.genuine + result.impostors} pairs, {len(result.missed)} faces missed (whosthere-converter evaluate)"
    )


def show(result: Verification) -> None:
    console = Console()
    console.print(f"{result.genuine} pairs of one person, {result.impostors} of two, {result.folds} folds")
    console.print(f"accuracy {result.accuracy:.2%} +- {result.deviation:.2%} (standard deviation of the folds)")
    console.print(f"equal error rate {result.equal_error_rate:.2%}, area under the curve {result.area_under_curve:.5f}")
    console.print(f"no face found in {len(result.missed)} pictures, {result.pairs_missed} pairs")
    table = Table("false accept rate", "threshold", "true accept rate", "impostors above")
    for point in result.operating:
        rates = f"{point.false_accept_rate:g}", f"{point.threshold:.4f}", f"{point.true_accept_rate:.2%}"
        table.add_row(*rates, str(point.impostors_above))
    console.print(table)
