"""Restoring a backup: everything is checked before anything is written, and a failure puts back what was there."""

import contextlib
import tempfile
from collections.abc import Iterator
from io import BytesIO
from operator import attrgetter
from pathlib import Path

import msgspec

from edge.backup.contents import (
    ADDITIONS,
    CONFIG,
    CORRECTIONS,
    DIARY,
    GALLERY,
    IDENTITY,
    PASSWORD,
    SECRETS,
    SIGNERS,
    STRANGERS,
    BackupError,
    PartPlace,
    RestoreReport,
    places,
)
from edge.backup.making import DATABASES
from edge.backup.opening import OpenedBackup, decrypted, open_backup
from edge.config import typed_yaml
from edge.config.config_text import Value, with_values
from edge.config.loading import GIVEN_FILES, InvalidConfig, LoadedConfig, default_config, load_config, parse_config
from edge.config.sections import GalleryKeys
from edge.errors import ConfigError
from edge.galleries.atomic_file import write_whole
from edge.galleries.corrections import read_any
from edge.galleries.daemon_status import is_running
from edge.galleries.file import decode
from edge.galleries.gallery import Gallery
from edge.galleries.lock import gallery_lock
from edge.galleries.store import keep_earlier
from edge.owner import as_owner
from edge.regular_file import read_regular
from edge.storage.copying import check_database, replace_rows

OWN_PATHS = ("gallery.path", "mqtt.outbox.path", "diary.path", "strangers.path", "web.path")
"""Where a box writes. These are never taken from a backup: it could name any file."""
PRIVATE = {CORRECTIONS, PASSWORD, *SECRETS}
LOCK_WAIT_S = 10.0


class _Plan(msgspec.Struct, frozen=True):
    """What will be written, all of it checked."""

    files: dict[Path, bytes]
    private: set[Path]
    databases: dict[str, tuple[Path, Path]]
    """Member -> where it goes, and the checked copy."""
    gallery: Gallery | None
    keys: GalleryKeys
    left: list[str]


def restore_backup(
    content: bytes,
    where: str,
    config_path: Path,
    passphrase: str | None = None,
    *,
    keep_config: bool = False,
    dry_run: bool = False,
) -> RestoreReport:
    """Replace what this box knows with a backup. `keep_config` leaves its config.yaml alone.

    Strangers are left out while a daemon runs, because it has them in memory. Raises BackupError, GalleryError,
    ConfigError and StorageError; then nothing has changed.
    """
    box = _own_config(config_path)
    known = places(box)
    running, plain = is_running(box.gallery_path), BytesIO(decrypted(content, passphrase, where))
    with _staging(box) as folder:
        # Root checks and copies databases as the user whose they will be.
        with as_owner(Path(box.config.diary.path)):
            opened = open_backup(plain, where, known, folder)
            plan = _plan(opened, where, box, config_path, known, keep_config=keep_config, running=running)
        if not dry_run:
            _carry_out(plan, box)
        restored = [*map(str, plan.files), *(str(target) for target, _ in plan.databases.values())]
    return RestoreReport(opened.manifest, restored, plan.left, running and config_path in plan.files)


@contextlib.contextmanager
def _staging(box: LoadedConfig) -> Iterator[Path]:
    """A folder that only the user of the box's state, and root, can read."""
    with as_owner(Path(box.config.diary.path)):
        folder = tempfile.TemporaryDirectory(prefix="whosthere-restore-")
    with folder as name:
        yield Path(name)


def _own_config(path: Path) -> LoadedConfig:
    """This box's config, as far as it is valid; all defaults without one."""
    try:
        return load_config(path)
    except InvalidConfig as error:
        if error.sound is not None:
            return error.sound
    except ConfigError:
        if path.exists():
            raise
    return default_config(path.resolve().parent)


