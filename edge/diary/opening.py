"""The diary of a box for those who read it, and the names that people have now."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.config.sections import GalleryKeys
from edge.diary.listing import Names
from edge.diary.reader import DiaryReader
from edge.errors import ConfigError, GalleryError, ModelError
from edge.galleries.gallery import Header
from edge.galleries.sealed import open_header
from edge.models.card import Calibration
from edge.models.embedder_choice import embedder_card
from edge.owner import as_owner


@contextlib.contextmanager
def open_diary(loaded: LoadedConfig) -> Iterator[DiaryReader]:
    """The diary of this box, for reading. Raises ConfigError when it keeps none, and StorageError."""
    settings = loaded.config.diary
    if settings.keep_days == 0:
        raise ConfigError("diary.keep_days is 0 in config.yaml, so this box keeps no diary of visits")
    path = Path(settings.path)
    # SQLite makes files beside it, even to read.
    with as_owner(path), DiaryReader(path) as diary:
        yield diary


def current_gallery(loaded: LoadedConfig) -> Header | None:
    """Who is in the gallery on disk, signed or not; None: there is none that can be read. Only for names."""
    try:
        return open_header(loaded.gallery_path, None, GalleryKeys(None, loaded.gallery_keys.identity))
    except GalleryError:
        return None


def calibration_of(loaded: LoadedConfig, model: str) -> Calibration | None:
    """The calibration of the embedder that decided a visit; None when another one is configured by now."""
    try:
        known = embedder_card(loaded.config.models, loaded.base)
    except ModelError:
        return None
    return known.naming_calibration if known.name == model else None


def names_of(gallery: Header | None) -> Names:
    """Everybody's name by id."""
    return {} if gallery is None else {person.id: person.name for person in gallery.people}
