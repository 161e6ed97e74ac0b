"""The changes of the last week, and taking one of them back."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.config.loading import LoadedConfig
from edge.diary.reassigning import reassign
from edge.errors import GalleryError, UsageError
from edge.galleries.additions import additions_path, write_additions
from edge.galleries.changes import KEEP, GalleryChange, change_between, change_files, drop_old, read_change
from edge.galleries.corrections import read_any, write_corrections
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, timestamp
from edge.galleries.lock import gallery_lock
from edge.galleries.undo import undone, undone_additions, undone_anchors
from edge.owner import as_owner
from edge.people.editing import signing_key, write_change


class ChangeLine(msgspec.Struct, frozen=True):
    """One change that can be undone, as `gallery changes --json` has it."""

    id: str
    at: str
    """RFC 3339, UTC."""
    until: str
    """Until then it can be undone."""
    action: str
    people: list[str]
    """Whom it concerns, by name."""
    version: int
    """The gallery's version that it made."""


def list_changes(loaded: LoadedConfig, path: Path) -> tuple[list[ChangeLine], list[str]]:
    """The changes that can be undone, the newest first, and what is wrong with the others."""
    lines: list[ChangeLine] = []
    problems: list[str] = []
    for change in _changes(loaded, path, problems):
        until = datetime.fromisoformat(change.at) + KEEP
        lines.append(
            ChangeLine(change.id, change.at, f"{until:%Y-%m-%dT%H:%M:%SZ}", change.action, change.names, change.version)
        )
    return lines, problems


def undo_change(
    loaded: LoadedConfig, wanted: str | None, path: Path | None = None, wait_s: float = 0.0
) -> tuple[GalleryChange, Gallery]:
    """Take a change back by its id, or the newest, in the box's gallery or the one at `path`.

    What has changed since stays. Returns the change, and the gallery written.

    Raises UsageError when there is no such change or something depends on it, and GalleryError.
    """
    path, key = path or loaded.gallery_path, signing_key(loaded)
    with gallery_lock(path, wait_s):
        problems: list[str] = []
        changes = _changes(loaded, path, problems)
        change = next((one for one in changes if _is_wanted(one, wanted)), None)
        if change is None:
            known = ", ".join(one.id for one in changes) or "none"
            trouble = "".join(f"; {problem}" for problem in problems)
            raise UsageError(f"{path}: found no change {wanted or ''}; of the last 7 days: {known}{trouble}")
        old = open_gallery(path, None, loaded.gallery_keys)
        new = undone(change, old, timestamp())
        write_change(loaded, path, change_between("undone", old, new), new)
        _undo_beside(loaded, path, change, key)
        _forget_file(path, change)
    return change, new


def _is_wanted(change: GalleryChange, wanted: str | None) -> bool:
    """Whether that change is meant. Without an id, undoing twice takes back two changes, not the first undoing."""
    return change.id == wanted if wanted else change.action != "undone"


def _undo_beside(loaded: LoadedConfig, path: Path, change: GalleryChange, key: Path | None) -> None:
    """Take back what the change did to templates from visits, corrections and the diary."""
    if change.additions:
        additions = _additions(loaded, path, change.embedder)
        left = undone_additions(change, additions, timestamp())
        write_additions(left, path, key, loaded.gallery_keys)
    corrections = read_any(path)
    if corrections is not None and (change.anchors_before or change.anchors_after):
        write_corrections(undone_anchors(change, corrections), path)
    if change.visits:
        gone = next(one.id for one in change.people if one.after is None)
        kept = next(one.id for one in change.people if one.after is not None)
        reassign(loaded, kept, gone, change.visits)


def _additions(loaded: LoadedConfig, path: Path, embedder: EmbedderId) -> Gallery:
    file = additions_path(path)
    if not file.exists():
        return Gallery.empty(embedder, open_gallery(path, None, loaded.gallery_keys).embeddings.shape[1])
    return open_gallery(file, embedder, loaded.gallery_keys)


def _changes(loaded: LoadedConfig, path: Path, problems: list[str]) -> list[GalleryChange]:
    drop_old(path, datetime.now(UTC))
    found = []
    for file in change_files(path):
        try:
            found.append(read_change(file, loaded.gallery_keys))
        except GalleryError as error:
            problems.append(str(error))
    return found


def _forget_file(path: Path, change: GalleryChange) -> None:
    """A change that was undone cannot be undone again; undoing it is a change of its own."""
    for file in change_files(path):
        if file.stem.endswith(f"-{change.id}"):
            with as_owner(file):
                file.unlink(missing_ok=True)
