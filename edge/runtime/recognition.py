"""Gallery + calibration + settings -> a matcher with the threshold in force."""

from edge.embed import TfliteEmbedder
from edge.errors import GalleryError, ModelError
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.match import Matcher, Threshold, threshold_for
from edge.runtime.config import LoadedConfig
from edge.visit import Linking

UNCALIBRATED_LINKING = Linking(same=0.4, different=0.15)
SAME_PERSON_RATE = 1e-3
OTHER_PERSON_RATE = 1e-1


def embedder_id(embedder: TfliteEmbedder) -> EmbedderId:
    """What a gallery says of the embedder that made it."""
    return EmbedderId(embedder.name, embedder.sha256)


def threshold_in_force(loaded: LoadedConfig, embedder: TfliteEmbedder, gallery: Gallery) -> Threshold:
    """Raises ModelError when the embedder has no calibration and config.yaml overrides nothing."""
    found = threshold_for(loaded.config.match, embedder.calibration, len(gallery.embeddings))
    if found is None:
        raise ModelError(
            f"the card of the embedder {embedder.name!r} has no calibration, so that match.false_alarm_target means "
            "nothing: calibrate it with `whosthere-converter calibrate`, or set match.threshold"
        )
    return found


def load_matcher(loaded: LoadedConfig, embedder: TfliteEmbedder, gallery: Gallery | None = None) -> Matcher:
    """A matcher for the configured gallery (or the one given). Raises GalleryError and ModelError."""
    known = gallery or open_gallery(loaded.gallery_path, embedder_id(embedder), loaded.gallery_keys)
    if known.embeddings.shape[1] != embedder.dimensions:
        raise GalleryError(
            f"{loaded.gallery_path}: its templates have {known.embeddings.shape[1]} numbers each, but those of the "
            f"embedder {embedder.name} have {embedder.dimensions}: enrol the photos again"
        )
    threshold = threshold_in_force(loaded, embedder, known)
    return Matcher(known, threshold.similarity, loaded.config.match.min_margin, embedder.calibration)


def linking_for(embedder: TfliteEmbedder) -> Linking:
    """When two embeddings are one visitor's: from the calibration, whatever the gallery."""
    if embedder.calibration is None:
        return UNCALIBRATED_LINKING
    same, _ = embedder.calibration.similarity_at(SAME_PERSON_RATE)
    different, _ = embedder.calibration.similarity_at(OTHER_PERSON_RATE)
    return Linking(same, different)
