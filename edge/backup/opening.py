"""Opening a backup that anybody may have made: every part is bounded, known by name, and checked before any is used."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from edge.backup.contents import CONFIG, MANIFEST, MAX_MANIFEST, BackupError, BackupManifest, PartPlace
from edge.galleries.encryption import MAGIC, decrypt_with

CHUNK = 1 << 20
MAX_CONFIG = 200_000
MAX_MEMBERS = 40


@dataclass(frozen=True, slots=True)
class OpenedBackup:
    """The parts of a backup, in a folder that only this process can read."""

    manifest: BackupManifest
    parts: dict[str, Path]

    def content(self, name: str) -> bytes | None:
        """The bytes of a small part; None: it is not in it."""
        path = self.parts.get(name)
        return path.read_bytes() if path else None


def decrypted(content: bytes, passphrase: str | None, where: str) -> bytes:
    """The ZIP file in a backup. Raises BackupError when it is encrypted and the passphrase is missing or wrong."""
    if not content.startswith(MAGIC):
        return content
    if passphrase is None:
        raise BackupError(f"{where}: encrypted; give its passphrase with --passphrase-file")
    return decrypt_with(content, passphrase, where)


def open_backup(file: BinaryIO, where: str, known: dict[str, PartPlace], folder: Path) -> OpenedBackup:
    """Copy the parts of a ZIP file into an empty folder.

    Only names that are known are used, and nothing that the file says about links or modes. Raises BackupError that
    begins with `where`, also when a part is larger than `known` allows, has another digest, or is no part of a backup.
    """
    try:
        with zipfile.ZipFile(file, metadata_encoding="utf-8") as archive:
            _check_members(archive, where, known)
            manifest = _manifest(archive, where)
            _check_listed(archive, manifest, where)
            parts = {}
            for part in manifest.parts:
                parts[part.name] = folder / part.name
                limit = known[part.name].max_bytes if part.name in known else MAX_CONFIG
                if part.bytes > limit:
                    raise BackupError(f"{where}: {part.name}: found {part.bytes} bytes; allowed: {limit} on this box")
                digest = _copy(archive, part.name, parts[part.name], part.bytes, where)
                if digest != part.sha256:
                    raise BackupError(f"{where}: damaged: {part.name} does not match its digest; use another backup")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BackupError(f"{where}: not a backup, or damaged: {error}; use another one") from error
    except OSError as error:
        raise BackupError(f"{where}: cannot be read: {error.strerror or error}") from error
    return OpenedBackup(manifest, parts)


def _check_members(archive: zipfile.ZipFile, where: str, known: dict[str, PartPlace]) -> None:
    names = [member.filename for member in archive.infolist()]
    if len(names) > MAX_MEMBERS:
        raise BackupError(f"{where}: found {len(names)} members; allowed: {MAX_MEMBERS}")
    odd = [name for name in names if name not in {MANIFEST, CONFIG, *known}]
    if odd:
        raise BackupError(f"{where}: holds {odd[0][:80]!a}, which is no part of a backup that this box can use")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BackupError(f"{where}: holds {twice[0]} twice")


def _manifest(archive: zipfile.ZipFile, where: str) -> BackupManifest:
    try:
        with archive.open(MANIFEST) as member:
            content = member.read(MAX_MANIFEST + 1)
    except KeyError as error:
        raise BackupError(f"{where}: not a backup of whosthere: it has no {MANIFEST}") from error
    if len(content) > MAX_MANIFEST:
        raise BackupError(f"{where}: {MANIFEST}: allowed: {MAX_MANIFEST} bytes")
    try:
        return msgspec.json.decode(content, type=BackupManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BackupError(f"{where}: {MANIFEST}: {error}; made by another release?") from error


def _check_listed(archive: zipfile.ZipFile, manifest: BackupManifest, where: str) -> None:
    """The manifest must list exactly what is there."""
    listed = sorted(part.name for part in manifest.parts)
    present = sorted(name for name in archive.namelist() if name != MANIFEST)
    if listed != present:
        raise BackupError(f"{where}: damaged: its manifest lists {', '.join(listed)}; found {', '.join(present)}")


def _copy(archive: zipfile.ZipFile, name: str, target: Path, size: int, where: str) -> str:
    """Copy a member of exactly so many bytes. Returns its digest."""
    digest, copied = hashlib.sha256(), 0
    with archive.open(name) as member, target.open("xb") as file:
        while chunk := member.read(CHUNK):
            copied += len(chunk)
            if copied > size:
                raise BackupError(f"{where}: damaged: {name} is larger than the {size} bytes that the manifest says")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
