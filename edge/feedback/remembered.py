"""A visit as the box remembers it, beside the gallery and the embedder that it was decided with."""

from dataclasses import dataclass

from edge.config.loading import LoadedConfig
from edge.diary.opening import open_diary
from edge.diary.record import VisitRecord
from edge.errors import ConfigError, ModelError, UsageError
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person
from edge.galleries.names import nobody_called
from edge.models.card import Card
from edge.models.embedder_choice import choose_embedder
from edge.records import SeenFaces, Vector

LOCK_WAIT_S = 10.0
"""How long a correction waits for another change of the gallery to end."""


@dataclass(frozen=True, slots=True)
class EmbedderFacts:
    """What a card says about the embedder: enough for everything but embedding, without loading the network."""

    card: Card

    @property
    def id(self) -> EmbedderId:
        return EmbedderId(self.card.name, self.card.sha256)

    @property
    def dimensions(self) -> int:
        return self.card.outputs[0][1]


@dataclass(frozen=True, slots=True)
class RememberedVisit:
    """A visit and its embeddings, each of length one: all faces together, then groups."""

    record: VisitRecord
    probes: list[Vector]

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def infrared(self) -> bool:
        """Whether it was seen in infrared light."""
        return self.record.best_face is not None and self.record.best_face.infrared

    def nearest_to(self, vectors: Vector) -> Vector:
        """Its embedding that is most like one of these, (n, d)."""
        return max(self.probes, key=lambda probe: float((vectors @ probe).max()))

    def seen(self, probe: Vector) -> SeenFaces:
        return SeenFaces.of(probe, infrared=self.infrared)


def embedder_facts(loaded: LoadedConfig) -> EmbedderFacts:
    """The card of the embedder that config.yaml names. Raises ModelError."""
    chosen = choose_embedder(loaded.config.models, loaded.base)
    found = chosen.card
    if found.task != "embed" or len(found.outputs) != 1 or len(found.outputs[0]) != 2:
        raise ModelError(f"{chosen.path}: found no embedder with one output; models.embedder must name one")
    return EmbedderFacts(found)


def gallery_of(loaded: LoadedConfig, embedder: EmbedderFacts) -> Gallery:
    """The current gallery. Raises GalleryError."""
    return open_gallery(loaded.gallery_path, embedder.id, loaded.gallery_keys, embedder.dimensions)


def gallery_or_none(loaded: LoadedConfig, embedder: EmbedderFacts) -> Gallery:
    """The current gallery; an empty one without a file: then everybody is a stranger. Raises GalleryError."""
    if not loaded.gallery_path.exists():
        return Gallery.empty(embedder.id, embedder.dimensions)
    return gallery_of(loaded, embedder)


def person_in(gallery: Gallery, name: str) -> Person:
    """Somebody by name or id. Raises UsageError."""
    known = gallery.person(name)
    if known is None:
        raise UsageError(nobody_called(name, (p.name for p in gallery.people)))
    return known


def remember(loaded: LoadedConfig, visit: str, embedder: EmbedderFacts) -> RememberedVisit:
    """A visit and its embeddings. Raises ConfigError when none were kept."""
    with open_diary(loaded) as diary:
        found = diary.find(visit)
        probes = diary.embeddings(found.id, embedder.dimensions)
    if found.model != embedder.card.name:
        raise UsageError(f"{found.id}: decided with {found.model}, but models.embedder is {embedder.card.name} by now")
    if not probes:
        days = loaded.config.diary.embeddings_days
        raise ConfigError(
            f"{found.id}: no embedding was kept of this visit; diary.embeddings_days: found {days}; to correct later "
            "visits, set it to as many days as you need (1 or more) and restart the daemon"
        )
    return RememberedVisit(found, probes)
