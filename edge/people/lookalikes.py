"""Who in the gallery can be mistaken for whom."""

from edge.config.loading import LoadedConfig
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, lookalikes
from edge.models.embedder_choice import embedder_card
from edge.models.measure import measure_of
from edge.people.summary import Lookalike
from edge.visits.thresholds import lookalike_threshold


def find_lookalikes(loaded: LoadedConfig) -> dict[str, list[Lookalike]]:
    """Find the look-alikes in the gallery on disk, by id. Raises GalleryError and ModelError."""
    return alike_of(loaded, open_gallery(loaded.gallery_path, None, loaded.gallery_keys))


def alike_of(loaded: LoadedConfig, gallery: Gallery) -> dict[str, list[Lookalike]]:
    """Who can be mistaken for whom, by id, the most similar first."""
    known = embedder_card(loaded.config.models, loaded.base)
    threshold = lookalike_threshold(loaded.config.match, known, len(gallery.embeddings))
    found: dict[str, list[Lookalike]] = {}
    for one, other, similarity in lookalikes(gallery, threshold, measure_of(known)):
        found.setdefault(one.id, []).append(Lookalike(other.id, other.name, similarity))
        found.setdefault(other.id, []).append(Lookalike(one.id, one.name, similarity))
    return found
