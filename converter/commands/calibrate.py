"""`whosthere-converter calibrate`: similarity -> false-match rate, into the card."""

from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from rich.table import Table

from converter import card_text, changes, datasets
from converter.calibrate import Measurement, calibration, measure
from converter.card_text import CalibrationKind
from converter.commands import options
from converter.people_folder import photos_by_person
from edge.models import card
from edge.models.card import LearnedSimilarity
from edge.models.measure import COSINE, measure_of
from edge.safe_console import SafeConsole
from edge.terminal import echo, json_option, print_json


@click.command("calibrate")
@options.stages
@options.images
@options.name
@click.option(
    "--not-compared",
    type=options.FILE,
    help="A list of names, two per line, that are one person or share a photo, and so are not compared.",
)
@click.option(
    "--infrared",
    is_flag=True,
    help="Make every photo look as if taken in infrared light first, and calibrate for two such faces.",
)
@json_option
@click.option("--dry-run", is_flag=True, help="Print the result without changing the card.")
def command(
    images: Path,
    name: str | None,
    not_compared: Path | None,
    infrared: bool,
    as_json: bool,
    dry_run: bool,
    **stages: Any,
) -> None:
    """Measure how similar different people are, and write it to the embedder's card: similarity -> false-match rate.

    Every photo is compared with every photo of everybody else. The last point rests on the 30 most similar comparisons.
    The data say nothing about rarer mistakes, so nothing is extrapolated.

    Faces in infrared light look more alike, so they have a calibration of their own: run the command again with
    --infrared. It imitates such light (grey, half the contrast, noise, a soft lens) and is no substitute for real night
    pictures.

    A similarity of the network's own that is in force, by which names are given, is calibrated besides the cosine.

    \b
    Example:
      whosthere-converter calibrate --model out/mine-int8.yaml --images lfw/images
    """
    everybody = photos_by_person(images)
    people = list(everybody)
    labels = np.array([i for i, person in enumerate(people) for _ in everybody[person]])
    pictures = [picture for person in people for picture in everybody[person]]
    skipped = datasets.read_not_compared(not_compared, people) if not_compared else []
    change, how = (changes.infrared, changes.INFRARED) if infrared else (None, "")
    embedded = options.embedder(**stages).embed(pictures, change, how)
    pairs = [(people.index(a), people.index(b)) for a, b in skipped]
    path = card.find(stages["model"])
    known, vectors = card.read_card(path), embedded.matrix(pictures)
    measured = measure(vectors, labels, pairs)
    named_by = measure_of(known)
    own = None if named_by is COSINE else measure(vectors, labels, pairs, similarity=named_by)
    title = options.data_set(name, images)
    if not dry_run:
        typed = _command(f"{title}/{images.name}", not_compared, stages) + (" --infrared" if infrared else "")
        kind: CalibrationKind = "infrared_calibration" if infrared else "calibration"
        title = f"{title}, {how}" if how else title
        write(path, measured, title, typed, kind)
        if own and known.similarity:
            write_own(path, known.similarity, own, title, typed, kind)
    if as_json:
        print_json(measured if own is None else {"cosine": measured, "own_similarity": own})
        return
    show(measured)
    if own:
        echo("By its own similarity, which names go by:")
        show(own)


def _command(images: str, not_compared: Path | None, stages: dict[str, Any]) -> str:
    """The command that reproduces the figures, without the folders of this machine."""
    given = not_compared and (not_compared.name if not_compared.is_absolute() else not_compared)
    skipping = f" --not-compared {given}" if given else ""
    chosen = f"--model {Path(stages['model']).name} --detector {stages['detector']}"
    return f"whosthere-converter calibrate {chosen} --images {images}{skipping}"


def write(path: Path, measured: Measurement, title: str, typed: str, kind: CalibrationKind = "calibration") -> None:
    """Write a calibration, and what it rests on, to a card. Raises ModelError."""
    data = _data(title, measured)
    last = measured.points[-1]
    figures = {
        f"reach of the calibration on {title}": f"down to {last.false_match_rate:.2e} (95 % interval {last.low:.1e} to "
        f"{last.high:.1e}), where it rests on {last.impostors_above} comparisons",
        f"true-match rate on {title}": f"{_true_matches(measured)}; {measured.genuine} pairs of pictures of one person",
    }
    card_text.record(path, figures, calibration(measured, data, typed), kind)


def write_own(
    path: Path, learned: LearnedSimilarity, measured: Measurement, title: str, typed: str, kind: CalibrationKind
) -> None:
    """Write the calibration of the card's own similarity. Raises ModelError."""
    made = calibration(measured, _data(title, measured), typed)
    figures = {f"true-match rate on {title}, own similarity": _true_matches(measured)}
    card_text.record(path, figures, similarity=msgspec.structs.replace(learned, **{kind: made}))


def _data(title: str, measured: Measurement) -> str:
    return (
        f"{title}: {measured.impostors} comparisons of different people, "
        f"{measured.people} people in {measured.pictures} pictures, {measured.missed} without a face"
    )


def _true_matches(measured: Measurement) -> str:
    known = [(p.true_match_rate, p.false_match_rate) for p in measured.points if p.true_match_rate is not None]
    return ", ".join(f"{true:.2%} at {false:.0e}" for true, false in known) or "not known"


def show(measured: Measurement) -> None:
    console = SafeConsole()
    console.print(
        f"{measured.people} people, {measured.pictures} pictures, {measured.missed} without a face: "
        f"{measured.impostors} comparisons of different people, {measured.genuine} of one person"
    )
    table = Table("false-match rate", "95 % interval", "comparisons above", "similarity", "true-match rate")
    for p in measured.points:
        interval = f"{p.low:.1e} to {p.high:.1e}"
        true = "-" if p.true_match_rate is None else f"{p.true_match_rate:.2%}"
        table.add_row(f"{p.false_match_rate:.1e}", interval, str(p.impostors_above), f"{p.similarity:.4f}", true)
    console.print(table)
