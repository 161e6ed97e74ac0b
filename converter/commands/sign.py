"""`whosthere-converter sign`: sign a gallery, and encrypt it, after it was built."""

from pathlib import Path

import click

from edge.errors import UsageError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.lock import gallery_lock

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("sign")
@click.argument("bundle", type=FILE, metavar="NAME.whg")
@click.option(
    "--key", type=click.Path(path_type=Path), help="SSH private key, or a public one whose key the agent has."
)
@click.option("--encrypt-to", "recipient", type=FILE, help="File with the SSH public key of the box.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: NAME.whg itself]")
def command(bundle: Path, key: Path | None, recipient: Path | None, output: Path | None) -> None:
    """Sign NAME.whg with an OpenSSH key, encrypt it to a box's key, or both.

    A box takes it if its `allowed_signers` has a line for the key:
    ada@example namespaces="whosthere-gallery" ssh-ed25519 AAAA...
    `push` encrypts by itself for boxes whose inventory names a key.
    """
    if key is None and recipient is None:
        raise UsageError("give --key, --encrypt-to or both")
    target = output or bundle
    with gallery_lock(target):
        write_gallery(open_gallery(bundle, None), target, key, [recipient.read_text()] if recipient else [])
    click.echo(f"{target}: {'signed' if key else 'not signed'}, {'encrypted' if recipient else 'not encrypted'}")
