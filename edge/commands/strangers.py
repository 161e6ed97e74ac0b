"""`whosthere strangers`: unknown visitors who came again, to be named or forgotten."""

import contextlib
from pathlib import Path

import click

from edge.capture.photos import decode
from edge.commands import enroll_report
from edge.commands.context import box_config, gallery_option
from edge.commands.enroll import EXIT_CODES as ENROLL_EXIT_CODES
from edge.commands.enroll import person_name
from edge.commands.picture import in_blocks
from edge.config.loading import load_config
from edge.feedback.kept_strangers import (
    all_strangers,
    one_stranger,
    opened_strangers,
    stranger_line,
    times_in_words,
)
from edge.feedback.stranger_pictures import name_stranger
from edge.galleries.atomic_file import write_whole
from edge.terminal import echo, json_option, plural, print_json, table
from edge.visits.strangers_file import number_of

PICTURE_COLUMNS = 40
EXIT_CODES = """\b
Exit codes:
  0  fine
  1  there is no such stranger, or the file of strangers cannot be used
  2  wrong usage
  3  config, or strangers are not grouped on this box
"""


@click.group()
def command() -> None:
    """List unknown visitors who came again, name them with all their pictures, or forget them.

    The box does this only with `strangers.group: true` in its config.yaml.
    """


config_option = box_config("The daemon's config.yaml.")


@command.command("list", epilog=EXIT_CODES)
@json_option
@config_option
def list_strangers(as_json: bool, config_path: Path) -> None:
    """List the strangers that this box keeps, with how often and when they came."""
    with opened_strangers(load_config(config_path)) as file:
        lines = [stranger_line(number, visits) for number, visits in all_strangers(file).items()]
    if as_json:
        print_json(lines)
    elif lines:
        rows = [
            (one.id, times_in_words(one.times), one.first_seen[:16], one.last_seen[:16], str(one.pictures))
            for one in lines
        ]
        echo(table(("stranger", "came", "first seen", "last seen", "pictures"), rows, frozenset({4})).replace("T", " "))
    else:
        echo("no strangers are kept now")


@command.command(epilog=EXIT_CODES)
@click.argument("stranger")
@click.option(
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the pictures into this folder as JPEG files. Without it, the best one is drawn in the terminal.",
)
@config_option
def show(stranger: str, folder: Path | None, config_path: Path) -> None:
    """Show the pictures of STRANGER, such as stranger-3."""
    number = number_of(stranger)
    with opened_strangers(load_config(config_path)) as file:
        visits = one_stranger(number, file)
    line = stranger_line(number, visits)
    echo(f"{line.id} came {times_in_words(line.times)}, last seen {line.last_seen[:16].replace('T', ' ')}")
    if folder is None:
        best = max((picture for visit in visits for picture in visit.unpacked), key=lambda p: p.quality, default=None)
        image = decode(best.jpeg) if best else None
        click.echo(in_blocks(image, PICTURE_COLUMNS) if image is not None else "no picture is kept")
        return
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    for visit in visits:
        for place, picture in enumerate(visit.unpacked, 1):
            write_whole(picture.jpeg, folder / f"{line.id}-{visit.visit}-{place}.jpg")
    echo(f"{plural(line.pictures, 'picture')} in {folder}")


@command.command(epilog=ENROLL_EXIT_CODES)
@click.argument("stranger")
@click.option("--person", required=True, callback=person_name, help="The name of this stranger, as it will be shown.")
@gallery_option
@click.option("--dry-run", is_flag=True, help="Show what would be enrolled, and write nothing.")
@json_option
@config_option
def name(
    stranger: str, person: str, gallery_path: Path | None, dry_run: bool, as_json: bool, config_path: Path
) -> None:
    """Enrol STRANGER, such as stranger-3, with all their good pictures, and forget them as a stranger.

    Every picture is examined as `whosthere enroll` examines a photo. Those that are unlike the others, or nearly the
    same as one of them, are left out. The name may be that of somebody in the gallery.

    \b
      sudo -u whosthere whosthere strangers name stranger-3 --person Eve
    """
    number, loaded = number_of(stranger), load_config(config_path)
    report = name_stranger(loaded, number, person, gallery_path or loaded.gallery_path, dry_run=dry_run)
    enroll_report.show(report, as_json=as_json)
    enroll_report.conclude(report)


@command.command(epilog=EXIT_CODES)
@click.argument("strangers", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="Forget every stranger that this box keeps.")
@config_option
def discard(strangers: tuple[str, ...], everybody: bool, config_path: Path) -> None:
    """Forget STRANGERS, such as stranger-3, with all their pictures. This cannot be undone.

    If they come again, they get a new number.
    """
    if everybody == bool(strangers):
        raise click.UsageError("found neither or both of STRANGERS and --all; give one of them")
    numbers = [number_of(stranger) for stranger in strangers]
    with opened_strangers(load_config(config_path)) as file:
        known = all_strangers(file)
        for number in numbers:
            one_stranger(number, file)
        file.forget(numbers or list(known))
    echo(f"{plural(len(numbers or known), 'stranger')} forgotten")
