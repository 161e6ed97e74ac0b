"""`whosthere gallery receive` and `send`: each meant as the only command that an SSH key may run."""

import contextlib
import io
import os
import re
import sys
import tarfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from edge.commands.context import box_config
from edge.config.loading import LoadedConfig, load_config
from edge.config.visits import UnknownFacesSettings
from edge.errors import ConfigError, GalleryError, UsageError, WhosthereError
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import decode, encode, open_gallery
from edge.galleries.gallery import EmbedderId
from edge.galleries.local_changes import base_of
from edge.galleries.receive import Answer, Receiver
from edge.models.embedder_choice import embedder_card
from edge.owner import as_owner
from edge.people.forgetting import forget_elsewhere, state_folders
from edge.regular_file import read_regular
from edge.terminal import print_json
from edge.visits.strangers_file import NAME, StrangersFile
from edge.visits.unknown_faces import UnknownFaces

EXIT_CODES = """\b
Exit codes:
  0  the running daemon uses it, or a dry run found nothing wrong
  1  it is in place, but no daemon has acknowledged it
  2  the SSH client asked for something that this key may not do
  3  config
  4  refused; nothing has changed
"""
MAX_SENT = 500
"""The number of pictures that the desktop accepts."""
FORGET = re.compile(r"--forget=([a-z0-9_-]{1,64})")

config_option = box_config("The daemon's config.yaml.")


@click.command("receive", epilog=EXIT_CODES)
@click.option(
    "--force",
    is_flag=True,
    help="Accept a version that is older than one this box has had, and lose what was changed at the box since.",
)
@click.option("--dry-run", is_flag=True, help="Check the bundle and change nothing.")
@click.option(
    "--forget",
    "person",
    help="Forget the person with this id, who must not be in the bundle, and search the box for traces of them.",
)
@config_option
@click.pass_context
def command(ctx: click.Context, force: bool, dry_run: bool, person: str | None, config_path: Path) -> None:
    """Read a gallery from standard input, put it in force, and answer in JSON.

    \b
    In authorized_keys on the box, as one line:
      restrict,command="whosthere gallery receive" ssh-ed25519 AAAA... pusher
    Then: ssh BOX < NAME.whg, or ssh BOX receive --dry-run < NAME.whg. This key can do nothing else.
    """
    try:
        request = ssh_request(os.environ)
        force, dry_run, person = force or request.force, dry_run or request.dry_run, person or request.person
        receiver = receiver_for(load_config(config_path), sender=_sender(os.environ))
        stream = sys.stdin.buffer
        answer = receiver.receive(stream, force=force, dry_run=dry_run, without=person)
    except WhosthereError as error:
        print_json(Answer("refused", reason=str(error)))
        ctx.exit(error.exit_code)
    print_json(answer)
    ctx.exit(1 if answer.status == "written" else 0)


@click.command("send")
@click.option(
    "--strangers",
    is_flag=True,
    help="Write the kept pictures of unknown visitors in place of the gallery, as a tar file.",
)
@click.option(
    "--base",
    is_flag=True,
    help="Write the gallery that this box received last, in place of the current one: what both sides started from.",
)
@config_option
def send(config_path: Path, strangers: bool, base: bool) -> None:
    """Write the decrypted gallery to standard output, for `whosthere-converter pull`.

    \b
    In authorized_keys on the box, as one line:
      restrict,command="whosthere gallery send" ssh-ed25519 AAAA... ada
    This key may fetch the gallery and the pictures of unknown visitors, and do nothing else.
    """
    loaded = load_config(config_path)
    asked = os.environ.get("SSH_ORIGINAL_COMMAND", "").split()
    if base or asked == ["send", "--base"]:
        _send_base(loaded)
        return
    if strangers or asked == ["send", "--strangers"]:
        _send_strangers(Path(loaded.config.strangers.path), loaded.config.strangers)
        return
    open_gallery(loaded.gallery_path, None, loaded.gallery_keys)
    content = read_regular(loaded.gallery_path)
    # Once more: it may have been replaced by somebody who cannot read what root can, and must not get it from here.
    gallery = decode(content, str(loaded.gallery_path), None, loaded.gallery_keys)
    sys.stdout.buffer.write(encode(gallery) if is_encrypted(content) else content)


