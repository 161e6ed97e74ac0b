"""`whosthere gallery export`: everything that this box holds about one person."""

import os
from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.errors import WhosthereError
from edge.people.export import export_person
from edge.terminal import echo, json_option, plural, print_json


@click.command("export")
@click.argument("person")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The ZIP file to write; it must not be there yet.",
)
@json_option
@box_config("The daemon's config.yaml.")
def export(person: str, output: Path, as_json: bool, config_path: Path) -> None:
    """Write everything that this box holds about PERSON into a ZIP file that only you can read.

    PERSON is a name or an id. In it are their templates, those from visits too, their consent, the visits in which they
    occur, and the pictures of those that name them. What the desktop holds: `whosthere-converter export`.
    """
    content, made = export_person(load_config(config_path), person)
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
    except OSError as error:
        raise WhosthereError(f"{output}: cannot be written: {error.strerror}") from error
    if as_json:
        print_json(made)
        return
    counts = plural(made.templates, "template"), plural(made.visits, "visit"), plural(made.pictures, "picture")
    echo(f"{output}: {made.name}, {', '.join(counts)}")
