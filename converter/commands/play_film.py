"""`whosthere-converter play-film`: a recording through the box's own loop, scored against a truth written by hand."""

from pathlib import Path
from typing import Any

import click

from converter.commands import options, play_options
from converter.commands.play_options import PlayChoice
from converter.visit_player.film import FilmTake, read_places


@click.command("play-film")
@click.argument("clip", type=options.FILE)
@click.option(
    "--truth", required=True, type=options.FILE,
    help="Who is where in which frames: CSV with the columns first,last,left,top,right,bottom,person. The first two "
    "count frames from 0, the next four are fractions of the picture. Where places overlap, the first line counts.",
)  # fmt: skip
@click.option(
    "--person", "people", nargs=2, multiple=True, type=(str, options.FILE), metavar="NAME PHOTO", required=True,
    help="Somebody to enrol, and a photo of them. Repeat it for several photos and people; everybody else in the truth "
    "is a stranger.",
)  # fmt: skip
@play_options.choices
def command(clip: Path, truth: Path, people: tuple[tuple[str, Path], ...], **rest: Any) -> None:
    """Play a recording, such as a film with hard cuts, and count right and wrong names against a truth.

    Every frame of CLIP goes through the daemon's own loop, as fast as it goes.

    \b
    Example:
      whosthere-converter play-film film.mp4 --truth film.csv --person ada ada.jpg
    """
    enrolled: dict[str, list[Path]] = {}
    for name, photo in people:
        enrolled.setdefault(name, []).append(photo)
    play_options.run([FilmTake(clip, read_places(truth), enrolled)], clip.stem, PlayChoice(**rest))
