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
@box_config("config.yaml; every key is explained in the template that comes with the project.")
@click.pass_context
def command(ctx: click.Context, config_path: Path) -> None:
    """Watch the camera and publish visits over MQTT until stopped.

    \b
    SIGHUP          take the gallery and the match section of config.yaml anew
    SIGTERM, ^C     end open visits, send what waits, and go

    What the broker could not take waits in the outbox and is sent after the next start.
    """
    manager = notifier()
    try:
        config = load_config(config_path).config
        set_up_logging(config.runtime.log_level, config.camera.name)
        app = App(config_path, manager)
        code = app.run()
    except WhosthereError as error:
        # Stays in `systemctl status` after the end, where people look first.
        manager.notify("STATUS=" + " ".join(str(error).split()))
        raise
    if app.restart:
        # The same process begins anew: whoever started it (systemd, a container, a shell) need not know.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (our own program)
    ctx.exit(code)
