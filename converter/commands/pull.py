"""`whosthere-converter pull`: fetch the gallery that a box has."""

from pathlib import Path

import click

from converter.ssh import ask
from edge.config.sections import GalleryKeys
from edge.galleries.file import decode, write_whole


@click.command("pull")
@click.argument("host")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The .whg file.")
@click.option("--ssh", default="ssh", show_default=True, help="The client, with options.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Seconds."
)
def command(host: str, output: Path, ssh: str, timeout_s: float) -> None:
    """Fetch what HOST has in force, people enrolled at the box included, to be merged.

    \b
    It takes another key than pushing: templates leave the box. In authorized_keys there, as one line:
      restrict,command="whosthere gallery send" ssh-ed25519 AAAA... ada
    """
    content = ask(host, "send", ssh, timeout_s)
    gallery = decode(content, host, None, GalleryKeys())
    write_whole(content, output)
    click.echo(f"{output}: version {gallery.header.version}, {len(gallery.people)} people")
