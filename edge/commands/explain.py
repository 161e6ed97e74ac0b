"""`whosthere explain`: why a visit was decided as it was."""

from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.diary.explanation import as_text, explain
from edge.diary.opening import calibration_of, current_gallery, names_of, open_diary
from edge.terminal import echo, json_option, print_json

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  the diary is missing, damaged or not readable
  2  no visit has that id, or several begin with it
  3  config
"""


@click.command("explain", epilog=EXIT_CODES)
@click.argument("visit")
@json_option
@box_config("The daemon's config.yaml.")
def command(visit: str, as_json: bool, config_path: Path) -> None:
    """Explain how VISIT was decided: its faces, its similarities, the threshold, and what would have changed it.

    VISIT is the visit_id of an event, the beginning of one that no other visit shares, or `last`.

    \b
      whosthere explain last
      whosthere explain 20250601T174818-9f31c2 --json
    """
    loaded = load_config(config_path)
    with open_diary(loaded) as diary:
        found = diary.find(visit)
    explanation = explain(found, names_of(current_gallery(loaded)), calibration_of(loaded, found.model))
    if as_json:
        print_json(explanation)
    else:
        echo(as_text(explanation))
