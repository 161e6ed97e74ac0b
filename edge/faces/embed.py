"""Aligned crop -> unit vector."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.faces import align
from edge.faces.brightness import brightened
from edge.faces.framing import Framing
from edge.faces.quality import SIDE, TEMPLATE
from edge.galleries.gallery import EmbedderId
from edge.models.card import Calibration, Card
from edge.models.tflite import Model
from edge.records import Image, Landmarks, Vector, read_only


class TfliteEmbedder:
    """An embedder with one output vector, whose card states its alignment template."""

    def __init__(self, model: Model) -> None:
        card = model.card
        framing = Framing.of(card)
        if framing is None:
            raise ModelError(
                f"{model.path}: the card of an embedder must state five points under `alignment` or, for one that was "
                "trained without alignment, `crop`"
            )
        if len(card.outputs) != 1 or len(card.outputs[0]) != 2:
            raise ModelError(
                f"{model.path}: an embedder must have one output, one vector per face; its card says {card.outputs}"
            )
        self._model = model
        self._framing = framing
        self._batch, self._size = card.input.shape[0], card.input.shape[1]
        self.dimensions = card.outputs[0][1]
        aligned = framing.alignment is not None and np.array_equal(framing.alignment, TEMPLATE)
        self.frames_for_quality = aligned and self._size == SIDE
        """Whether its crops are the ones by which `quality.assess` judges a face."""

    @property
    def card(self) -> Card:
        return self._model.card

    @property
    def id(self) -> EmbedderId:
        """What a gallery records about its embedder."""
        return EmbedderId(self.name, self.sha256)

    @property
    def sha256(self) -> str:
        """The model file's hash, which galleries are tied to."""
        return self._model.card.sha256

    @property
    def name(self) -> str:
        return self._model.card.name

    @property
    def calibration(self) -> Calibration | None:
        """The card's calibration: similarity -> false-match rate."""
        return self._model.card.calibration

    @property
    def infrared_calibration(self) -> Calibration | None:
        """The same for two faces in infrared light; None: not measured."""
        return self._model.card.infrared_calibration

    def framed(self, image: Image, landmarks: Landmarks) -> Image:
        """The crop (size, size, 3) of a face, as bright as the picture is."""
        return self._framing.crop(image, landmarks.five, landmarks.mesh, self._size)

    def crop(self, image: Image, landmarks: Landmarks) -> Image:
        """The crop (size, size, 3) of a face, as the network should see it."""
        return brightened(self.framed(image, landmarks))

    def crop_at(self, image: Image, five: NDArray[np.float32]) -> Image:
        """The aligned crop (size, size, 3) of the face whose eyes, nose and mouth corners (5, 2) are at these px.

        Raises ModelError for an embedder that sees faces unaligned: it needs all points of the mesh.
        """
        if self._framing.alignment is None:
            raise ModelError(
                f"{self._model.path}: its card states no `alignment`, and five points are not enough for it"
            )
        return brightened(align.crop(image, five, self._framing.alignment, self._size))

    def embed(self, crops: Sequence[Image]) -> list[Vector]:
        """Return one unit vector (dimensions,) per crop. Raises ModelError if the network returns NaN or zeros."""
        return [self._unit(row) for row in self.outputs(crops)]

    def outputs(self, crops: Sequence[Image]) -> Iterator[NDArray[np.float32]]:
        """Yield one vector (dimensions,) per crop as the network gives it, of any length."""
        for start in range(0, len(crops), self._batch):
            yield from self._model.run(crops[start : start + self._batch])[0]

    def _unit(self, row: NDArray[np.float32]) -> Vector:
        length = float(np.linalg.norm(row))
        if not np.isfinite(length) or length < 1e-6:
            raise ModelError(
                f"{self._model.path}: the network returned a vector of length {length}, so it cannot be used"
            )
        return read_only((row / length).astype(np.float32))
