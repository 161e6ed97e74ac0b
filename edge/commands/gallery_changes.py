"""`whosthere gallery changes` and `undo`: what the owner changed within the last week."""

from pathlib import Path

import click

from edge.commands.context import gallery_option
from edge.commands.enroll_report import RELOADED
from edge.config.loading import load_config_or_defaults
from edge.inspection.service import is_active
from edge.people.undoing import ChangeLine, list_changes, undo_change
from edge.terminal import config_option, echo, fail_with, json_option, print_json, table

EXIT_CODES = """\b
Exit codes:
  0  fine
  2  there is no such change, or something that came later depends on it
  3  config
  4  the gallery is missing or damaged, or this box may not write it
"""


@click.command(epilog=EXIT_CODES)
@gallery_option
@json_option
@config_option
def changes(gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """List the changes of the last week that `undo` can take back, the newest first."""
    loaded = load_config_or_defaults(config_path)
    lines, problems = list_changes(loaded, gallery_path or loaded.gallery_path)
    for problem in problems:
        fail_with(problem)
    if as_json:
        print_json(lines)
    elif lines:
        echo(table(("change", "at", "what", "who", "undo until"), [_row(line) for line in lines]))
    else:
        echo("nothing was changed on this box within the last 7 days")


@click.command(epilog=EXIT_CODES)
@click.argument("change", required=False)
@gallery_option
@json_option
@config_option
def undo(change: str | None, gallery_path: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Take back one CHANGE by its id, as `gallery changes` lists it; without one, the newest.

    Only that change is undone: people whom you pushed or enrolled since stay. After a week, and after `--forget`,
    nothing can be undone. What you said about visits is undone by `whosthere visit undo`.

    \b
      whosthere gallery undo 3f9a01
    """
    loaded = load_config_or_defaults(config_path)
    path = gallery_path or loaded.gallery_path
    undone, gallery = undo_change(loaded, change, path)
    if as_json:
        print_json({"undone": undone.id, "action": undone.action, "version": gallery.header.version})
        return
    people = ", ".join(undone.names)
    echo(f"change {undone.id} is undone ({undone.action}: {people}); {path} is now version {gallery.header.version}")
    if is_active():
        echo(RELOADED)


def _row(line: ChangeLine) -> tuple[str, ...]:
    return line.id, f"{line.at[:19]}Z", line.action, ", ".join(line.people), line.until
