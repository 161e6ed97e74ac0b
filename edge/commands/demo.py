"""whosthere demo"""

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from edge.demo.box import DEVICE, FOLDER, SCRIPT, daemon, make_gallery, whosthere, write_config
from edge.demo.broker import embedded_broker
from edge.demo.expected import ClipScript, read_script
from edge.demo.subscriber import subscriber
from edge.errors import UsageError, WhosthereError
from edge.models import card

if TYPE_CHECKING:
    from edge.demo.view import DemoView

UNUSED_PORT = 1883
SLACK_S = 90.0
"""How much longer than the clip the daemon may take, loading and draining included."""


@click.command("demo")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Where gallery, config, logs, annotated video and summary go.",
)
@click.option("--plain", is_flag=True, help="A line an event instead of the live view.")
@click.option(
    "--fast",
    is_flag=True,
    help="Read every frame as fast as this machine can, instead of playing the clip at its own speed.",
)
@click.option("--embedder", metavar="CARD", help="Not the default one: a bundled name, or a card (.yaml).")
@click.pass_context
def command(ctx: click.Context, output: Path, plain: bool, fast: bool, embedder: str | None) -> None:
    """See the whole thing work, on bundled input.

    Enrols three people from one portrait each, starts an MQTT broker on a loopback port and the real daemon on a
    clip in which known people and a stranger come to the door, and shows every MQTT event as it arrives. Ends
    with 0 only if each visitor was named rightly and the stranger was unknown.
    """
    try:
        from edge.demo.view import DemoView  # noqa: PLC0415  (rich is in the demo extra)
    except ImportError as error:
        raise UsageError("the demo needs its extra: pip install 'whosthere[litert,demo]'") from error
    output.mkdir(parents=True, exist_ok=True)
    script = read_script(SCRIPT)
    chosen = str(card.find(embedder).resolve()) if embedder else None
    stage = DemoFolder(output.resolve(), FOLDER / script.clip, chosen, fast)
    click.echo("Enrolling three people, one photo each:")
    for line in make_gallery(stage.gallery, stage.config(UNUSED_PORT) if embedder else None):
        _echo_command(line)
    view = DemoView([visit.at_any_time() for visit in script.visits] if fast else script.visits)
    config = _play(view, stage, script, plain=plain)
    click.echo("Drawing the annotated video:")
    line = ["identify", "--gallery", str(stage.gallery), "--config", str(config)]
    line += ["--annotate", str(stage.folder), str(stage.clip)]
    _echo_command(line)
    whosthere(line)
    view.print_summary()
    view.write_summary(output / "summary.txt")
    click.echo(f"annotated video  {_annotated(output)}")
    click.echo(f"summary          {output / 'summary.txt'}")
    click.echo(f"daemon's log     {output / 'daemon.log'}")
    ctx.exit(0 if view.passed() else 1)


class DemoFolder(NamedTuple):
    """Where the demo plays."""

    folder: Path
    clip: Path
    embedder: str | None
    """A card's path; None: the default."""
    fast: bool
    """Whether every frame is read, as fast as possible; otherwise the clip plays at its own speed."""

    @property
    def gallery(self) -> Path:
        return self.folder / "gallery.whg"

    def config(self, port: int) -> Path:
        """Written anew: the broker's port is known late."""
        return write_config(self.folder, self.clip, self.gallery, port, self.embedder, self.fast)


def _play(view: "DemoView", stage: DemoFolder, script: ClipScript, *, plain: bool) -> Path:
    """Broker, daemon and view, until the clip is over; the config that the daemon ran with."""
    from edge.demo.view import shown  # noqa: PLC0415  (rich is in the demo extra)

    log = stage.folder / "daemon.log"
    with embedded_broker() as port, subscriber(port, DEVICE, view.message):
        config = stage.config(port)
        click.echo("Starting the daemon on the bundled clip, and a broker for it to talk to:")
        _echo_command(["run", "--config", str(config)])
        with daemon(config, log) as process, shown(view, plain=plain or not sys.stdout.isatty()):
            _wait(process, script.frames / script.fps + SLACK_S, log)
    return config


def _wait(process: "subprocess.Popen[bytes]", limit_s: float, log: Path) -> None:
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired as error:
        raise WhosthereError(f"the daemon is not at the clip's end after {limit_s:.0f} s; see {log}") from error
    if code != 0:
        raise WhosthereError(f"the daemon ended with {code}; see {log}:\n{log.read_text(errors='replace')[-2000:]}")


def _annotated(output: Path) -> Path:
    return max(output.glob("clip*.mp4"), key=lambda path: path.stat().st_mtime)


def _echo_command(words: list[str]) -> None:
    click.echo(f"  $ whosthere {shlex.join(_short(word) for word in words)}")


def _short(word: str) -> str:
    """A path as one would type it."""
    with contextlib.suppress(ValueError):
        return str(Path(word).relative_to(Path.cwd()))
    return word
