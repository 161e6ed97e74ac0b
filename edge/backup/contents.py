"""What a backup holds: a ZIP file with these members and no others, each with its digest in the manifest."""

from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config.loading import GIVEN_FILES, LoadedConfig
from edge.errors import WhosthereError
from edge.galleries.additions import additions_path
from edge.galleries.corrections import MAX_BYTES, corrections_path
from edge.visits.strangers_file import NAME

MANIFEST = "manifest.json"
CONFIG = "config.yaml"
GALLERY = "gallery.whg"
ADDITIONS = "gallery.whg.additions"
CORRECTIONS = "gallery.whg.corrections.json"
DIARY = "diary.sqlite3"
STRANGERS = "strangers.sqlite3"
PASSWORD = "web-password"  # noqa: S105  (a member's name)
SIGNERS = "gallery.allowed_signers"
IDENTITY = "gallery.identity_file"
PUBLIC = {SIGNERS, *(key for key in GIVEN_FILES if key.endswith((".ca_file", ".certificate_file")))}
SECRETS = set(GIVEN_FILES) - PUBLIC
"""Files that config.yaml names by these keys: only in encrypted backups."""
MAX_MANIFEST = 100_000
_SMALL = 1_000_000
_ROOM = 1.5
"""A database copied is hardly larger than the limit of the one that it comes from."""


class BackupError(WhosthereError):
    """A backup cannot be made, read or restored; nothing has changed."""


class BackupPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member of a backup."""

    name: str
    bytes: Annotated[int, Meta(ge=0, le=2**40)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class BackupManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says about itself."""

    schema_version: Literal[1]
    made_at: str
    """RFC 3339, UTC."""
    device_id: str
    release: str
    """The release of whosthere that made it."""
    people: int
    visits: int | None
    """In the diary; None: the box keeps none."""
    parts: list[BackupPart]
    left_out: list[str] = []
    """What the box has that is not in it, in words."""


class RestoreReport(msgspec.Struct, frozen=True):
    """What came back, as `restore --json` has it."""

    manifest: BackupManifest
    restored: list[str]
    """Paths."""
    left: list[str]
    """What was not restored, and why."""
    restart: bool
    """A running daemon applies config.yaml only when it is restarted."""


@dataclass(frozen=True, slots=True)
class PartPlace:
    """Where one member lies on a box."""

    name: str
    path: Path
    max_bytes: int


def places(loaded: LoadedConfig) -> dict[str, PartPlace]:
    """Where a box with this config keeps what a backup may hold, by the member's name; without the config itself.

    A file that its config does not name gets a place beside config.yaml.
    """
    config, gallery = loaded.config, loaded.gallery_path
    found = [
        PartPlace(GALLERY, gallery, config.gallery.max_mb * 10**6),
        PartPlace(ADDITIONS, additions_path(gallery), config.gallery.max_mb * 10**6),
        PartPlace(CORRECTIONS, corrections_path(gallery), MAX_BYTES),
        PartPlace(DIARY, Path(config.diary.path), int(config.diary.max_mb * 10**6 * _ROOM)),
        PartPlace(STRANGERS, Path(config.strangers.path) / NAME, 1_000_000_000),
        PartPlace(PASSWORD, Path(config.web.path) / "password", _SMALL),
    ]
    given = {key: attrgetter(key)(config) for key in GIVEN_FILES}
    # A variable that is not set, as that of systemd's credentials, leads nowhere.
    paths = {key: path if path and not path.startswith("$") else loaded.base / key for key, path in given.items()}
    found += [PartPlace(key, Path(path), _SMALL) for key, path in paths.items()]
    return {place.name: place for place in found}