def _plan(
    opened: OpenedBackup,
    where: str,
    box: LoadedConfig,
    config_path: Path,
    known: dict[str, PartPlace],
    *,
    keep_config: bool,
    running: bool,
) -> _Plan:
    files: dict[Path, bytes] = {}
    left = [f"{text} (not in the backup)" for text in opened.manifest.left_out]
    for name in (*GIVEN_FILES, ADDITIONS, CORRECTIONS, PASSWORD):
        part = opened.content(name)
        if part is None:
            continue
        if name in GIVEN_FILES and (keep_config or known[name].path.exists()):
            left.append(f"{known[name].path}: this box has its own")
        else:
            files[known[name].path] = part
    text = opened.content(CONFIG)
    if text is not None and not keep_config:
        files[config_path] = _config_text(text, where, box, config_path, set(GIVEN_FILES) & set(opened.parts))
    keys = _keys(box, opened)
    gallery = _checked_galleries(opened, where, keys)
    content = opened.content(GALLERY)
    if content is not None:
        files[box.gallery_path] = content
    databases = {}
    for name in (DIARY, STRANGERS):
        if name not in opened.parts:
            continue
        check_database(opened.parts[name], DATABASES[name])
        if name == STRANGERS and running:
            left.append(f"{known[name].path}: the daemon has strangers in memory; stop it and restore again")
        else:
            databases[name] = known[name].path, opened.parts[name]
    private = {known[name].path for name in PRIVATE}
    return _Plan(files, private, databases, gallery, keys, left)


def _keys(box: LoadedConfig, opened: OpenedBackup) -> GalleryKeys:
    """The keys for checking the galleries: this box's own, else those of the backup."""
    own = box.gallery_keys
    signers = own.allowed_signers or opened.parts.get(SIGNERS)
    return GalleryKeys(signers, own.identity or opened.parts.get(IDENTITY))


def _checked_galleries(opened: OpenedBackup, where: str, keys: GalleryKeys) -> Gallery | None:
    """The gallery, after everything about it and what lies beside it has been checked. Raises GalleryError."""
    found = None
    for name in (GALLERY, ADDITIONS):
        content = opened.content(name)
        if content is not None:
            gallery = decode(content, f"{where}: {name}", None, keys)
            found = gallery if name == GALLERY else found
    if CORRECTIONS in opened.parts:
        read_any(opened.parts[CORRECTIONS].with_name(GALLERY))
    return found


def _config_text(content: bytes, where: str, box: LoadedConfig, config_path: Path, given: set[str]) -> bytes:
    """The backup's config.yaml, with the paths of this box. Raises BackupError and ConfigError."""
    try:
        text = content.decode()
        there = parse_config(text, config_path).config
        ours = {key: attrgetter(key)(box.config) for key in OWN_PATHS}
        ours |= {key: str(places(box)[key].path) for key in given}
        values: dict[str, Value] = {key: path for key, path in ours.items() if attrgetter(key)(there) != path}
        text = with_values(text, values)
        parse_config(text, config_path)
    except (UnicodeDecodeError, typed_yaml.Mistakes, ConfigError) as error:
        raise BackupError(
            f"{where}: its config.yaml cannot be used: {error}; restore the rest with --keep-config"
        ) from error
    return text.encode()


def _carry_out(plan: _Plan, box: LoadedConfig) -> None:
    """Write everything. Raises GalleryError and StorageError, and then the files are as they were."""
    with gallery_lock(box.gallery_path, LOCK_WAIT_S), contextlib.ExitStack() as undoing:
        for path, content in plan.files.items():
            undoing.callback(_put_back, path, _read(path))
            if path == box.gallery_path and plan.gallery is not None:
                keep_earlier(plan.gallery, path, plan.keys, box.config.gallery.keep_versions)
            _write(path, content, private=path in plan.private)
        for name, (target, copy) in plan.databases.items():
            with as_owner(target):
                replace_rows(target, copy, DATABASES[name])
        undoing.pop_all()


def _write(path: Path, content: bytes, *, private: bool) -> None:
    with as_owner(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    write_whole(content, path)
    if private:
        with as_owner(path):
            path.chmod(0o600)


def _read(path: Path) -> bytes | None:
    """What is at a path; None: nothing."""
    with as_owner(path):
        return read_regular(path) if path.exists() else None


def _put_back(path: Path, before: bytes | None) -> None:
    if before is not None:
        write_whole(before, path)
    else:
        with as_owner(path):
            path.unlink(missing_ok=True)
