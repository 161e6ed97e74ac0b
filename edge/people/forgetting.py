"""Forgetting somebody on this box: what it keeps beside galleries, and the folders in which traces are searched."""

from functools import partial
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.config.sections import GalleryKeys
from edge.diary.diary_file import DiaryFile
from edge.errors import GalleryError
from edge.galleries.additions import additions_path, write_additions
from edge.galleries.corrections import corrections_path, forget_corrections
from edge.galleries.daemon_status import stamp_of, wait_for_status
from edge.galleries.file import open_gallery
from edge.galleries.forget import Forgotten, Traces, forget
from edge.galleries.gallery import timestamp
from edge.owner import as_owner
from edge.terminal import plural
from edge.visits.strangers_file import NAME, clear_pictures, forget_everybody

ACK_S = 15.0
"""How long to wait for the daemon to use a gallery before its traces are searched."""


def forget_removed(traces: Traces, path: Path, loaded: LoadedConfig) -> Forgotten:
    """Forget somebody who has been removed from the gallery, once the daemon uses the new one."""
    wait_for_status(path, stamp_of(path), ACK_S)
    folders = [path.parent, *state_folders(loaded)]
    return forget(traces, path, loaded.gallery_keys, folders, partial(forget_elsewhere, loaded))


def forget_elsewhere(loaded: LoadedConfig, person: str) -> list[str]:
    """Clear unknown visitors, who may be this person, and remove the person from the diary.

    Returns what was removed. Raises StorageError and GalleryError.
    """
    strangers, anchors = Path(loaded.config.strangers.path), forget_corrections(loaded.gallery_path, person)
    removed = [str(path) for path in [*clear_pictures(strangers), *forget_everybody(strangers / NAME)]]
    removed += [f"{corrections_path(loaded.gallery_path)}: {plural(anchors, 'correction')}"] if anchors else []
    removed += _forget_additions(loaded, person)
    path = Path(loaded.config.diary.path)
    if not path.exists():
        return removed
    with as_owner(path):
        diary = DiaryFile(path, loaded.config.diary.max_mb)
        try:
            changed = diary.forget(person)
        finally:
            diary.close()
    return [*removed, f"{path}: {plural(changed, 'visit')}"] if changed else removed


def _forget_additions(loaded: LoadedConfig, person: str) -> list[str]:
    """Remove their templates from visits, or the whole file when it cannot be read: anybody may be in that."""
    path = additions_path(loaded.gallery_path)
    if not path.exists():
        return []
    keys = loaded.gallery_keys
    try:
        additions = open_gallery(path, None, GalleryKeys(None, keys.identity))
        if all(one.id != person for one in additions.people):
            return []
        write_additions(additions.without(person, timestamp()), loaded.gallery_path, loaded.signing_key, keys)
    except GalleryError:
        with as_owner(path):
            path.unlink()
    return [str(path)]


def state_folders(loaded: LoadedConfig) -> tuple[Path, ...]:
    """The folders in which this box keeps anything beside its gallery."""
    config = loaded.config
    return Path(config.mqtt.outbox.path).parent, Path(config.diary.path).parent, Path(config.strangers.path)
