"""`whosthere-converter evaluate-templates`: several pictures against several pictures, by IJB's protocol."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from converter.commands import options
from converter.template_sets import TemplateVerification, read_template_set, verify_templates
from edge.safe_console import SafeConsole
from edge.terminal import json_option, plural, print_json, safe


@click.command("evaluate-templates")
@click.option(
    "--lists",
    required=True,
    type=options.FOLDER,
    help="The folder of the lists *face_tid_mid.txt, *template_pair_label.txt and *name_5pts_score.txt.",
)
@click.option("--images", required=True, type=options.FOLDER, help="The folder of the pictures that the lists name.")
@options.models
@options.shared_stages
@json_option
def command(lists: Path, images: Path, models: tuple[str, ...], as_json: bool, **stages: Any) -> None:
    """Measure verification between templates, each made of several pictures of one person, as IJB-B and IJB-C do.

    A template is the sum of its media; a medium, such as a video, is the mean of its pictures. Faces are cut out at the
    five points that the lists give; no detector looks for them.

    \b
    Example:
      whosthere-converter evaluate-templates --lists IJBC/meta --images IJBC/loose_crop --model mobilefacenet
    """
    sets = read_template_set(lists, images)
    embedders = [options.embedder(model=model, **stages) for model in models]
    found = [
        verify_templates(model, sets, embedder.embed_placed(sets.pictures))
        for model, embedder in zip(models, embedders, strict=True)
    ]
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: list[TemplateVerification]) -> None:
    console, first = SafeConsole(), found[0]
    console.print(
        f"{plural(first.templates, 'template')} of {plural(first.pictures, 'picture')}; "
        f"{first.genuine} pairs of one person, {first.impostors} of two"
    )
    if first.unreadable:
        console.print(
            f"{plural(first.unreadable, 'picture')} cannot be read; {plural(first.empty, 'template')} left empty"
        )
    table = Table("model", *(f"TAR at FAR {point.false_accept_rate:g}" for point in first.operating), "EER", "AUC")
    for one in found:
        tars = [f"{point.true_accept_rate:.2%}" for point in one.operating]
        table.add_row(Text(safe(one.model)), *tars, f"{one.equal_error_rate:.2%}", f"{one.area_under_curve:.5f}")
    console.print(table)
