"""`whosthere-converter households`: what a false-alarm target comes to."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from converter import changes, datasets
from converter.commands import options
from converter.embeddings import EmbeddedFaces
from converter.households import Household, UsableFaces, simulate
from converter.people_folder import photos_by_person
from edge.config.visits import MatchSettings
from edge.models import card
from edge.models.measure import measure_of
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, echo, json_option, plural, print_json, progress
from edge.visits.lookalikes import pair_in_words


@click.command("households")
@options.stages
@options.images
@click.option(
    "--not-compared",
    type=options.FILE,
    help="A list of names, two per line, that are one person or share a photo, and so are not strangers to each other.",
)
@click.option(
    "--people",
    type=click.IntRange(1),
    multiple=True,
    default=(4, 10),
    show_default=True,
    help="How many people live in a household. Repeat it for several sizes.",
)
@click.option(
    "--enroll",
    type=click.IntRange(1),
    multiple=True,
    default=(1, 3, 5),
    show_default=True,
    help="How many templates each of them has. Repeat it for several numbers.",
)
@click.option(
    "--draws", type=click.IntRange(20), default=400, show_default=True, help="How many households of each kind to draw."
)
@click.option(
    "--false-alarm",
    type=NumberRange(0, 0.5, min_open=True),
    default=1e-3,
    show_default=True,
    help="The false-alarm target to test: the share of strangers who may be called by a name.",
)
@click.option(
    "--infrared",
    is_flag=True,
    help="Make every photo look as if taken in infrared light first, those of templates as well as of visitors.",
)
@json_option
def command(
    images: Path,
    not_compared: Path | None,
    people: tuple[int, ...],
    enroll: tuple[int, ...],
    draws: int,
    false_alarm: float,
    infrared: bool,
    as_json: bool,
    **stages: Any,
) -> None:
    """Measure how many strangers are called by a name at a false-alarm target, and how many residents by theirs.

    Households are drawn from IMAGES, the same ones every time. The box's own matcher decides, at the threshold that
    follows from the target, the card's calibration and the number of templates. Faces that a box would not use are left
    out. All figures are for single faces; a visit combines several. Residents who cannot be told apart are listed, with
    the margin that would tell them apart and the photos that would help, as in `whosthere gallery verify`.
    """
    everybody = photos_by_person(images)
    skipped = datasets.read_not_compared(not_compared, everybody) if not_compared else []
    change, how = (changes.infrared, changes.INFRARED) if infrared else (None, "")
    embedded = options.embedder(**stages).embed((p for pictures in everybody.values() for p in pictures), change, how)
    photos = usable(everybody, embedded)
    vectors = {name: embedded.matrix(pictures) for name, pictures in photos.items()}
    sources = {name: [p.name for p in pictures] for name, pictures in photos.items()}
    faces = UsableFaces(vectors, skipped, sources, infrared)
    known = card.read_card(card.find(stages["model"]))
    settings = MatchSettings(false_alarm_target=false_alarm)
    kinds = [(p, n) for p in people for n in enroll]
    rows = [
        simulate(
            faces, p, n, draws, settings, known.naming_calibration, known.naming_infrared_calibration, measure_of(known)
        )
        for p, n in progress(kinds, "households")
    ]
    if as_json:
        print_json(rows)
    else:
        show(rows, false_alarm)
        show_lookalikes(rows, settings.min_margin)


def usable(everybody: dict[str, list[Path]], embedded: EmbeddedFaces) -> dict[str, list[Path]]:
    """The pictures with a face that boxes would use, by person; people without one are left out."""
    found = {
        name: [p for p in pictures if embedded.records[p].vector and embedded.records[p].problem is None]
        for name, pictures in everybody.items()
    }
    return {name: pictures for name, pictures in found.items() if pictures}


def show(rows: list[Household], target: float) -> None:
    console = SafeConsole()
    console.print(
        f"{rows[0].households} households of each kind, and {rows[0].strangers} faces of strangers for each kind; "
        f"the target is that {target:.2%} of those are called by a name"
    )
    columns = ("people", "each", "threshold", "faces", "named", "unsure", "wrong", "strangers", "19 of 20")
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(
            str(row.people),
            str(row.templates_each),
            f"{row.threshold:.3f}{'' if row.within_data else '*'}",
            str(row.probes),
            f"{row.named:.1%}",
            f"{row.uncertain:.1%}",
            str(row.wrong),
            f"{row.strangers_named / row.strangers:.2%}",
            f"{row.worst_twentieth:.1%}",
        )
    console.print(table)
    console.print(
        "each: templates per person. faces: pictures of residents; named: called by their own name; unsure: by none; "
        "wrong: by another resident's. strangers: the share called by a name; 19 of 20: at most this share in 19 of 20 "
        "households."
    )
    if not all(row.within_data for row in rows):
        console.print("*: the calibration does not reach the target; its strictest point is used")


def show_lookalikes(rows: list[Household], min_margin: float) -> None:
    """Print in how many households people look alike, and the pairs that are hardest to tell apart."""
    for row in rows:
        residents = plural(row.people, "person", "people")
        alike = f"{row.look_alike_households} of {row.households} households"
        echo(f"{residents}, {row.templates_each} each: somebody looks like somebody else in {alike}")
        for pair in row.lookalikes:
            echo(f"  {pair_in_words(pair, min_margin)}")
            for advice in pair.advice:
                echo(f"    What would help: {advice}.")
