"""`whosthere-converter convert`: a trained network into its quantised variants."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.table import Column, Table
from rich.text import Text

from converter import edgetpu, faces
from converter.classifier_head import labels_of, probabilities
from converter.commands import fine_tuning_options, import_options, options
from converter.commands.convert_input import ConvertInput, open_input
from converter.convert import MIN_COSINE, Job, VariantResult, check, run
from converter.datasets import pictures_of, read_pairs, require
from converter.graph import Graph
from converter.input_spec import PIXELS, WHOLE_PICTURE
from converter.label_names import label_names
from converter.own_similarity import read_similarity
from converter.variant_accuracy import judged_on_pairs
from converter.variants import VARIANTS, Variant
from edge.bare_address import ExistingPath
from edge.errors import ModelError, UsageError
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, echo, json_option, print_json, safe

HELD_OUT = 40


@click.command("convert")
@click.argument("model", type=ExistingPath())
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
    type=options.CARD,
    metavar="CARD",
    help="A card that describes MODEL's input, by its path or, if it is bundled, by its name. --range and --channels "
    "override it.",
)
@click.option(
    "--range", "pixels", type=click.Choice(list(PIXELS)), help="The range to which MODEL's training scaled the pixels."
)
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr", "grey"]),
    help="The order of the colours in MODEL's input.  [default: rgb, or grey for one channel]",
)
@options.no_align
@click.option(
    "--crop",
    type=NumberRange(1, 8),
    default=WHOLE_PICTURE,
    show_default=True,
    help="With --no-align: how many times the face's box, from the hairline to the chin, the square is wide that MODEL "
    "sees around a face. `train` measures and prints it.",
)
@options.cut(
    "Cut MODEL after this layer, whose output becomes the embedding. In an ONNX network, LAYER is the name of a value."
)
@click.option(
    "--labels",
    type=ExistingPath(),
    help="The names of a label classifier's outputs: a text file with one per line, or the folder of people that it "
    "was trained on. `whosthere identify --classify` prints them.  [default: labels.txt beside MODEL, or numbers from "
    "0]",
)
@import_options.options_of_imports
@click.option(
    "--similarity",
    type=options.FILE,
    help="A Siamese network's own similarity, as `train --objective siamese` writes it. The cards carry it; `evaluate "
    "--record` puts it in force where it is better than the cosine.  [default: similarity.json beside MODEL]",
)
@click.option(
    "--name",
    callback=import_options.file_name,
    help="The beginning of the names of the files written.  [default: MODEL's name]",
)
@click.option(
    "--licence",
    callback=import_options.one_line,
    help="The licence of MODEL's weights, for the cards. ONNX and PyTorch need it: without it, it is asked for.",
)
@click.option("--origin", callback=import_options.one_line, help="Where MODEL comes from, for the cards.")
@click.option(
    "--faces", "pictures", multiple=True, type=ExistingPath(),
    help="Photos, or folders of them, to measure value ranges on; repeatable.  [default: the bundled portraits]",
)  # fmt: skip
@click.option(
    "--count",
    type=click.IntRange(8, 100_000),
    default=200,
    show_default=True,
    help="How many faces to measure ranges on. If there are fewer, variations of them fill up the number.",
)
@fine_tuning_options.options_of_fine_tuning
@click.option(
    "--min-cosine",
    type=NumberRange(-1, 1),
    default=MIN_COSINE,
    show_default=True,
    help="A variant whose mean cosine to float32 is lower is reported as unfit, and written to DIR/unfit.",
)
@click.option(
    "--pairs",
    type=options.FILE,
    help="Measure accuracy too: a list of pairs in the format of LFW's pairs.txt. It needs --images.",
)
@click.option(
    "--images", type=options.PEOPLE, help="The photos of --pairs: one folder per person, with their photos in it."
)
@click.option(
    "--max-accuracy-loss",
    type=NumberRange(0, 1),
    default=0.005,
    show_default=True,
    help="With --pairs: a variant that is less accurate than float32 by more than this share of the pairs is unfit.",
)
@click.option(
    "--allow-lambda",
    is_flag=True,
    help="Run Python code that MODEL holds in Lambda layers. Use it only for files whose origin you trust.",
)
@json_option
def command(
    model: Path, output: Path, variants: str, pictures: tuple[Path, ...], count: int, min_cosine: float,
    pairs: Path | None, images: Path | None, max_accuracy_loss: float, cut: str | None, labels: Path | None,
    similarity: Path | None, allow_lambda: bool, as_json: bool,
    **feeding: Any,
) -> None:  # fmt: skip
    """Convert MODEL to the variants that a box can run, and write them to DIR with a card each.

    MODEL is a .keras or .h5 file, the folder of a SavedModel, a float .tflite file, an .onnx file, or one of PyTorch:
    TorchScript, .pt2 of torch.export, or weights (.pth), together with --build. Variants that DIR already holds, made
    from the same network and faces, are kept: after an interruption, run the same command again.

    ONNX and PyTorch are read by their own tools, in an environment of their own: the first time, it is installed into
    the cache folder ($XDG_CACHE_HOME/whosthere/import; 0.7 GB for ONNX, 1.1 GB more for PyTorch). The result must give
    the same vectors as the original, on aligned faces and on noise, or nothing is written. A file of PyTorch that would
    run code is refused.

    A variant that cannot be made, or is too far from float32, does not stop the others. The command fails if you named
    it in --variants, or if no variant is fit for use.

    With --fine-tune, int8-full is trained for its rounding. The result is used if it is nearer to float32 on people
    whom it did not learn from. DIR/fine-tuning keeps the aligned faces, which are as private as the photos.

    A label classifier of Keras (a softmax, or one sigmoid, at its end) is cut before its labels; its head is kept
    beside each card, for `whosthere identify --classify`. An ONNX classifier needs --cut softmax; its head is not kept.

    \b
    Examples:
      whosthere-converter convert mine.keras -o out --range -1..1 --licence "my own" --origin "trained on ..."
      whosthere-converter convert mine.keras -o out --range -1..1 --pairs lfw/pairs.txt --images lfw/images
      whosthere-converter convert mine.keras -o out --range -1..1 --variants int8-full --fine-tune people/
      whosthere-converter convert arcface.onnx -o out --mean 127.5 --std 128 --licence "research only"
      whosthere-converter convert facenet.pth -o out --build facenet.py --size 160 --range -1..1 --licence "my own"
    """
    if (pairs is None) != (images is None):
        raise UsageError("--pairs and --images belong together: found only one of them")
    options.refuse_disregarded(
        {
            "crop": None if feeding["unaligned"] else "with --no-align",
            "max_accuracy_loss": None if pairs else "with --pairs",
        }
    )
    wanted = _wanted(variants)
    fine_tuning_options.check_tuning(feeding, wanted)
    listed = read_pairs(pairs, images) if pairs and images else []
    require(pictures_of(listed))
    found = open_input(model, allow_lambda, cut, labels, feeding)
    job = _with_labels(_job(found, pictures, count), found.head, labels, model)
    graph = Graph(job.content, str(model))
    job = replace(job, similarity=read_similarity(similarity, model, graph.shape(graph.outputs[0])[-1]))
    check(job.content, str(model), job.origin.spec, job.faces)
    if classes := labels_of(job.content, str(model)):
        echo(probabilities(model, classes), err=True)
    job = replace(job, tuner=fine_tuning_options.tuner_of(feeding, found, output))
    results = run(job, output, wanted, min_cosine)
    accuracies: dict[Variant, float] = {}
    if listed:
        results, accuracies = judged_on_pairs(results, listed, max_accuracy_loss)
    if as_json:
        print_json([asdict(r) | ({"accuracy": accuracies.get(r.variant)} if listed else {}) for r in results])
    else:
        _show(results, job.described, accuracies)
    for result in results:
        if result.variant == "int8-full" and not result.unfit:
            echo(edgetpu.compile_model(Path(result.card).with_suffix(".tflite")), err=True)
    given = click.get_current_context().get_parameter_source("variants") is not ParameterSource.DEFAULT
    _refuse(results, wanted if given else [])


def _with_labels(job: Job, head: bytes | None, labels: Path | None, model: Path) -> Job:
    """The job with a classifier's head and the names of its labels, if there is one."""
    if head is None:
        if labels is not None:
            raise UsageError(f"--labels: {model} was cut after its last layer, so no labels are left")
        return job
    graph = Graph(head, str(model))
    names = label_names(labels, model, graph.shape(graph.outputs[0])[-1])
    shown = f"{', '.join(names[:5])}{', ...' * (len(names) > 5)}"
    echo(f"{safe(str(model))} is a label classifier of {len(names)}: {safe(shown)}; the embedding is what it computes "
         "before them, and its head goes along for `whosthere identify --classify`", err=True)  # fmt: skip
    return replace(job, head=head, labels=names)


