"""whosthere run"""

import os
import sys
from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.daemon.app import App
from edge.daemon.systemd import notifier, set_up_logging
from edge.errors import WhosthereError


@click.command("run")
@box_config("The config.yaml to run with; `whosthere setup` makes one.")
@click.pass_context
def command(ctx: click.Context, config_path: Path) -> None:
    """Watch the camera and publish visits over MQTT until stopped.

    \b
    SIGHUP          load the gallery and the match section of config.yaml again
    SIGTERM, ^C     end open visits, send what is waiting, and exit

    Events that could not be sent wait in the outbox, and are sent after the next start.
    """
    manager = notifier()
    try:
        config = load_config(config_path).config
        set_up_logging(config.runtime.log_level, config.camera.name)
        app = App(config_path, manager)
        code = app.run()
    except WhosthereError as error:
        # It stays in `systemctl status` after the end, where people look first.
        manager.notify("STATUS=" + " ".join(str(error).split()))
        raise
    if app.restart:
        # The same process starts over, so systemd, a container or a shell does not notice.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (our own program)
    ctx.exit(code)
