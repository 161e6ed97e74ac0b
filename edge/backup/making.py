"""Making a backup: small files as they are, databases as SQLite copies them, all of it in one ZIP file."""

import hashlib
import tempfile
import zipfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import msgspec

from edge.backup.contents import (
    CONFIG,
    DIARY,
    MANIFEST,
    SECRETS,
    STRANGERS,
    BackupError,
    BackupManifest,
    BackupPart,
    places,
)
from edge.config.loading import LoadedConfig
from edge.config.sections import GalleryKeys
from edge.diary.layout import LAYOUT as DIARY_LAYOUT
from edge.errors import GalleryError
from edge.galleries.encryption import encrypt_with
from edge.galleries.file import open_gallery
from edge.galleries.gallery import timestamp
from edge.owner import as_owner
from edge.regular_file import read_regular
from edge.storage.copying import copy_database
from edge.storage.database import open_for_reading
from edge.storage.layout import Layout, only_value
from edge.visits.strangers_layout import LAYOUT as STRANGERS_LAYOUT

DATABASES: dict[str, Layout] = {DIARY: DIARY_LAYOUT, STRANGERS: STRANGERS_LAYOUT}


def make_backup(loaded: LoadedConfig, config_path: Path, passphrase: str | None = None) -> tuple[bytes, BackupManifest]:
    """All that a box knows, as the bytes of one file, encrypted where there is a passphrase.

    Keys and passwords in files of their own are only in an encrypted one. Raises BackupError and StorageError.
    """
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            manifest = _filled(archive, loaded, config_path, secrets=passphrase is not None)
            archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        file.seek(0)
        content = file.read()
    return (encrypt_with(content, passphrase) if passphrase is not None else content), manifest


def _filled(archive: zipfile.ZipFile, loaded: LoadedConfig, config_path: Path, *, secrets: bool) -> BackupManifest:
    parts, left_out = [_written(archive, CONFIG, _read(config_path))], []
    for name, place in places(loaded).items():
        with as_owner(place.path):
            if not place.path.exists():
                continue
            if name in SECRETS and not secrets:
                left_out.append(f"{place.path}: a secret, which only an encrypted backup holds")
                continue
            content = _copied(place.path, DATABASES[name]) if name in DATABASES else _read(place.path)
        parts.append(_written(archive, name, content))
    return BackupManifest(
        1, timestamp(), loaded.device_id, version("whosthere"), _people(loaded), _visits(loaded), parts, left_out
    )


def _written(archive: zipfile.ZipFile, name: str, content: bytes) -> BackupPart:
    archive.writestr(name, content)
    return BackupPart(name, len(content), hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        advice = "; run this with sudo" if isinstance(error, PermissionError) else ""
        raise BackupError(f"{path}: cannot be read: {error.strerror or error}{advice}") from error


def _copied(path: Path, layout: Layout) -> bytes:
    """A database that may be in use, as the bytes of a file. Raises StorageError."""
    with tempfile.TemporaryDirectory(prefix=".whosthere-backup-", dir=path.parent) as folder:
        copy = Path(folder) / "copy"
        copy_database(path, copy, layout)
        return copy.read_bytes()


def _people(loaded: LoadedConfig) -> int:
    try:
        return len(open_gallery(loaded.gallery_path, None, GalleryKeys(None, loaded.gallery_keys.identity)).people)
    except GalleryError:
        return 0


def _visits(loaded: LoadedConfig) -> int | None:
    path = Path(loaded.config.diary.path)
    with as_owner(path):
        if not path.exists():
            return None
        with closing(open_for_reading(path, DIARY_LAYOUT)) as db:
            return int(only_value(db, "SELECT count(*) FROM visit"))
