"""`whosthere-converter play-visits`: scripted visits through the box's own loop, scored against the truth."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from converter import datasets
from converter.commands import options
from converter.embeddings import central
from converter.people_folder import photos_by_person
from converter.visit_player.playing import Memory, PlayedScene, play
from converter.visit_player.scoring import VisitScore, score
from converter.visit_player.script import VisitScene, scenes
from edge.capture.photos import read_photo
from edge.config.loading import Config, default_config, load_config
from edge.errors import ModelError
from edge.faces.loading import load_analyser
from edge.galleries.gallery import Gallery, Person, Template
from edge.records import Vector
from edge.terminal import json_option, print_json, progress
from edge.visits.matcher import Matcher
from edge.visits.thresholds import threshold_for


@click.command("play-visits")
@options.images
@click.option("--not-compared", type=options.FILE, help="Pairs of names that are one person or share a picture.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="The share of the 352 scenes to play. 0.1 takes a few minutes, all of them half an hour.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed draws other people and photos.")
@click.option(
    "--config",
    "config_path",
    type=options.FILE,
    help="A config.yaml whose visit, match, quality, track and models sections to use instead of the defaults.",
)
@json_option
def command(
    images: Path, not_compared: Path | None, share: float, seed: int, config_path: Path | None, as_json: bool
) -> None:
    """Play scripted visits with known people and strangers, and count right and wrong answers.

    The scenes are made from the photos in IMAGES, a folder per person: people come near, stay far away, wear
    sunglasses at first, come in the dark, take each other's place, cross, leave and come back. Every frame goes
    through the daemon's own loop, so that the result is what a box would have announced.

    \b
    Example:
      whosthere-converter play-visits --images lfw-dev/images --share 0.1
    """
    people = photos_by_person(images)
    barred = datasets.read_not_compared(not_compared, people) if not_compared else []
    loaded = load_config(config_path) if config_path else default_config()
    config = loaded.config
    memory = Memory(load_analyser(config.models, config.detect, config.quality, loaded.base))
    script = scenes(people, barred, share, seed)
    rows = score(played(script, memory, config))
    if as_json:
        print_json(rows)
    else:
        show(rows)


def played(script: Sequence[VisitScene], memory: Memory, config: Config) -> Iterator[PlayedScene]:
    for scene in progress(script, "scenes"):
        yield play(scene, matcher_for(scene.enrolled, memory, config), memory, config)


def matcher_for(enrolled: Mapping[str, Sequence[Path]], memory: Memory, config: Config) -> Matcher:
    """The matcher of a gallery with these photos. Raises ModelError without a calibration."""
    embedder = memory.analyser.embedder
    known = []
    for number, (name, photos) in enumerate(enrolled.items()):
        vectors = [vector for photo in photos if (vector := _template(photo, memory)) is not None]
        if vectors:
            known.append((Person(f"p{number}", name, [Template("", 1.0, "") for _ in vectors]), vectors))
    gallery = Gallery.of(1, "", embedder.id, embedder.dimensions, known)
    threshold = threshold_for(config.match, embedder.calibration, len(gallery.embeddings))
    if threshold is None:
        raise ModelError("the embedder's card has no calibration; run `whosthere-converter calibrate` first")
    return Matcher(gallery, threshold.similarity, config.match.min_margin, embedder.calibration)


def _template(photo: Path, memory: Memory) -> Vector | None:
    memory.key = ("template", str(photo))
    return memory.ask("embedding", None, lambda: _embedded(photo, memory))


def _embedded(photo: Path, memory: Memory) -> Vector | None:
    image = read_photo(photo)
    faces = memory.analyser.detector.detect(image)
    return memory.analyser.embed(memory.analyser.look(image, central(faces, image))).embedding if faces else None


def show(rows: list[VisitScore]) -> None:
    columns = ("scenes", "known", "named", "strangers", "unknown", "wrong", "labels", "visits", "fixed", "p50", "p95")
    table = Table("", *columns, box=None)
    for row in rows:
        table.add_row(
            row.kind,
            str(row.scenes),
            f"{row.usable}/{row.known}",
            str(row.named),
            str(row.strangers),
            str(row.rightly_unknown),
            str(row.wrong_names),
            f"{row.wrong_labels}/{row.labels}",
            f"{row.visits}/{row.people}",
            str(row.corrections),
            _seconds(row.seconds(50)),
            _seconds(row.seconds(95)),
        )
    console = Console()
    console.print(table)
    console.print(
        "known people with a usable face and in all, and how many were called by their name; strangers, and how many "
        "were called by no name; wrong names; labels of single faces that were somebody else's; visits started and "
        "people who came; unknown or uncertain that became a name; seconds of video from the first usable face to the "
        "name (median, 95th percentile)"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
