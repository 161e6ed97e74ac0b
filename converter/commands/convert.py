"""`whosthere-converter convert`: a trained network into its quantised variants."""

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Column, Table

from converter import edgetpu, faces, sources
from converter.commands import options
from converter.convert import Job, ModelOrigin, VariantResult, check, run
from converter.datasets import DatasetError
from converter.graph import Graph
from converter.input_spec import PIXELS, model_input
from converter.variants import VARIANTS, Variant
from edge.errors import UsageError
from edge.terminal import echo, json_option, print_json

HELD_OUT = 40


@click.command("convert")
@click.argument("model", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write variants and cards to.",
)
@click.option(
    "--variants",
    default=",".join(VARIANTS),
    show_default=True,
    metavar="LIST",
    help="The variants to make, separated by commas.",
)
@click.option(
    "--card",
    "known",
    type=options.FILE,
    help="A card that describes MODEL's input. --range and --channels override it.",
)
@click.option(
    "--range", "pixels", type=click.Choice(list(PIXELS)), help="The range to which MODEL's training scaled the pixels."
)
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr", "grey"]),
    help="The order of the colours in MODEL's input.  [default: rgb, or grey for one channel]",
)
@click.option("--name", help="The beginning of the names of the files written.  [default: MODEL's name]")
@click.option("--licence", help="The licence of MODEL, for the cards.")
@click.option("--origin", help="Where MODEL comes from, for the cards.")
@click.option(
    "--faces", "pictures", multiple=True, type=click.Path(path_type=Path, exists=True),
    help="Photos, or folders of them, to measure value ranges on; repeatable.  [default: the bundled portraits]",
)  # fmt: skip
@click.option(
    "--count",
    type=click.IntRange(8),
    default=200,
    show_default=True,
    help="How many faces to measure ranges on. If there are fewer, variations of them fill up the number.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(0, 1),
    help="Fail if a variant's mean cosine to float32 is lower than 1 by more than this.",
)
@json_option
def command(
    model: Path, output: Path, variants: str, pictures: tuple[Path, ...], count: int, max_loss: float | None,
    as_json: bool, **feeding: Any,
) -> None:  # fmt: skip
    """Convert MODEL to the variants that a box can run, and write them to DIR with a card each.

    MODEL is a .keras or .h5 file, the folder of a SavedModel, or a float .tflite file. Variants that DIR already holds,
    made from the same network and faces, are kept: after an interruption, run the same command again.

    \b
    Example:
      whosthere-converter convert mine.keras -o out --range -1..1 --licence "my own" --origin "trained on ..."
    """
    wanted = _wanted(variants)
    content = sources.float_model(model)
    job = _job(model, content, pictures, count, feeding)
    check(content, str(model), job.origin.spec, job.faces)
    results = run(job, output, wanted)
    if as_json:
        print_json(results)
    else:
        _show(results, job.described)
    if "int8-full" in wanted:
        echo(edgetpu.compile_model(output / f"{job.origin.name}-int8-full.tflite"), err=True)
    _refuse(results, max_loss)


def _wanted(variants: str) -> list[Variant]:
    names = [name.strip() for name in variants.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise UsageError(f"--variants: {', '.join(unknown) or 'nothing'} found; allowed: {', '.join(VARIANTS)}")
    return [variant for variant in VARIANTS if variant in names]


def _job(model: Path, content: bytes, pictures: tuple[Path, ...], count: int, feeding: dict[str, Any]) -> Job:
    origin = _origin(model, content, feeding)
    looked = faces.find_faces(pictures or (faces.PORTRAITS,), count)
    for said in [*looked.unreadable, *(f"{path}: no face in it" for path in looked.without)]:
        echo(f"left out: {said}", err=True)
    aligned = np.array(origin.alignment, np.float32)
    size = origin.spec.shape[1]
    made = faces.crops(looked.found, aligned, size, count)
    others = faces.crops(looked.found[:1], aligned, size, 1) + faces.varied(
        looked.found, aligned, size, HELD_OUT, seed=1
    )
    where = "the bundled portraits" if not pictures else ", ".join(sorted(path.name for path in pictures))
    varied = max(0, count - len(looked.found))
    described = f"{count} faces, {varied} of them variations of {len(looked.found)} in {where}"
    spec = origin.spec
    return Job(origin, content, faces.tensors(made, spec), faces.tensors(others, spec), described)


def _origin(model: Path, content: bytes, feeding: dict[str, Any]) -> ModelOrigin:
    """What the cards say, by the options, else by the card of MODEL, else by the network itself."""
    graph = Graph(content, str(model))
    shape = graph.shape(graph.inputs[0])[1:]
    spec, alignment, card = model_input(model, shape, feeding["known"], feeding["pixels"], feeding["channels"])
    return ModelOrigin(
        feeding["name"] or model.stem,
        spec,
        alignment,
        feeding["licence"] or (card.licence if card else "not stated"),
        feeding["origin"] or (card.origin if card else f"converted from {model.name}"),
    )


def _show(results: list[VariantResult], described: str) -> None:
    console = Console()
    console.print(f"value ranges from {described}; cosine to float32 on {HELD_OUT + 1} other faces")
    table = Table("variant", "bytes", "mean cosine", "least", Column("card", overflow="fold"))
    for r in results:
        table.add_row(
            r.variant, str(r.bytes), f"{r.mean_cosine:.5f}", f"{r.least_cosine:.5f}", f"{r.card}{' (kept)' * r.kept}"
        )
    console.print(table)
    for r in results:
        if r.variant == "int8-full" and r.not_for_edgetpu:
            console.print(f"operators that an Edge TPU does not have: {', '.join(r.not_for_edgetpu)}")


def _refuse(results: list[VariantResult], max_loss: float | None) -> None:
    bad = [r for r in results if max_loss is not None and 1 - r.mean_cosine > max_loss]
    if bad:
        listed = ", ".join(f"{r.variant} loses {1 - r.mean_cosine:.5f}" for r in bad)
        raise DatasetError(f"--max-loss is {max_loss:g}, but {listed}; the files were written anyway")
