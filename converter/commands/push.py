"""`whosthere-converter push`: a gallery to boxes, over SSH."""

import shlex
from pathlib import Path

import click

from converter.push import Pusher, PushOutcome, read_inventory, targets_for, with_canary
from edge.errors import GalleryError, WhosthereError
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import open_gallery
from edge.terminal import json_option, print_json, table

EXIT_CODES = """\b
Exit codes:
  0  in force on every box (or verified, with --dry-run)
  1  not on all of them; the table says why
  2  wrong usage
  4  NAME.whg is not a gallery
"""


@click.command("push", epilog=EXIT_CODES)
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="NAME.whg")
@click.argument("hosts", nargs=-1)
@click.option("--inventory", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="boxes.yaml.")
@click.option("--force", is_flag=True, help="Although a box has had a newer version.")
@click.option("--dry-run", is_flag=True, help="Each box checks it and changes nothing.")
@click.option(
    "--canary", type=click.IntRange(0), default=0, help="First to so many; to the others only if all is well."
)
@click.option("--retry", "retries", type=click.IntRange(0, 10), default=0, help="So often again where nobody answers.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Seconds."
)
@click.option("--ssh", default="ssh", show_default=True, help="The client, with options: 'ssh -i KEY -F CONFIG'.")
@json_option
def command(
    bundle: Path,
    hosts: tuple[str, ...],
    inventory: Path | None,
    force: bool,
    dry_run: bool,
    canary: int,
    retries: int,
    timeout_s: float,
    ssh: str,
    as_json: bool,
) -> None:
    """Put NAME.whg in force on HOSTS: names of ~/.ssh/config, user@host, or boxes and groups of --inventory.

    One round trip each, all at the same time. A box answers once its running daemon has acknowledged the gallery, or
    with the reason why it was refused; then it goes on with the one it has.

    \b
    boxes:
      front-door: {host: whosthere@192.168.1.20, groups: [home], encrypt_to: ssh-ed25519 AAAA...}
      office: {}
    """
    targets = targets_for(hosts, read_inventory(inventory) if inventory else None)
    content = bundle.read_bytes()
    if not is_encrypted(content):
        open_gallery(bundle, None)
    elif any(target.encrypt_to for target in targets):
        raise GalleryError(f"{bundle}: already encrypted; give the plain one, it is encrypted for each box")
    pusher = Pusher(content, shlex.split(ssh), force, dry_run, timeout_s=timeout_s, retries=retries)
    outcomes = with_canary(pusher, targets, canary, _tell)
    if as_json:
        print_json(outcomes)
    else:
        click.echo(as_table(outcomes))
    failed = [outcome.box for outcome in outcomes if not outcome.fine]
    if failed:
        raise WhosthereError(f"{len(failed)} of {len(outcomes)} boxes do not have it in force: {', '.join(failed)}")


def _tell(outcome: PushOutcome) -> None:
    """A line as soon as a box has answered."""
    click.echo(f"{outcome.box}: {outcome.status}", err=True)


def as_table(outcomes: list[PushOutcome]) -> str:
    """One row a box."""
    rows = [_row(outcome) for outcome in outcomes]
    headings = ("box", "state", "version", "before", "people", "templates", "signed by", "seconds", "tries", "why")
    return table(headings, rows, frozenset({2, 3, 4, 5, 7, 8}))


def _row(outcome: PushOutcome) -> tuple[str, ...]:
    answer = outcome.answer
    facts = (answer.version, answer.previous, answer.people, answer.templates, answer.signer) if answer else (None,) * 5
    shown = ("" if fact is None else str(fact) for fact in facts)
    why = "; ".join([*([outcome.reason] if outcome.reason else []), *(answer.warnings if answer else [])])
    return outcome.box, outcome.status, *shown, f"{outcome.seconds:.1f}", str(outcome.tries), why
