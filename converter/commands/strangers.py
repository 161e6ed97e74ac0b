"""`whosthere-converter strangers`: how well strangers who come again are told apart."""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from converter import datasets
from converter.changes import blurred
from converter.commands import options
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.people_folder import photos_by_person
from converter.strangers import Street, simulate
from edge.config.faces import ENROLMENT_LIMITS
from edge.errors import ModelError
from edge.models import card
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, json_option, print_json, progress


@click.command("strangers")
@options.stages
@options.images
@click.option(
    "--not-compared",
    type=options.FILE,
    help="A list of names, two per line, that are one person or share a photo; one of the two is left out.",
)
@click.option(
    "--people",
    type=click.IntRange(1),
    multiple=True,
    default=(20, 100),
    show_default=True,
    help="How many strangers come to a box. Repeat it for several numbers.",
)
@click.option(
    "--faces",
    type=click.IntRange(1),
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="How many pictures make a visit. Repeat it for several numbers.",
)
@click.option(
    "--draws", type=click.IntRange(1), default=100, show_default=True, help="How many boxes of each kind to draw."
)
@click.option(
    "--false-alarm",
    type=NumberRange(0, 0.5, min_open=True),
    multiple=True,
    default=(1e-2, 1e-3, 1e-4),
    show_default=True,
    help="The false-alarm target of the box. Repeat it for several targets.",
)
@click.option(
    "--blur",
    type=NumberRange(0),
    default=0.0,
    show_default=True,
    metavar="SIGMA",
    help="Blur every picture by a Gaussian of so many pixels first, the eyes being 42 px apart in LFW.",
)
@click.option(
    "--any-quality", is_flag=True, help="Let bad pictures link visits too, to see why the box uses only good ones."
)
@json_option
def command(
    images: Path,
    not_compared: Path | None,
    people: tuple[int, ...],
    faces: tuple[int, ...],
    draws: int,
    false_alarm: tuple[float, ...],
    blur: float,
    any_quality: bool,
    as_json: bool,
    **stages: Any,
) -> None:
    """Measure how often the visits of a stranger are grouped, and how often two strangers are taken for one.

    Strangers are drawn from IMAGES, the same ones every time, and come in random order, each at least twice. The box's
    own rule decides. Pictures that may not link visits are left out: they must be good enough to be enrolled.
    """
    everybody = photos_by_person(images)
    skipped = datasets.read_not_compared(not_compared, everybody) if not_compared else []
    left_out = {one for one, _ in skipped}
    several = {n: some for n, some in everybody.items() if len(some) >= 2 * min(faces) and n not in left_out}
    embedder = options.embedder(**stages)
    embedded = embedder.embed((p for some in several.values() for p in some), blurred(blur) if blur else None)
    usable = by_person(several, embedded, any_quality=any_quality)
    calibration = card.read_card(card.find(stages["model"])).calibration
    if calibration is None:
        raise ModelError("the embedder's card has no calibration; run `whosthere-converter calibrate` first")
    kinds = [(p, n, target) for p in people for n in faces for target in false_alarm]
    rows = [simulate(usable, p, n, draws, target, calibration) for p, n, target in progress(kinds, "streets")]
    if as_json:
        print_json(rows)
    else:
        show(rows)


def by_person(
    pictures: dict[str, list[Path]], embedded: EmbeddedFaces, *, any_quality: bool
) -> dict[str, NDArray[np.float32]]:
    """The faces that may link visits; people without one are left out."""
    chosen = {
        name: [p for p in some if embedded.records[p].vector and (any_quality or _is_good(embedded.records[p]))]
        for name, some in pictures.items()
    }
    return {name: embedded.matrix(some) for name, some in chosen.items() if some}


def _is_good(face: FaceRecord) -> bool:
    """Whether the box would link strangers by this face (`edge.visits.good_faces.is_good`)."""
    limits = ENROLMENT_LIMITS
    return (
        face.problem is None
        and face.eye_distance_px >= limits.min_eye_distance_px
        and face.sharpness >= limits.min_sharpness
        and limits.min_brightness <= face.brightness <= limits.max_brightness
        and face.off_axis <= limits.max_turn_deg
    )


def show(rows: list[Street]) -> None:
    console = SafeConsole()
    columns = ("target", "people", "faces", "bar", "again", "grouped", "astray", "first", "merged", "mixed")
    table = Table(*columns, box=None, padding=(0, 1))
    for row in rows:
        table.add_row(
            f"{row.target:g}",
            str(row.strangers),
            str(row.faces),
            f"{row.bar:.3f}",
            str(row.again),
            f"{row.grouped / row.again:.2%}",
            str(row.astray),
            str(row.first),
            str(row.merged),
            str(row.mixed),
        )
    console.print(table)
    console.print(
        "again: visits of people who had come before; grouped: given the same person's number; astray: given another "
        "person's. first: first visits; merged: taken for somebody who had come before. mixed: numbers that two "
        "people or more have got. bar: the similarity that was needed, at the end."
    )
