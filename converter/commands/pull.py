"""`whosthere-converter pull`: fetch the gallery that a box has."""

from pathlib import Path

import click

from converter.commands import gallery_options
from converter.ssh import ask
from edge.galleries.store import replace_with
from edge.terminal import echo, plural


@click.command("pull")
@click.argument("host")
@gallery_options.whg_output
@click.option(
    "--base",
    type=gallery_options.OUTPUT,
    help="Also fetch what the box received last, and write it to this file, for `merge --base`.",
)
@gallery_options.ssh
@gallery_options.timeout(60.0)
def command(host: str, output: Path, base: Path | None, ssh: str, timeout_s: float) -> None:
    """Fetch the gallery that HOST uses, people enrolled at the box included, so that it can be merged.

    \b
    This needs a key of its own, because templates leave the box. One line in authorized_keys there:
      restrict,command="whosthere gallery send" ssh-ed25519 AAAA... ada
    """
    received = ask(host, "send --base", ssh, timeout_s) if base else b""
    content = ask(host, "send", ssh, timeout_s)
    gallery = replace_with(content, host, output)
    echo(f"{output}: version {gallery.header.version}, {plural(len(gallery.people), 'person', 'people')}")
    if base:
        replace_with(received, host, base)
        echo(f"{base}: what {host} received last; for `whosthere-converter merge --base`")
