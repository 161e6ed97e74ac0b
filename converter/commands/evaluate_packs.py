"""`whosthere-converter evaluate-packs`: models on published verification packs, side by side."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from converter import card_text
from converter.commands import options
from converter.evaluation import Evaluation, evaluated
from converter.packs import read_pack
from edge.config.visits import MatchSettings
from edge.models import card
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json, safe


@click.command("evaluate-packs")
@click.argument("packs", metavar="PACK...", nargs=-1, required=True, type=options.FILE)
@options.models
@options.shared_stages
@json_option
@click.option("--record", is_flag=True, help="Add the figures to the section `measured` of each card.")
def command(packs: tuple[Path, ...], models: tuple[str, ...], as_json: bool, record: bool, **stages: Any) -> None:
    """Measure verification on packs as they are published: LFW, CFP-FP, AgeDB-30, CALFW, CPLFW.

    PACK is a .bin file in InsightFace's format: aligned crops and pairs of them, in ten folds. The crops go to the
    embedder as they are, moved to the points that its card states; no detector looks for faces. Each fold is judged by
    the threshold that does best on the others. Only data is read from a pack: one that would run code is refused.

    \b
    Example:
      whosthere-converter evaluate-packs lfw.bin cfp_fp.bin agedb_30.bin --model mobilefacenet --model out/mine.yaml
    """
    results: dict[str, list[Evaluation]] = {model: [] for model in models}
    embedders = [options.embedder(model=model, **stages) for model in models]
    names = []
    for path in packs:
        pack = read_pack(path)
        names.append(pack.name)
        for model, embedder in zip(models, embedders, strict=True):
            embedded = embedder.embed_placed(pack.crops)
            results[model].append(evaluated(model, pack.pairs, [], embedded, MatchSettings(), 1))
    if record:
        for model, found in results.items():
            card_text.record(
                card.find(model), {f"verification on {n}": _line(e) for n, e in zip(names, found, strict=True)}
            )
    if as_json:
        print_json({model: dict(zip(names, found, strict=True)) for model, found in results.items()})
    else:
        _show(names, results)


def _line(found: Evaluation) -> str:
    return (
        f"accuracy {found.accuracy:.2%} +- {found.deviation:.2%} over {found.folds} folds, "
        f"{found.genuine + found.impostors} pairs (whosthere-converter evaluate-packs)"
    )


def _show(names: list[str], results: dict[str, list[Evaluation]]) -> None:
    console = SafeConsole()
    for number, name in enumerate(names):
        first = next(iter(results.values()))[number]
        console.print(
            f"{safe(name)}: {first.genuine} pairs of one person, {first.impostors} of two, {first.folds} folds",
            markup=False,
        )
        rates = [f"TAR at FAR {point.false_accept_rate:g}" for point in first.operating]
        table = Table("model", "accuracy", "+-", *rates, "EER", "AUC")
        for model, found in results.items():
            one = found[number]
            tars = [f"{point.true_accept_rate:.2%}" for point in one.operating]
            figures = f"{one.accuracy:.2%}", f"{one.deviation:.2%}", *tars, f"{one.equal_error_rate:.2%}"
            table.add_row(Text(safe(model)), *figures, f"{one.area_under_curve:.5f}")
        console.print(table)
