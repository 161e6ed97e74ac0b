"""`whosthere-converter play-visits`: scripted visits through the box's own loop, scored against the truth."""

from pathlib import Path
from typing import Any

import click

from converter import datasets
from converter.commands import options, play_options
from converter.commands.play_options import PlayChoice
from converter.people_folder import photos_by_person
from converter.visit_player.director import scenes
from converter.visit_player.painting import PaintedScene
from edge.terminal import NumberRange


@click.command("play-visits")
@options.images
@click.option("--not-compared", type=options.FILE, help="Pairs of names that are one person or share a picture.")
@click.option(
    "--share",
    type=NumberRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="The share of the 365 scenes to play. On a quiet PC all of them take a quarter of an hour the first time; 0.1 "
    "plays every tenth, and at least one of each kind.",
)
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True, help="Another seed draws other people and photos."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="Play only this kind of scene, by its name in the table, such as `dark`. Repeat it for several.",
)
@play_options.choices
def command(
    images: Path, not_compared: Path | None, share: float, seed: int, kinds: tuple[str, ...], **rest: Any
) -> None:
    """Play scripted visits with known people and strangers, and count right and wrong answers.

    The scenes are made from the photos in IMAGES, a folder per person: people come near, stay far away, wear
    sunglasses at first, come in the dark, take each other's place, cross, leave and come back; somebody holds up a
    picture. Every frame goes through the daemon's own loop, so that the result is what a box would have announced,
    and every event is checked against the published schema.

    Faces are photos; how they move, what covers them and what lights them is painted. So the figures say which rule is
    better, not how well a box will do at your door.

    \b
    Examples:
      whosthere-converter play-visits --images lfw-dev/images --share 0.1
      whosthere-converter play-visits --images lfw-dev/images --baseline frigate --without all -o visits
      whosthere-converter play-visits --images lfw-dev/images --kind dark --without quality
    """
    people = photos_by_person(images)
    barred = datasets.read_not_compared(not_compared, people) if not_compared else []
    takes = [PaintedScene(scene) for scene in scenes(people, barred, share, seed, kinds)]
    play_options.run(takes, f"{seed}", PlayChoice(**rest))
