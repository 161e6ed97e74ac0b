"""`whosthere-converter pull`: fetch the gallery that a box has."""

import shlex
import subprocess
from pathlib import Path

import click

from edge.errors import WhosthereError
from edge.galleries.file import Keys, decode, write_whole


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
    if host.startswith("-"):
        raise click.BadParameter(f"{host!r} is not a host")
    asking = [*shlex.split(ssh), "-T", "-o", "BatchMode=yes", "--", host, "send"]
    try:
        done = subprocess.run(asking, capture_output=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise WhosthereError(f"{host}: no answer in {timeout_s:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise WhosthereError(f"{host}: {said[-1] if said else f'exit code {done.returncode}'}")
    gallery = decode(done.stdout, host, None, Keys())
    write_whole(done.stdout, output)
    click.echo(f"{output}: version {gallery.header.version}, {len(gallery.people)} people")
