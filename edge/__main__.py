"""The command line `whosthere`."""

import sys

import click

from edge import __version__
from edge.errors import WhosthereError
from edge.terminal import LazyGroup

COMMANDS = {
    "run": "The daemon: watch the camera, publish visits over MQTT.",
    "demo": "See it work: a bundled clip, an embedded broker, every event as it comes.",
    "setup": "Ask for name, camera and broker, try them, and write config.yaml.",
    "check": "Validate config, models, gallery, camera and broker, and say what to do.",
    "watch": "See live what boxes say: visits, health; as JSON for scripts.",
    "broker-acl": "Print what the broker has to allow each box, for mosquitto.",
    "enroll": "Add a person to a gallery, from photos or from the camera.",
    "identify": "Who is in these pictures? A table, CSV, annotated copies.",
    "gallery": "The people of a gallery; receive a pushed one, go back to an earlier one.",
    "doctor": "What is in force on this box: runtime, models, threshold, gallery.",
    "tune": "Measure this box, and write what suits it into config.yaml.",
    "bench": "How fast this box is, stage by stage, beside the bare networks.",
}

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  failed
  2  wrong usage
  3  config
  4  model or gallery
  5  camera
  6  broker
"""


class CommandGroup(LazyGroup):
    """The commands of a box; reports expected failures in one place."""

    package = "edge.commands"
    summaries = COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except WhosthereError as error:
            click.secho(f"whosthere: {error}", err=True, fg="red" if sys.stderr.isatty() else None)
            ctx.exit(error.exit_code)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from edge.models import card  # noqa: PLC0415  (numpy and friends are not needed to print a version)

    click.echo(f"whosthere {__version__}")
    for name in card.bundled():
        known = card.read_card(card.find(name))
        click.echo(f"  {known.task:<9} {name} {known.sha256[:12]}")
    ctx.exit()


@click.group(cls=CommandGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Version and models."
)
def main() -> None:
    """Face recognition for a doorbell or camera box.

    Enrol the people you know, run the daemon, and subscribe to its MQTT events: one decision a visit.
    """


if __name__ == "__main__":
    main()
