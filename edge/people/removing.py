"""Removing somebody from this box, for a week or for good."""

from edge.config.loading import LoadedConfig
from edge.errors import UsageError
from edge.galleries.file import open_gallery
from edge.galleries.forget import Forgotten, Traces, galleries_with
from edge.galleries.gallery import Gallery, Person
from edge.galleries.lock import gallery_lock
from edge.people import editing
from edge.people.forgetting import forget_removed

LOCK_WAIT_S = 10.0


def remove(loaded: LoadedConfig, person: str) -> None:
    """Remove somebody by name or id; that can be undone for a week. Raises GalleryError."""
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = editing.person_of(path, gallery, person)
        editing.remove(loaded, path, gallery, known, final=False)


def forget(loaded: LoadedConfig, person: str, sure: str) -> tuple[str, Forgotten]:
    """Remove somebody from everywhere, with proof. `sure` is their name, typed to confirm it. Returns the name too.

    Raises UsageError for another name, and GalleryError.
    """
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = editing.person_of(path, gallery, person)
        if sure != known.name:
            raise UsageError(f"nothing was forgotten: type the name, {known.name}, to confirm it")
        return known.name, _forgotten(loaded, gallery, known)


def forget_guest(loaded: LoadedConfig, person: str) -> None:
    """Remove a guest, by id, from everywhere; somebody who has become more than a guest stays. Raises GalleryError."""
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = open_gallery(path, None, loaded.gallery_keys)
        known = next((one for one in gallery.people if one.id == person and one.guest), None)
        if known is not None:
            _forgotten(loaded, gallery, known)


def _forgotten(loaded: LoadedConfig, gallery: Gallery, known: Person) -> Forgotten:
    path = loaded.gallery_path
    traces = Traces.of(known.id, galleries_with(known.id, path, loaded.gallery_keys))
    editing.remove(loaded, path, gallery, known, final=True)
    return forget_removed(traces, path, loaded)
