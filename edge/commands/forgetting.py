"""Forgetting somebody on this box: what it keeps beside galleries, and the folders in which traces are searched."""

from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.diary.diary_file import DiaryFile
from edge.galleries.corrections import corrections_path, forget_corrections
from edge.owner import as_owner
from edge.terminal import plural
from edge.visits.strangers_file import NAME, forget_everybody
from edge.visits.unknown_faces import clear


def forget_elsewhere(loaded: LoadedConfig, person: str) -> list[str]:
    """Clear unknown visitors, who may be this person, and remove the person from the diary.

    Returns what was removed. Raises StorageError and GalleryError.
    """
    strangers, anchors = Path(loaded.config.strangers.path), forget_corrections(loaded.gallery_path, person)
    removed = [str(path) for path in [*clear(strangers), *forget_everybody(strangers / NAME)]]
    removed += [f"{corrections_path(loaded.gallery_path)}: {plural(anchors, 'correction')}"] if anchors else []
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


def state_folders(loaded: LoadedConfig) -> tuple[Path, ...]:
    """The folders in which this box keeps anything beside its gallery."""
    config = loaded.config
    return Path(config.mqtt.outbox.path).parent, Path(config.diary.path).parent, Path(config.strangers.path)
