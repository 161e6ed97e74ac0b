"""One picture -> every face in it, with quality and embedding.

Enrolment, batches, evaluation and the live loop all use it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.config.faces import QualitySettings, enrolment_limits
from edge.faces.brightness import brightened
from edge.faces.detect import Detector
from edge.faces.embed import TfliteEmbedder
from edge.faces.landmarks import FaceMesh
from edge.faces.liveness_network import LivenessNetwork
from edge.faces.quality import assess
from edge.faces.roi_detect import RoiDetector
from edge.models.tflite import Model
from edge.records import Face, Image, Landmarks, Quality, Vector


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedFace:
    """A detected face with everything that was measured of it."""

    face: Face
    landmarks: Landmarks
    crop: Image
    """Aligned for the embedder."""
    quality: Quality
    embedding: Vector | None
    """None: not embedded, because it is not usable or not wanted."""

    @property
    def infrared(self) -> bool:
        """Whether the face is grey, as under infrared light."""
        return self.quality.infrared


@dataclass(frozen=True, slots=True)
class Analyser:
    """The stages between a picture and its faces."""

    detector: Detector
    mesh: FaceMesh
    embedder: TfliteEmbedder
    limits: QualitySettings
    near: RoiDetector | None = None
    """Finds followed faces again at less cost; None: always search the whole picture."""
    liveness: Sequence[LivenessNetwork] = ()
    """The owner's own networks, if config.yaml names any."""
    networks: Sequence[Model] = ()
    """The networks that the stages run on."""

    def look(self, image: Image, face: Face, *, infrared: bool | None = None) -> AnalysedFace:
        """Measure landmarks, crop and quality of a detected face; no embedding yet. `infrared`: as for `assess`."""
        landmarks = self.mesh.locate(image, face)
        framed = self.embedder.framed(image, landmarks)
        crop = framed if self.embedder.frames_for_quality else None
        quality = assess(image, landmarks, self.limits, crop, infrared)
        return AnalysedFace(face, landmarks, brightened(framed), quality, None)

    def embed(self, portrait: AnalysedFace) -> AnalysedFace:
        """Return the same face with its embedding."""
        return replace(portrait, embedding=self.embedder.embed([portrait.crop])[0])

    def for_enrolment(self) -> "Analyser":
        """The same stages with the stricter limits of templates."""
        return replace(self, limits=enrolment_limits(self.limits))

    def portraits(self, image: Image, *, embed_unusable: bool = False) -> list[AnalysedFace]:
        """Analyse every face of a picture, best detection first; usable ones (or all) are embedded."""
        looked = [self.look(image, face) for face in self.detector.detect(image)]
        return [self.embed(p) if embed_unusable or p.quality.usable else p for p in looked]
