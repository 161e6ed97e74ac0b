"""One picture -> every face in it, with quality and embedding.

Enrolment, batches, evaluation and the live loop all go through here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.detect import Detector
from edge.embed import TfliteEmbedder
from edge.landmarks import FaceMesh
from edge.near import NearDetector
from edge.quality import QualitySettings, assess
from edge.records import Face, Image, Landmarks, Quality, Vector
from edge.tflite import Model


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face looked at closely."""

    face: Face
    landmarks: Landmarks
    crop: Image
    """Aligned, as the embedder wants it."""
    quality: Quality
    embedding: Vector | None
    """None: not embedded, because it is not usable or nobody asked."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """The stages between a picture and its faces."""

    detector: Detector
    mesh: FaceMesh
    embedder: TfliteEmbedder
    limits: QualitySettings
    near: NearDetector | None = None
    """Finds followed faces again at less cost; None: always look at the whole picture."""
    networks: Sequence[Model] = ()
    """What the stages run on."""

    def look(self, image: Image, face: Face) -> Portrait:
        """Landmarks, crop and quality of a detected face; no embedding yet."""
        landmarks = self.mesh.locate(image, face)
        crop = self.embedder.crop(image, landmarks)
        return Portrait(face, landmarks, crop, assess(image, landmarks, self.limits), None)

    def embed(self, portrait: Portrait) -> Portrait:
        """The same with its embedding."""
        return replace(portrait, embedding=self.embedder.embed([portrait.crop])[0])

    def portraits(self, image: Image, *, embed_unusable: bool = False) -> list[Portrait]:
        """Every face of a picture, best detection first; usable ones (or all) embedded."""
        looked = [self.look(image, face) for face in self.detector.detect(image)]
        return [self.embed(p) if embed_unusable or p.quality.usable else p for p in looked]