def _wanted(variants: str) -> list[Variant]:
    names = [name.strip() for name in variants.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise UsageError(f"--variants: {', '.join(unknown) or 'nothing'} found; allowed: {', '.join(VARIANTS)}")
    return [variant for variant in VARIANTS if variant in names]


def _job(network: ConvertInput, pictures: tuple[Path, ...], count: int) -> Job:
    content, origin = network.content, network.origin
    looked = faces.find_faces(pictures or (faces.PORTRAITS,), count)
    for said in [*looked.unreadable, *(f"{path}: no face in it" for path in looked.without)]:
        echo(f"left out: {said}", err=True)
    framing, spec = network.framing, origin.spec
    size = spec.shape[1]
    made = faces.crops(looked.found, framing, size, count)
    others = faces.crops(looked.found[:1], framing, size, 1) + faces.varied(
        looked.found, framing, size, HELD_OUT, seed=1
    )
    where = "the bundled portraits" if not pictures else ", ".join(sorted(path.name for path in pictures))
    varied = max(0, count - len(looked.found))
    described = f"{count} faces, {varied} of them variations of {len(looked.found)} in {where}"
    return Job(origin, content, faces.tensors(made, spec), faces.tensors(others, spec), described)


def _show(results: list[VariantResult], described: str, accuracies: Mapping[Variant, float]) -> None:
    console = SafeConsole()
    console.print(f"value ranges from {described}; cosine to float32 on {HELD_OUT + 1} other faces")
    measured = ["accuracy"] if accuracies else []
    table = Table("variant", "bytes", "mean cosine", "least", *measured, Column("card", overflow="fold"))
    for r in results:
        accuracy = [f"{accuracies[r.variant]:.2%}" if r.variant in accuracies else "-"] if accuracies else []
        card = f"{safe(r.card)}{' (kept)' * r.kept}" if r.card else "-"
        table.add_row(
            f"{r.variant}{' (unfit)' * bool(r.unfit)}", str(r.bytes) if r.card else "-", _cosine(r.mean_cosine),
            _cosine(r.least_cosine), *accuracy, Text(card),
        )  # fmt: skip
    console.print(table)
    for r in results:
        if r.fine_tuning:
            console.print(Text(f"{r.variant}: {safe(r.fine_tuning)}"), soft_wrap=True)
        if r.unfit:
            console.print(Text(f"{r.variant} is not fit for use: {safe(r.unfit)}"), soft_wrap=True)
        elif r.variant == "int8-full" and r.not_for_edgetpu:
            console.print(f"operators that an Edge TPU does not have: {', '.join(r.not_for_edgetpu)}")


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _refuse(results: list[VariantResult], named: Sequence[Variant]) -> None:
    """Raises ModelError when a variant that was asked for by name is unfit, or when all are."""
    unfit = [r for r in results if r.unfit]
    if len(unfit) == len(results) or any(r.variant in named for r in unfit):
        listed = "; ".join(f"{r.variant}: {r.unfit}" for r in unfit if r.variant in named or len(unfit) == len(results))
        raise ModelError(
            f"not fit for use: {listed}; see what can be done in docs/51-converter.md, or lower --min-cosine"
        )
