"""`whosthere web token`: keys to the door's pictures for other systems."""

from datetime import datetime
from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.terminal import echo
from edge.web.stream_tokens import ADDRESSES, Opens, StreamTokens

_CONFIG_HELP = "The daemon's config.yaml."


@click.group("token")
def token() -> None:
    """Make, list and revoke keys to /live.mjpg and /snapshot.jpg, for Home Assistant or a dashboard.

    A key opens one of the two, and no other page. Only a hash of it is kept, in the folder `web.path`.

    \b
      sudo whosthere web token make live --label "Home Assistant"
      sudo whosthere web token list
      sudo whosthere web token revoke 1f3a9c02
    """


@token.command("make")
@click.argument("opens", type=click.Choice(list(ADDRESSES)))
@click.option("--label", required=True, help="What the key is for, such as: Home Assistant. It is shown in lists.")
@box_config(_CONFIG_HELP)
def make(opens: Opens, label: str, config_path: Path) -> None:
    """Make a key to the stream (live) or to single pictures (snapshot). It is shown this once."""
    settings = load_config(config_path).config.web
    made, key = StreamTokens(Path(settings.path)).make(opens, label)
    scheme = "https" if settings.tls.enabled else "http"
    echo(f"{made.id}  {ADDRESSES[made.opens]}  {made.label}")
    echo(f"{scheme}://{settings.listen}{ADDRESSES[made.opens]}?token={key}")


@token.command("list")
@box_config(_CONFIG_HELP)
def list_tokens(config_path: Path) -> None:
    """List the keys: id, what each opens, when it was made, what it is for."""
    found = StreamTokens(Path(load_config(config_path).config.web.path)).all()
    if not found:
        echo("no keys; `whosthere web token make live --label NAME` makes one")
    for one in found:
        made = datetime.fromtimestamp(one.made_at).astimezone()
        echo(f"{one.id}  {ADDRESSES[one.opens]:<13}  {made:%Y-%m-%d %H:%M}  {one.label}")


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@box_config(_CONFIG_HELP)
def revoke(token_id: str, config_path: Path) -> None:
    """Revoke a key: whatever uses it gets no further picture."""
    gone = StreamTokens(Path(load_config(config_path).config.web.path)).revoke(token_id)
    echo(f"revoked {gone.id}, the key of {gone.label}")
