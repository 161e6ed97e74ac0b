"""`whosthere gallery`: the people of a gallery, and whether it is in order."""

from pathlib import Path

import click

from edge.commands import (
    gallery_changes,
    gallery_edit,
    gallery_export,
    gallery_history,
    gallery_receive,
    gallery_report,
)
from edge.commands.context import gallery_option
from edge.config.loading import load_config_or_defaults
from edge.errors import GalleryError
from edge.faces.loading import load_embedder
from edge.galleries.file import open_gallery
from edge.models.measure import measure_of
from edge.people.editing import person_of
from edge.terminal import config_option, echo, json_option, print_json
from edge.visits.thresholds import lookalike_threshold, threshold_in_force

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
    """List and change the people of a gallery, and undo changes; receive a pushed one; roll back to an earlier one."""


command.add_command(gallery_receive.command)
command.add_command(gallery_receive.send)
command.add_command(gallery_edit.remove)
command.add_command(gallery_edit.rename)
command.add_command(gallery_edit.merge)
command.add_command(gallery_edit.consent)
command.add_command(gallery_export.export)
command.add_command(gallery_changes.changes)
command.add_command(gallery_changes.undo)
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
    known = person_of(path, gallery, person)
    threshold = lookalike_threshold(loaded.config.match, embedder.card, len(gallery.embeddings))
    report = gallery_report.detail(gallery, known, threshold, measure_of(embedder.card))
    if as_json:
        print_json(report)
    else:
        echo(gallery_report.detail_text(report))


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
