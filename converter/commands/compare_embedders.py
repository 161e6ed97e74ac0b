"""`whosthere-converter compare-embedders`: may one network's templates be compared with another one's faces?"""

from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from rich.table import Table

from converter import datasets
from converter.commands import options
from converter.compatibility import Agreement, MixedRate, agreement, mixed_rates
from converter.people_folder import photos_by_person
from edge.errors import ModelError
from edge.models import card
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json

RATES = (1e-3, 1e-4, 1e-5)


class EmbeddersCompared(msgspec.Struct, frozen=True):
    """What was measured."""

    agreement: Agreement
    rates: list[MixedRate]


@click.command("compare-embedders")
@options.stages
@click.option("--templates", required=True, help="The embedder of the templates: a bundled one or a card's path.")
@options.images
@click.option(
    "--not-compared",
    type=options.FILE,
    help="A list of names, two per line, that are one person or share a photo, and so are not compared.",
)
@json_option
def command(templates: str, images: Path, not_compared: Path | None, as_json: bool, **stages: Any) -> None:
    """Measure whether the templates of one embedder may be compared with the faces that another one embeds.

    Every photo is a template for all others, and a probe. The similarities are those at which MODEL's calibration
    expects false-match rates of 1e-3, 1e-4 and 1e-5. Compare the mixed rows with those of one embedder alone.

    \b
    Example:
      whosthere-converter compare-embedders --model mobilefacenet-int8 --templates mobilefacenet --images lfw/images
    """
    everybody = photos_by_person(images)
    people = list(everybody)
    labels = np.array([i for i, person in enumerate(people) for _ in everybody[person]])
    pictures = [picture for person in people for picture in everybody[person]]
    skipped = datasets.read_not_compared(not_compared, people) if not_compared else []
    pairs = [(people.index(a), people.index(b)) for a, b in skipped]
    known = card.read_card(card.find(stages["model"])).calibration
    if known is None:
        raise ModelError(f"{stages['model']}: its card has no calibration; run `whosthere-converter calibrate` first")
    names = (templates, stages["model"])
    found = [options.embedder(**{**stages, "model": name}).embed(pictures).matrix(pictures) for name in names]
    if found[0].shape != found[1].shape:
        raise ModelError(f"{names[0]} and {names[1]} have {found[0].shape[1]} and {found[1].shape[1]} dimensions")
    similarities = [known.similarity_at(rate)[0] for rate in RATES]
    rates = [
        rate
        for one, other in ((0, 0), (0, 1), (1, 0), (1, 1))
        for rate in mixed_rates((names[one], names[other]), (found[one], found[other]), labels, similarities, pairs)
    ]
    if not (rates[0].impostors and rates[0].genuine):
        counts = f"{rates[0].impostors} of different people, {rates[0].genuine} of one person"
        raise datasets.DatasetError(f"{images}: comparisons: found {counts}; some of both are needed")
    result = EmbeddersCompared(agreement(*found), rates)
    if as_json:
        print_json(result)
    else:
        show(result)


def show(result: EmbeddersCompared) -> None:
    console = SafeConsole()
    alike = result.agreement
    console.print(f"cosine of both embeddings of {alike.faces} faces: mean {alike.mean:.5f}, least {alike.least:.5f}")
    first = result.rates[0]
    console.print(f"{first.impostors} comparisons of different people, {first.genuine} of one person")
    table = Table("templates", "probes", "similarity", "false-match rate", "true-match rate")
    for r in result.rates:
        table.add_row(
            r.templates, r.probes, f"{r.similarity:.4f}", f"{r.false_match_rate:.2e}", f"{r.true_match_rate:.2%}"
        )
    console.print(table)
