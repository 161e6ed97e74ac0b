"""`whosthere gallery`: the people of a gallery, and whether it is in order."""

from functools import partial
from pathlib import Path

import click

from edge.commands import gallery_history, gallery_receive, gallery_report
from edge.commands.context import gallery_option, signing_key
from edge.commands.enroll_report import RELOADED
from edge.commands.forgetting import forget_elsewhere, state_folders
from edge.config.loading import LoadedConfig, load_config_or_defaults
from edge.errors import GalleryError, WhosthereError
from edge.faces.loading import load_embedder
from edge.galleries.daemon_status import stamp_of, wait_for_status
from edge.galleries.file import open_gallery
from edge.galleries.forget import Forgotten, Traces, forget, galleries_with
from edge.galleries.gallery import Gallery, Person, timestamp
from edge.galleries.lock import gallery_lock
from edge.galleries.names import tidy
from edge.galleries.store import remove_person, replace_gallery
from edge.inspection.service import is_active
from edge.terminal import config_option, echo, json_option, plural, print_json, safe
from edge.visits.thresholds import lookalike_threshold, threshold_in_force

ACK_S = 15.0
"""How long to wait for the daemon to use a gallery before its traces are searched."""
EXIT_CODES = """\b
Exit codes:
  0  fine
  1  aborted, or --forget found something that is still held
  2  wrong usage
  3  config
  4  the gallery is missing, damaged or of another embedder; or nobody in it has that name
"""


@click.group()
def command() -> None:
    """List, show, rename, remove and verify the people of a gallery; receive a pushed one, or roll back to an older."""


command.add_command(gallery_receive.command)
command.add_command(gallery_receive.send)
command.add_command(gallery_history.log)
command.add_command(gallery_history.rollback)
command.add_command(gallery_history.diff)


@command.command("list", epilog=EXIT_CODES)
@gallery_option
@json_option
@config_option
def list_people(gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """List everybody in the gallery, with their templates and dates."""
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    gallery = open_gallery(path, None, loaded.gallery_keys)
    if as_json:
        print_json(gallery_report.listing(path, gallery))
    else:
        echo(gallery_report.listing_text(path, gallery))


@command.command(epilog=EXIT_CODES)
@click.argument("person")
@gallery_option
@json_option
@config_option
def show(person: str, gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Show one person's templates, and who looks most like them. PERSON is a name or an id."""
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    embedder = load_embedder(loaded.config.models, loaded.base)
    gallery = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    known = _person(path, gallery, person)
    threshold = lookalike_threshold(loaded.config.match, embedder.calibration, len(gallery.embeddings))
    report = gallery_report.detail(gallery, known, threshold)
    if as_json:
        print_json(report)
    else:
        echo(gallery_report.detail_text(report))


@command.command(epilog=EXIT_CODES)
@click.argument("person")
@click.option("--yes", is_flag=True, help="Remove without asking first.")
@click.option(
    "--forget",
    "forgets",
    is_flag=True,
    help="Remove them from everything that this box keeps, the diary of visits too, and search it for what is left.",
)
@gallery_option
@json_option
@config_option
def remove(
    person: str, yes: bool, forgets: bool, gallery_path: Path | None, as_json: bool, config_path: Path | None
) -> None:
    """Remove PERSON and all their templates from the gallery. This cannot be undone.

    PERSON is a name or an id. Kept earlier galleries with them are removed too. Visits in the diary keep their
    id unless --forget is given. On all boxes at once: `whosthere-converter forget`.

    \b
      whosthere gallery remove "Ada Lovelace" --forget --config /etc/whosthere/config.yaml
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    key = signing_key(loaded)
    with gallery_lock(path):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = _person(path, gallery, person)
        total = plural(len(known.templates), "template")
        if not yes:
            click.confirm(f"Remove {known.name} ({known.id}) and {total} from {safe(str(path))}?", abort=True, err=True)
        traces = Traces.of(known.id, galleries_with(known.id, path, loaded.gallery_keys))
        left = gallery.without(known.id, timestamp())
        remove_person(known.id, left, path, key, loaded.gallery_keys, loaded.config.gallery.keep_versions)
        gone = _forgotten(traces, path, loaded) if forgets else None
    if as_json:
        print_json(gone or gallery_report.listing(path, left))
    else:
        echo(f"{known.name} and {total} removed; {path} is now version {left.header.version}")
    if gone is not None:
        _show_forgotten(gone, as_json)
    if as_json:
        return
    if is_active():
        echo(RELOADED)


@command.command(epilog=EXIT_CODES)
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
    key = signing_key(loaded)
    with gallery_lock(path):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = _person(path, gallery, person)
        renamed = gallery.renamed(known, name, timestamp())
        keep = loaded.config.gallery.keep_versions
        replace_gallery(renamed, path, key, keys=loaded.gallery_keys, keep=keep)
    if as_json:
        print_json(gallery_report.listing(path, renamed))
        return
    echo(f"{known.name} ({known.id}) is now {tidy(name)}; {path} is now version {renamed.header.version}")
    if is_active():
        echo(RELOADED)


@command.command(epilog=EXIT_CODES)
@gallery_option
@json_option
@config_option
def verify(gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Check that the gallery is whole, fits the embedder in use, and keeps its people apart.

    The exit code is 4 when the daemon would refuse it. People who look alike are listed, with the margin that would
    tell them apart and the photos that would help, and so are templates that look odd; neither changes the exit code.
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    embedder = load_embedder(loaded.config.models, loaded.base)
    try:
        gallery = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    except GalleryError as error:
        if as_json:
            print_json(gallery_report.refused(path, str(error)))
        raise
    threshold = threshold_in_force(loaded, embedder.card, gallery)
    report = gallery_report.verified(path, gallery, threshold, loaded.config.match, embedder.card)
    if as_json:
        print_json(report)
    else:
        gallery_report.show_verified(report)


def _forgotten(traces: Traces, path: Path, loaded: LoadedConfig) -> Forgotten:
    """Forget somebody who has been removed from the gallery, once the daemon uses the new one."""
    wait_for_status(path, stamp_of(path), ACK_S)
    folders = [path.parent, *state_folders(loaded)]
    return forget(traces, path, loaded.gallery_keys, folders, partial(forget_elsewhere, loaded))


def _show_forgotten(gone: Forgotten, as_json: bool) -> None:
    """Raises WhosthereError when something about them is left."""
    if not as_json:
        for place in gone.removed:
            echo(f"removed: {place}")
    if gone.still_held:
        raise WhosthereError("something about them is still held:\n" + "\n".join(f"  {p}" for p in gone.still_held))
    if not as_json:
        echo("nothing about them is left on this box")


def _person(path: Path, gallery: Gallery, name: str) -> Person:
    person = gallery.person(name)
    if person is None:
        known = ", ".join(p.name for p in gallery.people) or "nobody"
        raise GalleryError(f"{path}: found nobody called {name!r}; in it: {known}")
    return person
