"""Portraits that the daemon's coach has taken, as templates in the gallery."""

from collections.abc import Sequence

import numpy as np

from edge.config.loading import LoadedConfig
from edge.errors import GalleryError
from edge.galleries.changes import change_between
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Template, timestamp
from edge.galleries.lock import gallery_lock
from edge.galleries.sealed import NoGallery
from edge.link.protocol import GuideShot
from edge.models.embedder_choice import embedder_card
from edge.people.editing import signing_key, write_change
from edge.people.lookalikes import alike_of

SOURCE = "camera"
LOCK_WAIT_S = 10.0


def add_portraits(loaded: LoadedConfig, name: str, shots: list[GuideShot]) -> list[str]:
    """Add portraits as `enroll_shots` does. Returns the names of others who look like this person."""
    gallery = enroll_shots(loaded, name, shots, LOCK_WAIT_S)
    person = gallery.named(name)
    return [one.name for one in alike_of(loaded, gallery).get(person.id, [])] if person else []


def enroll_shots(loaded: LoadedConfig, name: str, shots: Sequence[GuideShot], wait_s: float = 0.0) -> Gallery:
    """Add portraits to the person of this name, who may be new. Returns the gallery written.

    Raises GalleryError, also for portraits that another embedder than the gallery's has made.
    """
    path, at = loaded.gallery_path, timestamp()
    signing_key(loaded)
    known = embedder_card(loaded.config.models, loaded.base)
    embedder = EmbedderId(known.name, known.sha256)
    foreign = next((shot.embedder for shot in shots if shot.embedder != embedder.sha256), None)
    if foreign is not None:
        raise GalleryError(f"found portraits of the embedder {foreign[:12]}...; allowed: {embedder.name}; try again")
    templates = [Template(SOURCE, one.quality, at, one.infrared, one.yaw, one.brightness) for one in shots]
    vectors = [np.frombuffer(one.embedding, "<f4").astype(np.float32) for one in shots]
    with gallery_lock(path, wait_s):
        try:
            old = open_gallery(path, embedder, loaded.gallery_keys)
        except NoGallery:
            old = Gallery.empty(embedder, len(vectors[0]) if vectors else 0)
        new = old.with_templates(name, vectors, templates, at)
        write_change(loaded, path, change_between("enrolled", old, new), new)
    return new
