"""What the commands that correct visits share."""

from edge.commands.context import box_config
from edge.config.loading import LoadedConfig
from edge.diary.opening import open_diary
from edge.diary.record import VisitRecord
from edge.errors import ConfigError, UsageError
from edge.faces.embed import TfliteEmbedder
from edge.galleries.gallery import Gallery, Person
from edge.records import Vector

EXIT_CODES = """\b
Exit codes:
  0  fine
  1  the diary is missing, damaged or not readable
  2  no such visit or person, or the correction makes no sense
  3  config, or the box keeps no embeddings
  4  the gallery or its corrections cannot be read
"""
LOCK_WAIT_S = 10.0

config_option = box_config("The daemon's config.yaml.")


def person_in(gallery: Gallery, name: str) -> Person:
    """Somebody by name or id. Raises UsageError."""
    known = gallery.person(name)
    if known is None:
        everybody = ", ".join(p.name for p in gallery.people) or "nobody"
        raise UsageError(f"found nobody called {name!r}; in the gallery: {everybody}")
    return known


def is_infrared(found: VisitRecord) -> bool:
    """Whether a visit was seen in infrared light."""
    return found.best_face is not None and found.best_face.infrared


def remembered(loaded: LoadedConfig, visit: str, embedder: TfliteEmbedder) -> tuple[VisitRecord, list[Vector]]:
    """A visit and its embeddings. Raises ConfigError when none were kept."""
    with open_diary(loaded) as diary:
        found = diary.find(visit)
        probes = diary.embeddings(found.id, embedder.dimensions)
    if found.model != embedder.name:
        raise UsageError(f"{found.id}: decided with {found.model}, but models.embedder is {embedder.name} by now")
    if not probes:
        days = loaded.config.diary.embeddings_days
        raise ConfigError(
            f"{found.id}: no embedding was kept of this visit; diary.embeddings_days: found {days}; to correct later "
            "visits, set it to as many days as you need (1 or more) and restart the daemon"
        )
    return found, probes