def _send_base(loaded: LoadedConfig) -> None:
    """Write what was received last, unsigned: it is only compared with. Raises GalleryError when there is none."""
    current = open_gallery(loaded.gallery_path, None, loaded.gallery_keys)
    base = base_of(loaded.gallery_path, loaded.gallery_keys, current)
    if base is None:
        raise GalleryError("this box has received no gallery yet, so there is no base: merge without --base")
    sys.stdout.buffer.write(encode(base))


def _send_strangers(folder: Path, settings: UnknownFacesSettings) -> None:
    """Write the single pictures, named by visit, and those of grouped strangers, named by stranger and visit."""
    if not settings.keep:
        raise ConfigError("this box keeps no pictures of unknown visitors: strangers.keep in its config.yaml is 0")
    grouped = _of_strangers(folder / NAME, settings.keep_hours) if settings.group else {}
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        single = UnknownFaces(folder, settings).kept()
        for path in single:
            archive.add(path, path.name)
        for name, jpeg in list(grouped.items())[: MAX_SENT - len(single)]:
            member = tarfile.TarInfo(name)
            member.size = len(jpeg)
            archive.addfile(member, io.BytesIO(jpeg))


def _of_strangers(path: Path, keep_hours: float) -> dict[str, bytes]:
    """The JPEG files of strangers who are grouped, by name; the latest visits first. Raises StorageError."""
    if not path.exists():
        return {}
    with as_owner(path), contextlib.closing(StrangersFile(path, replace=False)) as file:
        file.drop_old(time.time() - keep_hours * 3600)
        visits = sorted(file.visits(), key=lambda visit: -visit.seen)
    return {
        f"stranger-{visit.stranger}-{visit.visit}-{place}.jpg": picture.jpeg
        for visit in visits
        for place, picture in enumerate(visit.unpacked, 1)
    }


class SshRequest(NamedTuple):
    """What an SSH client may ask for."""

    force: bool = False
    dry_run: bool = False
    person: str | None = None


def ssh_request(environment: Mapping[str, str]) -> SshRequest:
    """What the client of a restricted key asked for. Raises UsageError for anything it may not ask for."""
    text = environment.get("SSH_ORIGINAL_COMMAND", "")
    words = text.split()
    asked = SshRequest()
    for word in words[1:] if words[:1] == ["receive"] else words:
        person = FORGET.fullmatch(word)
        if person:
            asked = asked._replace(person=person[1])
        elif word == "--force":
            asked = asked._replace(force=True)
        elif word == "--dry-run":
            asked = asked._replace(dry_run=True)
        else:
            raise UsageError(
                f"this SSH key may only push galleries; found {text[:80]!r}, "
                "allowed: `receive [--force] [--dry-run] [--forget=ID]`"
            )
    return asked


def receiver_for(loaded: LoadedConfig, sender: str | None = None) -> Receiver:
    """A Receiver as config.yaml sets it up. Raises ModelError when the embedder has no card."""
    gallery = loaded.config.gallery
    known = embedder_card(loaded.config.models, loaded.base)
    embedder = EmbedderId(known.name, known.sha256)
    limit = gallery.max_mb * 10**6
    path = loaded.gallery_path
    if not path.parent.is_dir():
        raise GalleryError(f"{path.parent}: no such folder, but gallery.path in config.yaml is in it; make it")
    return Receiver(
        path,
        loaded.gallery_keys,
        embedder,
        known.outputs[0][1],
        limit,
        gallery.keep_versions,
        changes_here=loaded.gallery_keys.allowed_signers is None or loaded.signing_key is not None,
        sender=sender,
        state=state_folders(loaded),
        forget_elsewhere=partial(forget_elsewhere, loaded),
    )


def _sender(environment: Mapping[str, str]) -> str | None:
    return environment.get("SSH_CONNECTION", "").split(" ")[0] or None
