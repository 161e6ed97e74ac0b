"""`whosthere-converter sign`: sign a gallery, and encrypt it, after it was built."""

from pathlib import Path

import click

from converter.commands import gallery_options
from edge.errors import GalleryError, UsageError
from edge.galleries.file import open_gallery
from edge.galleries.lock import gallery_lock
from edge.galleries.store import replace_gallery
from edge.terminal import echo


@click.command("sign")
@click.argument("bundle", type=gallery_options.FILE, metavar="NAME.whg")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="The SSH key to sign with: a private key, or the public half of one that ssh-agent holds.",
)
@click.option(
    "--encrypt-to",
    "recipient",
    type=gallery_options.FILE,
    help="A file with the SSH public key of the box that may read it.",
)
@click.option(
    "-o", "--output", type=gallery_options.OUTPUT, help="Where to write the result.  [default: NAME.whg itself]"
)
def command(bundle: Path, key: Path | None, recipient: Path | None, output: Path | None) -> None:
    """Sign NAME.whg with an OpenSSH key, encrypt it to a box's key, or both.

    A box accepts it if its `allowed_signers` has a line for the key:

    \b
      ada@example namespaces="whosthere-gallery" ssh-ed25519 AAAA...

    `push` encrypts automatically for boxes whose inventory entry has `encrypt_to`.
    """
    if key is None and recipient is None:
        raise UsageError("give --key, --encrypt-to or both")
    target = output or bundle
    with gallery_lock(target):
        replace_gallery(open_gallery(bundle, None), target, key, [_key_in(recipient)] if recipient else [])
    echo(f"{target}: {'signed' if key else 'not signed'}, {'encrypted' if recipient else 'not encrypted'}")


def _key_in(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GalleryError(f"{path}: cannot be read as a public key: {error}") from error
