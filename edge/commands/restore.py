"""`whosthere restore`: a backup in the place of what this box knows."""

from pathlib import Path

import click

from edge.backup.contents import BackupError
from edge.backup.restoring import restore_backup
from edge.commands.context import box_config
from edge.config.secret_file import read_secret
from edge.regular_file import read_regular
from edge.terminal import echo, json_option, plural, print_json, warn

MAX_BYTES = 1_500_000_000
EXIT_CODES = """\b
Exit codes:
  0  fine
  1  not a backup, damaged, or too large for this box; nothing has changed
  3  config
  4  its gallery is damaged or not signed as this box requires, or the passphrase is wrong; nothing has changed
"""


@click.command(epilog=EXIT_CODES)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--passphrase-file", type=click.Path(dir_okay=False, path_type=Path), help="Its first line decrypts FILE."
)
@click.option("--decrypt", is_flag=True, help="Ask for the passphrase of an encrypted FILE.")
@click.option("--keep-config", is_flag=True, help="Leave this box's config.yaml, keys and passwords as they are.")
@click.option("--dry-run", is_flag=True, help="Check FILE and show what would be restored; change nothing.")
@click.option("--yes", is_flag=True, help="Restore without asking first.")
@json_option
@box_config("The config.yaml of this box; it is made if there is none.")
def command(
    file: Path,
    passphrase_file: Path | None,
    decrypt: bool,
    keep_config: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    config_path: Path,
) -> None:
    """Restore FILE, which `whosthere backup` made, on this or another box.

    Everything in it is checked first. What this box knows is replaced: people, corrections, diary and config.yaml.
    Files stay where this box keeps them, whatever FILE says, and keys and passwords that it has are left alone. A
    gallery must be signed by somebody whom this box trusts. Stop the service first to restore strangers, too.

    \b
      sudo whosthere restore door.whb
    """
    if decrypt:
        passphrase: str | None = click.prompt("Passphrase", hide_input=True, err=True)
    else:
        passphrase = read_secret(str(passphrase_file), "--passphrase-file") if passphrase_file else None
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise BackupError(f"{file}: found {size} bytes; allowed: {MAX_BYTES}")
        content = read_regular(file)
    except OSError as error:
        raise BackupError(f"{file}: cannot be read: {error.strerror or error}") from error
    if not (dry_run or yes):
        click.confirm("Replace people, corrections, diary and settings of this box?", abort=True, err=True)
    report = restore_backup(content, str(file), config_path, passphrase, keep_config=keep_config, dry_run=dry_run)
    if as_json:
        print_json(report)
        return
    made = report.manifest
    visits = "no diary" if made.visits is None else plural(made.visits, "visit")
    echo(f"made on {made.device_id} at {made.made_at}: {plural(made.people, 'person', 'people')}, {visits}")
    for path in report.restored:
        echo(f"{'would be restored' if dry_run else 'restored'}: {path}")
    for text in report.left:
        warn(f"left alone: {text}")
    if report.restart and not dry_run:
        echo("Restart the service, so that it uses the restored config.yaml: systemctl restart whosthere")
