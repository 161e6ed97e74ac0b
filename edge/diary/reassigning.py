"""Visits that turn out to be another person's, because two entries of the gallery are one person."""

from contextlib import closing
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.diary.diary_file import DiaryFile
from edge.owner import as_owner


def visits_of(loaded: LoadedConfig, person: str, unless: str) -> list[str]:
    """The visits in the diary in which one person occurs and the other does not. Raises StorageError."""
    diary = Path(loaded.config.diary.path)
    if not diary.exists():
        return []
    with as_owner(diary), closing(DiaryFile(diary, loaded.config.diary.max_mb)) as file:
        return file.visits_with(person, unless)


def reassign(loaded: LoadedConfig, old: str, new: str, only: list[str] | None) -> None:
    """Give visits in the diary another person's id: all of theirs, or `only` some. Raises StorageError."""
    diary = Path(loaded.config.diary.path)
    if not diary.exists():
        return
    with as_owner(diary), closing(DiaryFile(diary, loaded.config.diary.max_mb)) as file:
        file.reassign(old, new, only)
