"""`whosthere-converter forget`: remove somebody from the gallery and from every box."""

import shlex
from pathlib import Path

import click

from converter.commands import gallery_options, options
from converter.commands.push import as_table
from converter.people_archive import as_packed, is_unpacked
from converter.people_folder import read_people
from converter.push import Pusher, PushOutcome, read_inventory, targets_for
from edge.errors import WhosthereError
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, timestamp
from edge.galleries.lock import gallery_lock
from edge.galleries.store import remove_person
from edge.terminal import echo, json_option, plural, print_json, print_left_out

EXIT_CODES = """\b
Exit codes:
  0  no box holds anything about them any more
  1  some box could not be reached, or still holds something; the report says what and where
  4  NAME.whg is not a gallery
"""


@click.command("forget", epilog=EXIT_CODES)
@click.argument("person")
@click.argument("bundle", type=gallery_options.FILE, metavar="NAME.whg")
@click.argument("hosts", nargs=-1)
@gallery_options.inventory
@gallery_options.sign
@click.option(
    "--people",
    type=options.PEOPLE,
    help="The folder of photos given to `enroll`, or a .tar, .tar.gz or .zip of it: the command then names "
    "what to delete from it.",
)
@gallery_options.timeout(90.0)
@gallery_options.retry
@gallery_options.ssh
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
    """Remove PERSON from NAME.whg, push it, and have each box search everything it keeps for traces of them.

    Boxes that were off: run it again. NAME.whg no longer holds PERSON then, so give their id. Photos on this desktop
    are not deleted; with --people, the command says which folder they are in, there or in the archive.

    \b
    Example:
      whosthere-converter forget "Ada Lovelace" family.whg front-door --sign ~/.ssh/id_ed25519 --people people/
    """
    targets = targets_for(hosts, read_inventory(inventory) if inventory else None)
    with gallery_lock(bundle):
        gallery = before = open_gallery(bundle, None)
        known = gallery.person(person)
        if known is not None:
            gallery = gallery.without(known.id, timestamp())
            remove_person(known.id, gallery, bundle, key)
    person_id = known.id if known else person
    pusher = Pusher(bundle.read_bytes(), shlex.split(ssh), forget=person_id, timeout_s=timeout_s, retries=retries)
    outcomes = pusher.push(targets)
    if as_json:
        print_json(outcomes)
    else:
        _show(outcomes, person_id, gallery)
    if people:
        _name_photos(people, person_id, before)
    left = [outcome.box for outcome in outcomes if not _clean(outcome)]
    if left:
        raise WhosthereError(f"these boxes may still hold {person_id}: {', '.join(left)}")


def _clean(outcome: PushOutcome) -> bool:
    forgotten = outcome.answer.forgotten if outcome.answer else None
    return outcome.fine and forgotten is not None and not forgotten.still_held


def _show(outcomes: list[PushOutcome], person_id: str, gallery: Gallery) -> None:
    echo(as_table(outcomes))
    for outcome in outcomes:
        forgotten = outcome.answer.forgotten if outcome.answer else None
        if forgotten is None:
            continue
        echo(f"\n{outcome.box}: {plural(len(forgotten.removed), 'place')} that held {person_id} cleared")
        echo("  nothing about them is left" if not forgotten.still_held else "  still held:")
        for place in forgotten.still_held:
            echo(f"    {place}")
    echo(f"\nThe gallery is version {gallery.header.version}, {plural(len(gallery.people), 'person', 'people')}.")


def _name_photos(people: Path, person_id: str, gallery: Gallery) -> None:
    """Say on standard error what the user has to delete, so that the next gallery does not bring them back."""
    found = read_people(people, videos=False, earlier=gallery)
    print_left_out([f"not read: {mistake}" for mistake in found.mistakes])
    folders = [person.path for person in found.people if person.id == person_id]
    for folder in folders:
        packed = is_unpacked(folder)
        where, to_do = (as_packed(folder), "pack it again without them") if packed else (folder, "delete it")
        echo(f"{where}: their photos; {to_do}, or the next `enroll` brings them back", err=True)
    if not folders:
        echo(f"--people: no folder of {person_id} there", err=True)
