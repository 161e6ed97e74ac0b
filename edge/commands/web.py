"""`whosthere web`: the box's own web page, and its password."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from click.core import ParameterSource

from edge.commands.context import box_config
from edge.commands.web_tokens import token
from edge.config.loading import load_config
from edge.config.web import host_and_port
from edge.config.yaml_process import keep_parser_out
from edge.errors import ConfigError, UsageError
from edge.terminal import echo
from edge.web.box import WebBox
from edge.web.password import MIN_LENGTH, read_password, remove_password, set_password

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  failed
  2  wrong usage
  3  config; the page has no password; or it cannot listen there
"""


@click.group(invoke_without_command=True, epilog=EXIT_CODES)
@click.option(
    "--listen",
    metavar="HOST:PORT|fd",
    help="Listen here and not where `web.listen` in config.yaml says. `fd` stands for the socket that systemd passes.",
)
@box_config("The daemon's config.yaml.")
@click.pass_context
def command(ctx: click.Context, listen: str | None, config_path: Path) -> None:
    """Serve the box's web page: visits, corrections and strangers, for a phone or a desktop.

    It is off until it has a password, and listens on 127.0.0.1:8480 until `web.listen` says otherwise. It is a process
    of its own beside the daemon: the door is watched whether it runs or not. Stop it with Ctrl-C.

    \b
      whosthere web password                # set or change the password
      whosthere web                         # then open http://127.0.0.1:8480/
      ssh -L 8480:127.0.0.1:8480 pi@door    # the same from your desktop, with nothing opened to the network
    """
    if ctx.invoked_subcommand is not None:
        _check_place(ctx)
        return
    keep_parser_out()
    with ThreadPoolExecutor(1) as meanwhile:
        loading = meanwhile.submit(load_config, config_path)
        try:
            from edge.web import server  # noqa: PLC0415  (the extra `web` may be missing)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the page needs {error.name}, which is not installed; install its extra: pip install 'whosthere[web]'"
            ) from error
        loaded = loading.result()
    settings = loaded.config.web
    if read_password(Path(settings.path)) is None:
        raise ConfigError(
            f"{settings.path}: the page has no password, so it stays off; `whosthere web password` sets one"
        )
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    listener = server.activated_socket() if listen in {None, "fd"} else None
    activated = listener is not None
    if listener is None:
        if listen == "fd":
            raise UsageError("--listen fd: found no socket from systemd (LISTEN_FDS); allowed: HOST:PORT elsewhere")
        listener = server.listen(*_place(listen or settings.listen))
    if activated and (wrong := server.elsewhere(listener, settings.listen)):
        logging.getLogger("whosthere.web").warning(wrong)
    box = WebBox.of(config_path, loaded)
    echo(f"the page of {loaded.device_id}: {server.page_address(listener, tls=settings.tls.enabled)}")
    server.serve(box, listener, settings.idle_exit_min * 60.0 if activated else None)


@command.command("password", epilog=EXIT_CODES)
@click.option("--remove", is_flag=True, help="Remove the password, which turns the page off and logs everybody out.")
@box_config("The daemon's config.yaml.")
def password(remove: bool, config_path: Path) -> None:
    """Set the page's password, or change it, which logs every browser out.

    It asks twice and shows nothing. Where standard input is not a terminal, its first line is the password. Only a hash
    is kept (scrypt), in the folder `web.path`.

    \b
      sudo whosthere web password
    """
    folder = Path(load_config(config_path).config.web.path)
    if remove:
        echo("the page is off" if remove_password(folder) else "the page had no password: it was off already")
        return
    set_password(folder, _ask())
    echo(f"the page's password is set, hashed, in {folder}; `whosthere web` serves the page")


command.add_command(token)


def _check_place(ctx: click.Context) -> None:
    """Raises UsageError for options that the subcommand would not see."""
    for name in ("config_path", "listen"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--config" if name == "config_path" else "--listen"
            raise UsageError(f"{option}: found before {ctx.invoked_subcommand}; give it after that, if it takes it")


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    chosen: str = click.prompt(
        f"Password for the page (at least {MIN_LENGTH} characters)", hide_input=True, confirmation_prompt=True
    )
    return chosen


def _place(text: str) -> tuple[str, int]:
    try:
        return host_and_port(text, "--listen")
    except ValueError as error:
        raise UsageError(str(error)) from error
