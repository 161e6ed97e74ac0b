"""`whosthere gallery remove`, `rename`, `merge` and `consent`: changes of the people in a gallery."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from edge.commands import gallery_report
from edge.commands.context import gallery_option
from edge.commands.enroll_report import RELOADED
from edge.config.loading import LoadedConfig, load_config_or_defaults
from edge.errors import UsageError, WhosthereError
from edge.galleries.file import open_gallery
from edge.galleries.forget import Forgotten, Traces, galleries_with
from edge.galleries.gallery import Consent, Gallery
from edge.galleries.lock import gallery_lock
from edge.galleries.names import tidy
from edge.inspection.service import is_active
from edge.people import editing
from edge.people.forgetting import forget_removed
from edge.people.merging import merge_people
from edge.terminal import config_option, echo, json_option, plural, print_json, safe

UNDO = "`whosthere gallery undo` takes it back, within a week."
EXIT_CODES = """\b
Exit codes:
  0  fine
  1  aborted, or --forget found something that is still held
  2  wrong usage
  3  config
  4  the gallery is missing, damaged or of another embedder; or nobody in it has that name
"""


@click.command(epilog=EXIT_CODES)
@click.argument("person")
@click.option("--yes", is_flag=True, help="Remove without asking first.")
@click.option(
    "--forget",
    "forgets",
    is_flag=True,
    help="Remove them from everything that this box keeps, the diary of visits too, and search it for what is left.",
)
@click.option("--photo", help="Remove only this template, by its name in `gallery show` or its number there, from 1.")
@gallery_option
@json_option
@config_option
def remove(
    person: str,
    yes: bool,
    forgets: bool,
    photo: str | None,
    gallery_path: Path | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Remove PERSON and all their templates from the gallery, or one template.

    PERSON is a name or an id. With --photo, the person stays, with their other templates. For a week,
    `whosthere gallery undo` brings back what was removed. Kept earlier galleries with a removed person go too, and
    visits in the diary keep their id. With --forget, nothing of them is kept anywhere, and nothing can be undone. On
    all boxes at once: `whosthere-converter forget`.

    \b
      whosthere gallery remove "Ada Lovelace" --forget --config /etc/whosthere/config.yaml
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    if photo is not None:
        if forgets:
            raise UsageError("found --photo with --forget; allowed: one of them")
        _remove_photo(loaded, path, person, photo, as_json=as_json)
        return
    editing.signing_key(loaded)
    with gallery_lock(path):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = editing.person_of(path, gallery, person)
        total = plural(len(known.templates), "template")
        if not yes:
            click.confirm(f"Remove {known.name} ({known.id}) and {total} from {safe(str(path))}?", abort=True, err=True)
        traces = Traces.of(known.id, galleries_with(known.id, path, loaded.gallery_keys))
        left = editing.remove(loaded, path, gallery, known, final=forgets)
        gone = forget_removed(traces, path, loaded) if forgets else None
    if as_json:
        print_json(gone or gallery_report.listing(path, left))
    else:
        echo(f"{known.name} and {total} removed; {path} is now version {left.header.version}")
        if not forgets:
            echo(UNDO)
    if gone is not None:
        _show_forgotten(gone, as_json)
    if not as_json and is_active():
        echo(RELOADED)


def _remove_photo(loaded: LoadedConfig, path: Path, person: str, photo: str, *, as_json: bool) -> None:
    known, left = editing.remove_photo(loaded, person, photo, path)
    if as_json:
        print_json(gallery_report.listing(path, left))
        return
    echo(f"{photo} of {known.name} removed; {path} is now version {left.header.version}")
    echo(UNDO)
    if is_active():
        echo(RELOADED)


@click.command(epilog=EXIT_CODES)
@click.argument("person")
@click.argument("name")
@gallery_option
@json_option
@config_option
def rename(person: str, name: str, gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Give PERSON another NAME. Their id, templates and consent stay, and so does their history in Home Assistant.

    PERSON is a name or an id. A running daemon shows the new name within a second, also in visits that have not ended.

    \b
      whosthere gallery rename "Ada Byron" "Ada Lovelace"
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    known, renamed = editing.rename(loaded, person, name, path)
    _show(path, renamed, f"{known.name} ({known.id}) is now {tidy(name)}", as_json)


@click.command(epilog=EXIT_CODES)
@click.argument("person")
@click.argument("other")
@gallery_option
@json_option
@config_option
def merge(person: str, other: str, gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Make one person of two entries: PERSON gets the templates, corrections and visits of OTHER.

    Both are names or ids. PERSON's name and id stay. Consent and end date of OTHER are taken over only if PERSON has
    none. A rejected visit is dropped if it may have been the other entry.

    \b
      whosthere gallery merge "Ada Lovelace" "Ada at work"
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    one, two, merged = merge_people(loaded, path, person, other)
    count = len(next(known.templates for known in merged.people if known.id == one.id))
    text = f"{two.name} ({two.id}) is now {one.name} ({one.id}), with {plural(count, 'template')}"
    _show(path, merged, text, as_json)


def _day(_: click.Context, parameter: click.Parameter, value: str | None) -> date | None:
    """A date; None: not given. Raises BadParameter."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"found {value!r}; allowed: a date such as 2027-01-31", param=parameter) from error


