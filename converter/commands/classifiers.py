"""`whosthere-converter classifiers`: nearest template, mean template, k-NN and SVM side by side."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from converter.classifiers import FALSE_POSITIVE_RATE, compare, winners
from converter.commands import options
from converter.identification import split
from converter.people_folder import photos_by_person
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json


@click.command("classifiers")
@options.stages
@options.images
@click.option(
    "--enroll",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How many photos per person are enrolled. Only people with more photos can be enrolled.",
)
@json_option
def command(images: Path, enroll: int, as_json: bool, **stages: Any) -> None:
    """Compare ways to tell people apart by their embeddings: nearest template, mean template, k-NN and SVM.

    Half of the people in IMAGES with enough photos are enrolled with their first photos, and asked for with the rest;
    all others are strangers. Each way gets the threshold that one stranger in a hundred reaches, so that the shares
    of people who are called by their own name can be compared.

    \b
    Example:
      whosthere-converter classifiers --images lfw/images
    """
    parts = split(photos_by_person(images), enroll)
    groups = (parts.enrolled, parts.known, parts.unknown)
    embedded = options.embedder(**stages).embed(p for group in groups for own in group.values() for p in own)
    found = compare(parts, embedded)
    if as_json:
        print_json(found)
        return
    console = SafeConsole()
    console.print(
        f"{found.people} people with {found.templates} templates; {found.known_probes} photos of them and "
        f"{found.unknown_probes} of strangers; no face in {found.missed}"
    )
    table = Table("", "rank-1", f"named, at {FALSE_POSITIVE_RATE:.0%} of strangers", "strangers above")
    for result in found.results:
        table.add_row(
            result.classifier, f"{result.rank_one:.2%}", f"{result.identified:.2%}", str(result.strangers_above)
        )
    console.print(table)
    console.print(f"Most are named by: {', '.join(winners(found.results))}. A box uses the nearest template.")
