"""whosthere demo"""

import contextlib
import fcntl
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from edge.commands.demo_web import serve
from edge.demo.box import DEVICE, FOLDER, SCRIPT, daemon, make_gallery, whosthere, write_config
from edge.demo.broker import embedded_broker
from edge.demo.expected import ClipScript, read_script
from edge.demo.subscriber import subscriber
from edge.errors import UsageError, WhosthereError
from edge.models import card
from edge.terminal import echo

if TYPE_CHECKING:
    from edge.demo.view import DemoView

UNUSED_PORT = 1883
SLACK_S = 90.0
"""How much longer than the clip the daemon may take, with loading and draining."""


@click.command("demo")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="The folder for gallery, config, logs, annotated video and summary.",
)
@click.option("--plain", is_flag=True, help="Print one line per event in place of the live view.")
@click.option(
    "--embedder",
    metavar="CARD",
    help="Use another embedder than the default: the name of a bundled one, or the path of a card (.yaml).",
)
@click.option(
    "--fast",
    is_flag=True,
    help="Read every frame as fast as this machine can, instead of playing the clip at its own speed.",
)
@click.option(
    "--web",
    is_flag=True,
    help="Serve the box's web page on a loopback port while the clip plays over and over, until Ctrl-C.",
)
@click.pass_context
def command(ctx: click.Context, output: Path, plain: bool, fast: bool, embedder: str | None, web: bool) -> None:
    """Show whosthere at work, on a bundled clip; no camera and no broker are needed.

    Enrols three people from one portrait each, then starts an MQTT broker on a loopback port and the real daemon. In
    the clip, known people and a stranger come to the door. Every MQTT event is shown as it arrives. The exit code is 0
    only if every visitor was named correctly and the stranger was unknown.
    """
    try:
        from edge.demo.view import DemoView  # noqa: PLC0415  (rich is in the demo extra)
    except ImportError as error:
        raise UsageError("the demo needs its extra: pip install 'whosthere[litert,demo]'") from error
    # `kill` ends the daemon and the page as well, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    output.mkdir(parents=True, exist_ok=True)
    ctx.with_resource(_alone_in(output))
    script = read_script(SCRIPT)
    chosen = str(card.find(embedder).resolve()) if embedder else None
    if web:
        serve(output.resolve(), chosen)
        return
    demo = DemoFolder(output.resolve(), FOLDER / script.clip, chosen, fast)
    click.echo("Enrolling three people, one photo each:")
    for line in make_gallery(demo.gallery, demo.config(UNUSED_PORT) if embedder else None):
        _echo_command(line)
    view = DemoView([visit.at_any_time() for visit in script.visits] if fast else script.visits)
    config = _play(view, demo, script, plain=plain)
    click.echo("Drawing the annotated video:")
    line = ["identify", "--gallery", str(demo.gallery), "--config", str(config)]
    line += ["--annotate", str(demo.folder), str(demo.clip)]
    _echo_command(line)
    whosthere(line)
    view.print_summary()
    view.write_summary(output / "summary.txt")
    echo(f"annotated video  {_annotated(output)}")
    echo(f"summary          {output / 'summary.txt'}")
    echo(f"daemon's log     {output / 'daemon.log'}")
    ctx.exit(0 if view.passed() else 1)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Raises UsageError while another demo works there: each would remove the other's gallery and socket."""
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"--output: another demo is running in {folder}; end it with Ctrl-C, or give this one another folder"
            ) from error
        yield


class DemoFolder(NamedTuple):
    """What the demo works with."""

    folder: Path
    clip: Path
    embedder: str | None
    """The path of its card; None: the default one."""
    fast: bool
    """Whether every frame is read, as fast as possible; otherwise the clip plays at its own speed."""

    @property
    def gallery(self) -> Path:
        return self.folder / "gallery.whg"

    def config(self, port: int) -> Path:
        """Write the config. It is written twice, because the broker's port is known late."""
        return write_config(self.folder, self.clip, self.gallery, port, self.embedder, self.fast)


def _play(view: "DemoView", demo: DemoFolder, script: ClipScript, *, plain: bool) -> Path:
    """Run broker, daemon and view until the clip is over. Returns the daemon's config."""
    from edge.demo.view import shown  # noqa: PLC0415  (rich is in the demo extra)

    log = demo.folder / "daemon.log"
    with embedded_broker() as port, subscriber(port, DEVICE, view.message):
        config = demo.config(port)
        click.echo("Starting the daemon on the bundled clip, and a broker for it to talk to:")
        _echo_command(["run", "--config", str(config)])
        with daemon(config, log) as process, shown(view, plain=plain or not sys.stdout.isatty()):
            _wait(process, script.frames / script.fps + SLACK_S, log)
    return config


def _wait(process: "subprocess.Popen[bytes]", limit_s: float, log: Path) -> None:
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired as error:
        raise WhosthereError(f"the daemon has not finished the clip after {limit_s:.0f} s; see {log}") from error
    if code != 0:
        raise WhosthereError(
            f"the daemon ended with exit code {code}; see {log}:\n{log.read_text(errors='replace')[-2000:]}"
        )


def _annotated(output: Path) -> Path:
    return max(output.glob("clip*.mp4"), key=lambda path: path.stat().st_mtime)


def _echo_command(words: list[str]) -> None:
    click.echo(f"  $ whosthere {shlex.join(_short(word) for word in words)}")


def _short(word: str) -> str:
    """A path as a person would type it."""
    with contextlib.suppress(ValueError):
        return str(Path(word).relative_to(Path.cwd()))
    return word
