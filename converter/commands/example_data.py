"""`whosthere-converter example-data`: photos and a clip to try the other commands on."""

from pathlib import Path

import click

from converter.example_data import CLIP, LEARN, PEOPLE, RECOGNISE, write_example_data
from edge.terminal import echo


@click.command("example-data")
@click.argument("folder", default="example", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--photos",
    type=click.IntRange(2, 200),
    default=12,
    show_default=True,
    help="How many photos per person there are to learn from.",
)
@click.option(
    "--new",
    type=click.IntRange(1, 200),
    default=3,
    show_default=True,
    help="How many further photos per person are written, to be recognised.",
)
def command(folder: Path, photos: int, new: int) -> None:
    """Write photos of four people and a clip to FOLDER, to try the other commands on.  [default: example]

    The photos are variations of six portraits that come with whosthere. They show what a command does. No network
    becomes good by learning from them.

    \b
    Example:
      whosthere-converter example-data example
    """
    write_example_data(folder, photos, new)
    echo(f"{folder / LEARN}: {len(PEOPLE)} people, {photos} photos each, to learn from and to enrol")
    echo(f"{folder / RECOGNISE}: {new} photos of each of them, to be recognised")
    echo(f"{folder / CLIP.name}: people who come to a door, 42 seconds")
