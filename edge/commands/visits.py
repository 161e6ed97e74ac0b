"""`whosthere visits`: the diary of this box."""

import time
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import LoadedConfig, load_config
from edge.diary.listing import VisitLine
from edge.diary.opening import current_gallery, names_of, open_diary
from edge.diary.week import MAX_VISITS, WEEK_S, week_of
from edge.errors import UsageError
from edge.galleries.gallery import Header
from edge.terminal import echo, json_option, print_json, table

EXIT_CODES = """\b
Exit codes:
  0  fine, also when there was no visit
  1  the diary is missing, damaged or not readable
  2  wrong usage
  3  config
"""


@click.command("visits", epilog=EXIT_CODES)
@click.option("--person", help="List only visits of this person, a name or an id.")
@click.option("--unknown", is_flag=True, help="List only visits that ended without a name.")
@click.option("--day", help="List only visits of this day: 2025-06-01, `today` or `yesterday`, in the box's time zone.")
@click.option(
    "-n", "--last", "limit", type=click.IntRange(1, 100_000), default=20, show_default=True,
    help="List at most this many visits, the newest.",
)  # fmt: skip
@click.option("--week", is_flag=True, help="Summarise the last 7 days in sentences, in place of a list.")
@json_option
@box_config("The daemon's config.yaml.")
def command(
    person: str | None, unknown: bool, day: str | None, limit: int, week: bool, as_json: bool, config_path: Path
) -> None:
    """List the last visits: when, for how long, who, and how sure the box was.

    The diary keeps them for `diary.keep_days`. `whosthere explain VISIT` says how one was decided.

    \b
      whosthere visits --day yesterday
      whosthere visits --person "Ada Lovelace" -n 5
    """
    if person and unknown:
        raise UsageError("--person and --unknown exclude each other")
    if week and (person or unknown or day):
        raise UsageError("--week is about all visits; found it with --person, --unknown or --day")
    loaded = load_config(config_path)
    if week:
        _show_week(loaded, as_json)
        return
    since, until = _span(day) if day else (None, None)
    gallery = current_gallery(loaded)
    wanted = "" if unknown else _id(person, gallery) if person else None
    with open_diary(loaded) as diary:
        found = diary.visits(limit, since=since, until=until, person=wanted)
    lines = [VisitLine.of(visit, names_of(gallery)) for visit in found]
    if as_json:
        print_json(lines)
    elif lines:
        echo(as_table(lines))
    else:
        echo("no visit")


def _show_week(loaded: LoadedConfig, as_json: bool) -> None:
    with open_diary(loaded) as diary:
        found = week_of(diary.visits(MAX_VISITS, since=time.time() - WEEK_S))
    if as_json:
        print_json(found)
    else:
        echo("\n".join(found.sentences()))


def as_table(lines: list[VisitLine]) -> str:
    """One line per visit, the newest last."""
    headings = ("visit", "began", "lasted", "who", "similarity", "needed", "faces", "")
    return table(headings, [_row(line) for line in lines], frozenset({2, 4, 5, 6}))


def _row(line: VisitLine) -> tuple[str, ...]:
    began = datetime.fromisoformat(line.started_at).astimezone()
    notes = [
        "rang" if line.rang else "",
        "corrected" if line.corrected else "",
        "ignored" if line.silenced else "",
        "" if line.clock_set else "the clock was not set",
        ", ".join(f"{count} {reason}" for reason, count in line.refused.items()),
    ]
    return (
        line.visit_id,
        f"{began:%Y-%m-%d %H:%M:%S}",
        f"{line.duration_s:.0f} s",
        line.who,
        f"{line.best.similarity:.2f}" if line.best else "",
        f"{line.threshold:.2f}" if line.threshold is not None else "",
        f"{line.usable_faces} of {line.faces}",
        "; ".join(note for note in notes if note),
    )


def _id(person: str, gallery: Header | None) -> str:
    """The id of a name or id. Visits outlive people: what the gallery does not know counts as an id."""
    known = gallery.person(person) if gallery else None
    return known.id if known else person


def _span(day: str) -> tuple[float, float]:
    """The beginning and the end of a day here, in seconds since the epoch. Raises UsageError."""
    today = datetime.now().astimezone().date()
    try:
        wanted = {"today": today, "yesterday": today - timedelta(days=1)}.get(day) or date.fromisoformat(day)
        begins, ends = (
            datetime(d.year, d.month, d.day).astimezone().timestamp() for d in (wanted, wanted + timedelta(days=1))
        )
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--day: found {day!r}; allowed: today, yesterday, or a date such as 2025-06-01") from error
    return begins, ends
