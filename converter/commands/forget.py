"""`whosthere-converter forget`: somebody goes out of the gallery and off every box."""

import shlex
from pathlib import Path

import click

from converter.commands.push import as_table
from converter.people_folder import read_people
from converter.push import Pusher, PushOutcome, read_inventory, targets_for
from edge.errors import WhosthereError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, timestamp
from edge.galleries.lock import gallery_lock
from edge.terminal import json_option, print_json

EXIT_CODES = """\b
Exit codes:
  0  no box holds anything of them any more
  1  some box could not be reached, or still holds something; the report says what and where
  4  NAME.whg is not a gallery
"""


@click.command("forget", epilog=EXIT_CODES)
@click.argument("person")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="NAME.whg")
@click.argument("hosts", nargs=-1)
@click.option("--inventory", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="boxes.yaml.")
@click.option("--sign", "key", type=click.Path(path_type=Path), help="SSH key to sign the new gallery with.")
@click.option("--people", type=click.Path(exists=True, file_okay=False, path_type=Path), help="PEOPLE_DIR of `enroll`.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, 3600), default=90.0, show_default=True, help="Seconds."
)
@click.option("--retry", "retries", type=click.IntRange(0, 10), default=0, help="So often again where nobody answers.")
@click.option("--ssh", default="ssh", show_default=True, help="The client, with options.")
@json_option
def command(
    person: str,
    bundle: Path,
    hosts: tuple[str, ...],
    inventory: Path | None,
    key: Path | None,
    people: Path | None,
    timeout_s: float,
    retries: int,
    ssh: str,
    as_json: bool,
) -> None:
    """Take PERSON out of NAME.whg, push it, and let each box search its whole state for them.

    Run it again for boxes that were off: when NAME.whg no longer holds them, it is pushed as it is. PERSON is then
    their id. Photos on this desktop stay: with --people, the folder that holds them is named.
    """
    targets = targets_for(hosts, read_inventory(inventory) if inventory else None)
    with gallery_lock(bundle):
        gallery = open_gallery(bundle, None)
        known = gallery.person(person)
        if known is not None:
            gallery = gallery.without(known.id, timestamp())
            write_gallery(gallery, bundle, key)
    person_id = known.id if known else person
    pusher = Pusher(bundle.read_bytes(), shlex.split(ssh), forget=person_id, timeout_s=timeout_s, retries=retries)
    outcomes = pusher.push(targets)
    if as_json:
        print_json(outcomes)
    else:
        _show(outcomes, person_id, gallery, people)
    left = [outcome.box for outcome in outcomes if not _clean(outcome)]
    if left:
        raise WhosthereError(f"not known to have forgotten {person_id}: {', '.join(left)}")


def _clean(outcome: PushOutcome) -> bool:
    forgotten = outcome.answer.forgotten if outcome.answer else None
    return outcome.fine and forgotten is not None and not forgotten.still_held


def _show(outcomes: list[PushOutcome], person_id: str, gallery: Gallery, people: Path | None) -> None:
    click.echo(as_table(outcomes))
    for outcome in outcomes:
        forgotten = outcome.answer.forgotten if outcome.answer else None
        if forgotten is None:
            continue
        click.echo(f"\n{outcome.box}: {len(forgotten.removed)} earlier galleries with {person_id} removed")
        click.echo("  nothing of them is found any more" if not forgotten.still_held else "  still held:")
        for place in forgotten.still_held:
            click.echo(f"    {place}")
    click.echo(f"\nThe gallery is version {gallery.header.version}, {len(gallery.people)} people.")
    if people is not None:
        for folder in _folders(people, person_id):
            click.echo(f"{folder}: their photos; remove it, or the next `enroll` brings them back")


def _folders(people: Path, person_id: str) -> list[Path]:
    return [person.path for person in read_people(people, videos=False) if person.id == person_id]
