"""`whosthere backup`: all that this box has learned, as one file."""

import os
import sys
from pathlib import Path

import click

from edge.backup.contents import BackupError
from edge.backup.making import make_backup
from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.config.secret_file import read_secret
from edge.galleries.atomic_file import sync_folder
from edge.terminal import echo, json_option, plural, print_json, warn

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  something cannot be read, or the file cannot be written
  3  config
  4  encryption is not possible
"""


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase, and encrypt the file with it.")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Encrypt with the first line of this file, without asking.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
@json_option
@box_config("The daemon's config.yaml.")
def command(
    file: Path, encrypt: bool, passphrase_file: Path | None, force: bool, as_json: bool, config_path: Path
) -> None:
    """Write config, gallery, corrections, strangers, diary and the page's password into FILE. The daemon may run.

    FILE is readable for you alone; `-` writes to standard output. Keys and passwords that config.yaml keeps in files of
    their own are only in an encrypted one (age format, with a passphrase).

    \b
      sudo whosthere backup --encrypt door.whb
    """
    loaded = load_config(config_path)
    passphrase = _passphrase(encrypt, passphrase_file)
    if str(file) != "-" and file.exists() and not force:
        raise click.UsageError(f"{file} is there already; give another name, or --force")
    content, manifest = make_backup(loaded, config_path, passphrase)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        return
    _write(content, file)
    if as_json:
        print_json(manifest)
        return
    visits = "no diary" if manifest.visits is None else plural(manifest.visits, "visit")
    size = f"{len(content) / 1e6:.1f} MB{', encrypted' if passphrase else ''}"
    echo(f"{file}: {plural(manifest.people, 'person', 'people')}, {visits}, {size}")
    for text in manifest.left_out:
        warn(f"left out: {text}")


def _passphrase(encrypt: bool, file: Path | None) -> str | None:
    if file is not None:
        return read_secret(str(file), "--passphrase-file")
    if not encrypt:
        return None
    typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _write(content: bytes, path: Path) -> None:
    """Write a file that nobody else can read, and that is either whole or not there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.resolve().parent)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise BackupError(f"{path}: cannot be written: {error.strerror or error}") from error
