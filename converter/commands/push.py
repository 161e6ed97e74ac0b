"""`whosthere-converter push`: a gallery to boxes, over SSH."""

import shlex
from pathlib import Path

import click

from converter.commands import gallery_options
from converter.push import Pusher, PushOutcome, read_inventory, targets_for, with_canary
from edge.errors import GalleryError, WhosthereError
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import open_gallery
from edge.terminal import echo, json_option, print_json, table

EXIT_CODES = """\b
Exit codes:
  0  every box uses the gallery (or, with --dry-run, would accept it)
  1  some box does not; the table says why
  2  wrong usage
  4  NAME.whg is not a gallery
"""


@click.command("push", epilog=EXIT_CODES)
@click.argument("bundle", type=gallery_options.FILE, metavar="NAME.whg")
@click.argument("hosts", nargs=-1)
@gallery_options.inventory
@click.option(
    "--force",
    is_flag=True,
    help="Push even to boxes that have had a newer version, and lose what was changed at them since the last push.",
)
@click.option("--dry-run", is_flag=True, help="Have each box check the gallery without changing anything.")
@click.option(
    "--canary",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Push to this many boxes first, and go on to the others only when all of those accepted it. 0: all at once.",
)
@gallery_options.retry
@gallery_options.timeout(60.0)
@gallery_options.ssh
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
    """Push NAME.whg to HOSTS: names from ~/.ssh/config, user@host, or boxes and groups of --inventory.

    All boxes are pushed to at the same time, in one round trip each. A box answers when its daemon has loaded the
    gallery, or says why it refused it; it then keeps the gallery it has.

    \b
    Example:
      whosthere-converter push family.whg home --inventory boxes.yaml --canary 1

    \b
    A boxes.yaml:
      boxes:
        front-door: {host: whosthere@192.168.1.20, groups: [home], encrypt_to: ssh-ed25519 AAAA...}
        office: {}
    """
    targets = targets_for(hosts, read_inventory(inventory) if inventory else None)
    content = bundle.read_bytes()
    if not is_encrypted(content):
        open_gallery(bundle, None)
    elif any(target.encrypt_to for target in targets):
        raise GalleryError(f"{bundle}: it is encrypted already; give the plain file, which is encrypted for each box")
    pusher = Pusher(content, shlex.split(ssh), force, dry_run, timeout_s=timeout_s, retries=retries)
    outcomes = with_canary(pusher, targets, canary, _show_outcome)
    if as_json:
        print_json(outcomes)
    else:
        echo(as_table(outcomes))
    failed = [outcome.box for outcome in outcomes if not outcome.fine]
    if failed:
        raise WhosthereError(f"{len(failed)} of {len(outcomes)} boxes do not use it: {', '.join(failed)}")


def _show_outcome(outcome: PushOutcome) -> None:
    """Print a line as soon as a box has answered."""
    echo(f"{outcome.box}: {outcome.status}", err=True)


def as_table(outcomes: list[PushOutcome]) -> str:
    """One row per box."""
    rows = [_row(outcome) for outcome in outcomes]
    headings = ("box", "state", "version", "before", "people", "templates", "signed by", "seconds", "tries", "why")
    return table(headings, rows, frozenset({2, 3, 4, 5, 7, 8}))


def _row(outcome: PushOutcome) -> tuple[str, ...]:
    answer = outcome.answer
    facts = (answer.version, answer.previous, answer.people, answer.templates, answer.signer) if answer else (None,) * 5
    shown = ("" if fact is None else str(fact) for fact in facts)
    why = "; ".join([*([outcome.reason] if outcome.reason else []), *(answer.warnings if answer else [])])
    return outcome.box, outcome.status, *shown, f"{outcome.seconds:.1f}", str(outcome.tries), why
