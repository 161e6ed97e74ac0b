"""The last question of `whosthere setup`: the web page's password."""

import importlib.util
import sys
from pathlib import Path

import click

from edge.config.loading import LoadedConfig, load_config
from edge.terminal import echo
from edge.web.password import password_path, problem, set_password


def ask_page_password(loaded: LoadedConfig) -> str:
    """A new password for the page; empty: everything stays as it is. It is only asked at a terminal."""
    if not sys.stdin.isatty() or importlib.util.find_spec("starlette") is None:
        return ""
    kept = password_path(Path(loaded.config.web.path)).exists()
    hint = "empty: keep the old one" if kept else "empty: the page stays off"
    while True:
        chosen: str = click.prompt(
            f"\nPassword for the box's web page ({hint})", default="", hide_input=True, show_default=False
        )
        if not chosen:
            return ""
        if reason := problem(chosen):
            echo(f"  {reason}")
        elif click.prompt("The same again", default="", hide_input=True, show_default=False) == chosen:
            return chosen
        else:
            click.echo("  the two are not the same")


def store_page_password(config_path: Path, password: str) -> None:
    """Hash and store it where config.yaml says. Raises WhosthereError."""
    settings = load_config(config_path).config.web
    set_password(Path(settings.path), password)
    echo(f"The web page has a password now; it listens on {settings.listen} (`web.listen`).")
