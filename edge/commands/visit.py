"""`whosthere visit`: what the owner says about visits."""

from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.feedback import naming, newcomers, rejecting, undoing
from edge.feedback.corrections_said import CorrectionLine
from edge.feedback.said import Feedback, price_text
from edge.terminal import echo, json_option, print_json, table

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  the diary is missing, damaged or not readable
  2  no such visit or person, or the correction makes no sense
  3  config, or the box keeps no embeddings
  4  the gallery or its corrections cannot be read
"""
config_option = box_config("The daemon's config.yaml.")


@click.group()
def command() -> None:
    """Say who a visit was or was not, or ignore that stranger; list and undo such corrections."""


@command.command()
@click.argument("visit")
@config_option
def confirm(visit: str, config_path: Path) -> None:
    """Say that the name of VISIT was right. If its faces add something, they become one more template.

    VISIT is a visit_id, the beginning of one, or `last`. What a template needs is the same as for `visit name`.
    """
    _show_template(naming.confirm(load_config(config_path), visit))


@command.command()
@click.argument("visit")
@click.argument("person")
@click.option("--new", is_flag=True, help="PERSON is somebody new: the visit's faces become their first template.")
@config_option
def name(visit: str, person: str, new: bool, config_path: Path) -> None:
    """Say that VISIT was PERSON, who is in the gallery. Its faces become one more template of theirs.

    \b
    They must be
      - as good as an enrolment photo must be
      - something new: no near-copy of a template that is there
      - like a photo of PERSON that was enrolled, and clearly more so than like anybody else
    There are at most five such templates per person.

    With --new, PERSON is enrolled with this visit alone. It must be as good as an enrolment photo, and unlike everybody
    in the gallery. Photos recognise somebody better: add some with `whosthere enroll`.
    """
    loaded = load_config(config_path)
    if new:
        _show_newcomer(newcomers.enroll_visitor(loaded, visit, person))
    else:
        _show_template(naming.name(loaded, visit, person))


@command.command(epilog=EXIT_CODES)
@click.argument("visit")
@click.argument("person")
@config_option
def reject(visit: str, person: str, config_path: Path) -> None:
    """Say that VISIT was not PERSON. Visitors nearer to it than to PERSON's photos lose that name from then on.

    VISIT is a visit_id, the beginning of one, or `last`; PERSON is a name or an id. "Nearer" means by at least
    `match.min_margin`. A correction only ever takes PERSON's name away: nobody gets another name because of it. It
    needs the visit's embedding, so `diary.embeddings_days` must have been above 0. A push from the desktop leaves it
    in place.

    \b
      whosthere visit reject last "Ada Lovelace"
    """
    said = rejecting.reject(load_config(config_path), visit, person)
    echo(
        f"{said.visit_id} was not {said.person_name}: correction {said.correction}, {said.count} of {said.limit} "
        "for them"
    )
    echo(f"Price: {_spoken(said.price.miss_rate, said.price.spare)}")
    echo(f"A running daemon applies it within a second. `whosthere visit undo {said.correction}` takes it back.")


@command.command(epilog=EXIT_CODES)
@click.argument("visit")
@config_option
def ignore(visit: str, config_path: Path) -> None:
    """Never tell about the stranger of VISIT again: later visits of theirs are only `started` and `ended`.

    VISIT is a visit_id, the beginning of one, or `last`. It must have ended `unknown`. People in the gallery are never
    ignored. The diary still has the visits. It needs the visit's embedding: `diary.embeddings_days` must be above 0.
    """
    said = rejecting.ignore(load_config(config_path), visit)
    echo(
        f"{said.visit_id}: the stranger is ignored from now on (correction {said.correction}, {said.count} of "
        f"{said.limit})"
    )
    if said.price.ignored_rate is not None:
        one_in = 1 / said.price.ignored_rate
        echo(f"Price: one other stranger in {one_in:,.0f} is as similar to one of them, and ignored too")
    echo(f"A running daemon applies it within a second. `whosthere visit undo {said.correction}` takes it back.")


@command.command(epilog=EXIT_CODES)
@click.argument("correction", required=False)
@config_option
def undo(correction: str | None, config_path: Path) -> None:
    """Take back a CORRECTION by its id, as `visit corrections` lists it; without one, the newest."""
    undone = undoing.undo(load_config(config_path), correction)
    if undone.kind == "template":
        echo(f"the template from visit {undone.visit_id} is removed")
        return
    what = f"may be {undone.person_id} again" if undone.kind == "rejected" else "is not ignored any more"
    echo(f"correction {undone.id} is undone: {undone.visit_id} {what}")


@command.command("corrections", epilog=EXIT_CODES)
@json_option
@config_option
def list_corrections(as_json: bool, config_path: Path) -> None:
    """List all corrections with their price: how many of the person's own visits may lose their name."""
    lines = undoing.list_corrections(load_config(config_path))
    if as_json:
        print_json(lines)
    elif lines:
        rows = [(one.id, one.visit_id, one.meaning, one.added_at, _cost(one)) for one in lines]
        echo(table(("id", "visit", "", "since", "price"), rows))
    else:
        echo("no correction")


def _show_template(said: Feedback) -> None:
    text = f"nothing is added: {said.nothing_added}"
    if said.nothing_added is None:
        text = (
            f"its faces are a template now ({said.count} of {said.limit}), which a running daemon uses within a second."
            f" `whosthere visit undo {said.correction}` takes it back"
        )
    echo(f"{said.visit_id} was {said.person_name}; {text}")


def _show_newcomer(said: Feedback) -> None:
    echo(f"{said.visit_id} was {said.person_name}, who is enrolled with it; a running daemon uses that within a second")
    if price := price_text(said.price, said.person_name):
        echo(f"Price: {price}")
    echo(f"`whosthere gallery undo {said.correction}` takes it back.")


def _cost(line: CorrectionLine) -> str:
    return "" if line.kind != "rejected" else _spoken(line.miss_rate, line.spare)


def _spoken(miss_rate: float | None, spare: float | None) -> str:
    rate = (
        "not known, as the embedder is not calibrated"
        if miss_rate is None
        else f"of their own visits, at most one in {1 / miss_rate:,.0f} is missed for it"
    )
    own = "" if spare is None else f"; their own photos are {spare:.2f} from being denied"
    return rate + own
