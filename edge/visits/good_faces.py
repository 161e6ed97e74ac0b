"""The good faces of a visit: those that would make templates. Only they link the visits of a stranger.

Blurred faces of different people resemble each other, so they must not say that somebody has come again.
"""

import numpy as np

from edge.config.faces import QualitySettings
from edge.events import GoodFace
from edge.models.similarity import TOO_ALIKE
from edge.records import Box, Image, Quality, Vector, direction
from edge.visits.best_picture import picture_value
from edge.visits.face_picture import face_of

KEPT = 3
"""How many are kept with their pictures."""
NEEDED = 3
"""With fewer good faces, a visit is linked to no other. A name needs as many by default."""


def is_good(quality: Quality, limits: QualitySettings) -> bool:
    """Whether a usable face meets these limits as well."""
    return (
        quality.usable
        and quality.eye_distance_px >= limits.min_eye_distance_px
        and quality.sharpness >= limits.min_sharpness
        and limits.min_brightness <= quality.brightness <= limits.max_brightness
        and quality.pose.off_axis <= limits.max_turn_deg
        and quality.presence >= limits.min_presence
    )


class GoodFaces:
    """Grows by one good face at a time."""

    def __init__(self, too_alike: float = TOO_ALIKE) -> None:
        """`too_alike`: of two faces this similar, only the better one is kept."""
        self._too_alike = too_alike
        self.count = 0
        self.kept: list[GoodFace] = []
        """The best that differ from each other, best first."""
        self._sum: Vector | None = None

    @property
    def probe(self) -> Vector | None:
        """The mean direction of all of them, weighted by quality, of length one; None: there are too few."""
        return None if self._sum is None or self.count < NEEDED else direction(self._sum)

    def add(self, quality: Quality, embedding: Vector, image: Image | None, box: Box) -> None:
        """Add a face, `box` being its place in `image`. Without an image, it adds to the probe alone."""
        weighted = embedding * np.float32(quality.score)
        self._sum = weighted if self._sum is None else self._sum + weighted
        self.count += 1
        if image is not None and self._would_keep(quality.score, embedding):
            value = picture_value(quality, box, image.shape[1], image.shape[0])
            self._keep(GoodFace(face_of(image, box), quality.score, embedding, value))

    def absorb(self, other: "GoodFaces") -> None:
        """Add what another visit of the same person gathered."""
        if other._sum is not None:
            self._sum = other._sum if self._sum is None else self._sum + other._sum
        self.count += other.count
        for face in other.kept:
            if self._would_keep(face.quality, face.embedding):
                self._keep(face)

    def _would_keep(self, score: float, embedding: Vector) -> bool:
        alike = [face.quality for face in self.kept if float(face.embedding @ embedding) >= self._too_alike]
        if alike:
            return score > max(alike)
        return len(self.kept) < KEPT or score > self.kept[-1].quality

    def _keep(self, new: GoodFace) -> None:
        different = [face for face in self.kept if float(face.embedding @ new.embedding) < self._too_alike]
        self.kept = sorted([*different, new], key=lambda face: -face.quality)[:KEPT]
