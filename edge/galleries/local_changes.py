"""What was changed at a box since the last push, and would be lost by another one."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.file import identity_of, open_gallery
from edge.galleries.gallery import Gallery, Person
from edge.galleries.history import History
from edge.galleries.merge import merge
from edge.records import Vector


def base_of(path: Path, keys: GalleryKeys, current: Gallery) -> Gallery | None:
    """The gallery that the box received last; None: none, or it is no longer known."""
    history = History(path)
    try:
        return open_gallery(history.base, None, GalleryKeys(None, keys.identity))
    except GalleryError:
        # Earlier releases did not keep it.
        return current if history.was_received(identity_of(current)) else None


def would_be_lost(new: Gallery, current: Gallery, base: Gallery | None, forgotten: str | None = None) -> list[str]:
    """Whom a new gallery would lose, one line each: what was changed here since `base` and is not in it.

    Without a base, everything that is in `current` counts. Somebody who should be forgotten does not.
    """
    if _made_differently(new, current):
        return []
    if base is not None and _made_differently(new, base):
        base = None
    merged = merge(new, current, base)
    after = {person.id: (person, rows) for person, rows in merged.gallery.known()}
    before = {person.id: (person, rows) for person, rows in new.known()}
    lines = {key: f"{after[key][0].name} ({key}), enrolled here" for key in merged.added}
    now = datetime.now(UTC)
    for key in merged.removed:
        person = before[key][0]
        if person.expires_at is None or person.expires_at > now:
            lines[key] = f"{person.name} ({key}), removed here"
    for conflict in merged.conflicts:
        lines.setdefault(conflict.person, f"{conflict.person}, changed on both sides ({conflict.what})")
    for key, (person, rows) in after.items():
        if key in before and not _same((person, rows), before[key]):
            lines.setdefault(key, f"{person.name} ({key}), changed here")
    lines.pop(forgotten or "", None)
    return list(lines.values())


def _made_differently(one: Gallery, other: Gallery) -> bool:
    """Whether they cannot be compared; then nothing of the old one can be kept anyway."""
    return one.header.embedder.sha256 != other.header.embedder.sha256 or (
        one.embeddings.shape[1] != other.embeddings.shape[1]
    )


def _same(one: tuple[Person, list[Vector]], other: tuple[Person, list[Vector]]) -> bool:
    """Whether two entries say the same; the order of the templates means nothing."""
    bare = [msgspec.structs.replace(person, templates=[]) for person, _ in (one, other)]
    rows = [{vector.tobytes() for vector in vectors} for _, vectors in (one, other)]
    return bare[0] == bare[1] and rows[0] == rows[1]
