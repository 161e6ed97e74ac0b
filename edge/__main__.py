"""The command line `whosthere`."""

from edge import quiet_start  # isort: split

import os

import click

from edge import __version__
from edge.errors import WhosthereError
from edge.terminal import LazyGroup, fail_with

# Read when numpy is loaded. More threads of OpenBLAS would spin for milliseconds after each product.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

COMMANDS = {
    "run": "Run the daemon: watch the camera and publish visits over MQTT.",
    "demo": "Show it at work: a bundled clip, an embedded broker, every event as it arrives.",
    "setup": "Ask for name, camera and broker, try them, and write config.yaml.",
    "check": "Check config, models, gallery, camera, broker and notices, and say what to do.",
    "watch": "Follow boxes live: their visits and health; as JSON for scripts.",
    "visits": "List the last visits: who came when, and how sure the box was.",
    "explain": "Explain how a visit was decided, and what would have changed it.",
    "visit": "Say who a visit was or was not; list and undo such corrections.",
    "notify": "Send a test message to your phone or program, and explain what fails.",
    "web": "Serve the box's web page, or set its password.",
    "broker-acl": "Print an access control list for mosquitto that keeps boxes apart.",
    "enroll": "Add a person to a gallery, from photos or from the camera.",
    "identify": "Say who is in pictures and videos: a table, CSV, annotated copies.",
    "verify": "Check that somebody is who they say they are: yes or no.",
    "gallery": "List and change the people of a gallery; receive a pushed one, roll back.",
    "strangers": "List unknown visitors who came again; name them with all their pictures, or forget them.",
    "backup": "Write all that this box has learned into one file.",
    "restore": "Replace what this box knows with a backup.",
    "doctor": "Report everything in force on this box: runtime, models, threshold, gallery.",
    "tune": "Measure this box and write the fastest settings into config.yaml.",
    "bench": "Measure how fast this box is: every stage, beside its bare network.",
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
    """The commands of a box. Expected failures are reported here, and nowhere else."""

    package = "edge.commands"
    summaries = COMMANDS

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except WhosthereError as error:
            fail_with(f"whosthere: {error}")
            ctx.exit(error.exit_code)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from edge.models import card  # noqa: PLC0415  (printing the version must not need numpy)

    click.echo(f"whosthere {__version__}")
    for name in card.bundled():
        known = card.read_card(card.find(name))
        click.echo(f"  {known.task:<9} {name} {known.sha256[:12]}")
    ctx.exit()


@click.group(cls=CommandGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the bundled models, then exit.",
)
def main() -> None:
    """Face recognition for a doorbell or camera box.

    Enrol the people you know, run the daemon, and subscribe to its MQTT events: one decision per visit.
    """


quiet_start.over()

if __name__ == "__main__":
    main()
