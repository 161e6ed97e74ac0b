"""`whosthere enroll`: photos of a person, or portraits taken by the camera, become templates in a gallery."""

from datetime import datetime
from pathlib import Path

import click

from edge.commands import enroll_report
from edge.commands.context import gallery_option
from edge.commands.enroll_camera import take_portraits
from edge.commands.enroll_photos import take_photos
from edge.commands.identify_copies import Copies
from edge.config.loading import load_config_or_defaults
from edge.faces.analyser import Analyser
from edge.faces.enrolment import Intake
from edge.galleries import names
from edge.people.enrolling import Taken, Terms, enroll_into
from edge.terminal import NumberRange, config_option, json_option

EXIT_CODES = """\b
Exit codes:
  0  every photo is in the gallery now
  1  some photos were refused or set aside, the others are in
  3  config
  4  no photo is in; or something is wrong with a model or the gallery
  5  the camera cannot be used
"""


def person_name(_: click.Context, __: click.Parameter, value: str) -> str:
    """A name as it is stored. Raises BadParameter for one that nobody can have."""
    if problem := names.problem(value):
        raise click.BadParameter(problem)
    return names.tidy(value)


@click.command(epilog=EXIT_CODES)
@gallery_option
@click.option(
    "--person", required=True, callback=person_name, help="The name of the person in the photos, as it will be shown."
)
@click.option(
    "--camera", is_flag=True, help="Take portraits now, with the camera that --config names, in place of PHOTOS."
)
@click.option(
    "--count",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="With --camera: how many portraits to take.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=NumberRange(5),
    default=60.0,
    show_default=True,
    help="With --camera: give up after this many seconds.",
)
@click.option(
    "--face",
    "picked",
    type=click.IntRange(1),
    metavar="N",
    help="With a single photo: take its N-th face from the left, whatever the other photos of the person show.",
)
@click.option(
    "--annotate",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a copy of every photo with several faces into this folder, with the number of each face drawn on it.",
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The last day on which the box recognises them, such as 2027-01-31. Without it, there is no end.",
)
@click.option(
    "--guest",
    is_flag=True,
    help="With --until: somebody new, of whom the box deletes everything after that day. A photo that looks like "
    "somebody who is known already is refused.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be enrolled, and write nothing.")
@json_option
@config_option
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
def command(
    gallery_path: Path | None,
    person: str,
    camera: bool,
    count: int,
    timeout_s: float,
    picked: int | None,
    folder: Path | None,
    until: datetime | None,
    guest: bool,
    dry_run: bool,
    as_json: bool,
    config_path: Path | None,
    photos: tuple[Path, ...],
) -> None:
    """Add a person to a gallery, or more photos of somebody who is in it.

    PHOTOS are files or folders. Three to ten photos that differ work best: from the front, in good light, with and
    without glasses, in daylight and lamplight. The photos are not kept.

    A photo with several faces is used when one of them is like the person's other photos or, if there are none, by far
    the largest and in the middle; the choice is shown. Otherwise its faces are listed: pick one with --face. A photo
    that is unlike the person's others is set aside. One without a usable face is refused. Each time the reason is shown
    and the others go in.

    \b
      whosthere enroll --person "Ada Lovelace" ada/*.jpg
      whosthere enroll --person "Ada Lovelace" --face 2 party.jpg
      sudo -u whosthere whosthere enroll --config /etc/whosthere/config.yaml --person Ada --camera
    """
    if camera == bool(photos):
        raise click.UsageError("found neither or both of PHOTOS and --camera; give one of them")
    if camera and (picked is not None or folder is not None):
        raise click.UsageError("--face and --annotate are for photos; found them with --camera")
    terms = Terms(until.date(), guest) if until else None
    if guest and terms is None:
        raise click.UsageError("--guest needs --until, the last day on which they are known")
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path

    def take(analyser: Analyser, intake: Intake, at: str) -> Taken:
        if camera:
            return take_portraits(loaded.config.camera, analyser, intake, count, timeout_s, at)
        copies = Copies(folder) if folder else None
        return take_photos(photos, picked, analyser, intake, at, copies), None

    report = enroll_into(path, person, take, loaded, dry_run=dry_run, terms=terms)
    enroll_report.show(report, as_json=as_json)
    enroll_report.conclude(report)
