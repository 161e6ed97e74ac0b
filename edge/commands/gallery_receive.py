"""`whosthere gallery receive`: a pushed bundle comes in. Meant to be all that an SSH key may run."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from edge import card
from edge.commands.output import print_json
from edge.errors import GalleryError, UsageError, WhosthereError
from edge.gallery import EmbedderId
from edge.receive import Answer, Receiver
from edge.runtime.config import DEFAULT_PATH, LoadedConfig, load_config

EXIT_CODES = """\b
Exit codes:
  0  it is in force in the running daemon, or a dry run found nothing wrong
  1  it is in place, but no daemon has acknowledged it
  2  the SSH client asks for something that this key may not do
  3  config
  4  refused; everything is as it was
"""
MAY_ASK = {"--force", "--dry-run"}

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    help="The daemon's config.yaml.",
)


@click.command("receive", epilog=EXIT_CODES)
@click.option("--force", is_flag=True, help="Take it though its version is older than what this box has had.")
@click.option("--dry-run", is_flag=True, help="Check it and change nothing.")
@config_option
@click.pass_context
def command(ctx: click.Context, force: bool, dry_run: bool, config_path: Path) -> None:
    """Put a gallery that comes on the standard input in force, and answer in JSON.

    \b
    In authorized_keys on the box, as one line:
      restrict,command="whosthere gallery receive" ssh-ed25519 AAAA... pusher
    Then: ssh BOX < NAME.whg, or ssh BOX receive --dry-run < NAME.whg. That key can do nothing else.
    """
    try:
        asked = asked_over_ssh(os.environ)
        receiver = receiver_for(load_config(config_path), sender=_sender(os.environ))
        stream = sys.stdin.buffer
        answer = receiver.receive(stream, force=force or "--force" in asked, dry_run=dry_run or "--dry-run" in asked)
    except WhosthereError as error:
        print_json(Answer("refused", reason=str(error)))
        ctx.exit(error.exit_code)
    print_json(answer)
    ctx.exit(1 if answer.status == "written" else 0)


def asked_over_ssh(environment: Mapping[str, str]) -> set[str]:
    """The options in what the client of a restricted key asked for. Raises UsageError for anything else."""
    asked = environment.get("SSH_ORIGINAL_COMMAND", "")
    try:
        words = shlex.split(asked)
    except ValueError as error:
        raise UsageError(f"{asked[:80]!r} cannot be understood: {error}") from error
    options = set(words[1:] if words[:1] == ["receive"] else words)
    if options <= MAY_ASK:
        return options
    raise UsageError(
        f"this SSH key may push galleries and do nothing else; {asked[:80]!r} was asked for, "
        "`receive [--force] [--dry-run]` is allowed"
    )


def receiver_for(loaded: LoadedConfig, sender: str | None = None) -> Receiver:
    """What config.yaml says of receiving. Raises ModelError when the embedder has no card."""
    gallery = loaded.config.gallery
    known = card.read_card(card.find(loaded.config.models.embedder, loaded.base))
    embedder = EmbedderId(known.name, known.sha256)
    limit = gallery.max_mb * 10**6
    path = loaded.gallery_path
    if not path.parent.is_dir():
        raise GalleryError(f"{path.parent}: no such folder; gallery.path in config.yaml lies in it")
    return Receiver(path, loaded.gallery_keys, embedder, limit, gallery.keep_versions, sender=sender)


def _sender(environment: Mapping[str, str]) -> str | None:
    return environment.get("SSH_CONNECTION", "").split(" ")[0] or None
