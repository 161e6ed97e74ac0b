"""The part of a picture that an embedder sees: the face aligned by five points, or an upright square around it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.faces import align
from edge.models.card import Card
from edge.records import Image

POINTS = 5


class Framing(NamedTuple):
    """How a network was trained to see faces. One of the two is set."""

    alignment: NDArray[np.float32] | None
    """(5, 2): where eyes, nose and mouth corners lie in its input, px."""
    times: float | None = None
    """Without alignment: how many times the face's box the square is wide."""

    @classmethod
    def of(cls, card: Card) -> "Framing | None":
        """What the card of an embedder says; None: not five points, nor `crop`, or both."""
        if (card.alignment is None) == (card.crop is None):
            return None
        if card.alignment is not None and len(card.alignment) != POINTS:
            return None
        return cls(None if card.alignment is None else np.array(card.alignment, np.float32), card.crop)

    def template(self, five: NDArray[np.float32], mesh: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Where the five points (5, 2) of a face lie in its crop of `size` px; `mesh` (468, 3) is its face mesh."""
        if self.alignment is not None:
            return self.alignment
        low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
        wide = max(float((high - low).max()) * (self.times or 1.0), 1.0)
        placed: NDArray[np.float32] = ((five - (low + high) / 2) * (size / wide) + size / 2).astype(np.float32)
        return placed

    def crop(self, image: Image, five: NDArray[np.float32], mesh: NDArray[np.float32], size: int) -> Image:
        """The crop (size, size, 3) of a face."""
        return align.crop(image, five, self.template(five, mesh, size), size)
