"""Guests: people whom the box knows until a date, and of whom it then deletes everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.config.loading import LoadedConfig
from edge.galleries.file import open_gallery
from edge.galleries.forget import Forgotten, Traces, galleries_with
from edge.galleries.gallery import Gallery
from edge.galleries.lock import gallery_lock
from edge.people import editing
from edge.people.forgetting import forget_elsewhere, forget_removed

LOCK_WAIT_S = 10.0


def guests_over(gallery: Gallery, now: datetime) -> list[str]:
    """The ids of guests whose time is over."""
    return [p.id for p in gallery.people if p.guest and p.expires_at is not None and p.expires_at <= now]


@dataclass(frozen=True, slots=True)
class Departure:
    """Guests who are being deleted."""

    loaded: LoadedConfig
    traces: Sequence[Traces]

    def finish(self) -> list[Forgotten]:
        """Search everything for what is left, once the daemon uses the new gallery."""
        return [forget_removed(one, self.loaded.gallery_path, self.loaded) for one in self.traces]


def delete_guests(loaded: LoadedConfig, now: datetime) -> Departure | None:
    """Delete the guests whose time is over from everything, from the gallery last; None: there are none.

    So a guest whose traces cannot be deleted now stays in the gallery, unrecognised, and is deleted another time.
    Raises GalleryError and StorageError.
    """
    path, keys = loaded.gallery_path, loaded.gallery_keys
    editing.signing_key(loaded)
    over = guests_over(open_gallery(path, None, keys), now)
    if not over:
        return None
    for guest in over:
        forget_elsewhere(loaded, guest)
    with gallery_lock(path, LOCK_WAIT_S):
        traces = [Traces.of(guest, galleries_with(guest, path, keys)) for guest in over]
        for guest in over:
            gallery = open_gallery(path, None, keys)
            known = next((person for person in gallery.people if person.id == guest), None)
            if known is not None:
                editing.remove(loaded, path, gallery, known, final=True)
    return Departure(loaded, traces)