@click.command(epilog=EXIT_CODES)
@click.argument("person")
@click.option(
    "--until",
    metavar="DATE",
    callback=_day,
    help="The last day on which the box recognises them, such as 2027-01-31.  [default: no end]",
)
@click.option("--given-by", help="Who agreed: the person, or somebody who may speak for them.  [default: the person]")
@click.option("--given-on", metavar="DATE", callback=_day, help="The day on which they agreed.  [default: today]")
@click.option("--purpose", default="the front door", show_default=True, help="What the recognition is for.")
@click.option("--none", "cleared", is_flag=True, help="Withdraw the consent, and remove the end date.")
@gallery_option
@json_option
@config_option
def consent(
    person: str,
    until: date | None,
    given_by: str | None,
    given_on: date | None,
    purpose: str,
    cleared: bool,
    gallery_path: Path | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Record that PERSON agreed to be recognised, and until when.

    At the end of that day (UTC) the daemon stops recognising them. To delete everything about them, use `whosthere
    gallery remove --forget`.

    \b
      whosthere gallery consent "Ada Lovelace" --until 2027-01-31
    """
    if until is not None and cleared:
        raise click.UsageError("found both of --until and --none; give one of them")
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    day = given_on or datetime.now(UTC).date()
    agreed = None if cleared else editing.made_consent(given_by or person, day, purpose, until)
    known, changed = editing.set_consent(loaded, person, agreed, path)
    text = f"{known.name}: no consent is recorded" if agreed is None else f"{known.name}: {_in_words(agreed)}"
    _show(path, changed, text, as_json)


def _in_words(agreed: Consent) -> str:
    until = f"until {agreed.until}" if agreed.until else "without an end"
    return f"{agreed.given_by} agreed on {agreed.given_on}, {until}, for: {agreed.purpose}"


def _show(path: Path, gallery: Gallery, text: str, as_json: bool) -> None:
    if as_json:
        print_json(gallery_report.listing(path, gallery))
        return
    echo(f"{text}; {path} is now version {gallery.header.version}")
    if is_active():
        echo(RELOADED)


def _show_forgotten(gone: Forgotten, as_json: bool) -> None:
    """Raises WhosthereError when something about them is left."""
    if not as_json:
        for place in gone.removed:
            echo(f"removed: {place}")
    if gone.still_held:
        raise WhosthereError("something about them is still held:\n" + "\n".join(f"  {p}" for p in gone.still_held))
    if not as_json:
        echo("nothing about them is left on this box")
