"""A liveness network of the owner's own: a crop around the face -> how sure it is of a living person."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.models.card import LivenessSpec
from edge.models.tflite import Model
from edge.records import Box, Image


class LivenessNetwork:
    """A classifier whose card says how much of the picture it sees and which of its classes is the living one.

    The crop is that of MiniFASNet (Silent-Face-Anti-Spoofing): `crop` times the face's box, moved into the picture
    where it would leave it, and smaller where the picture is.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._spec = self._checked(model)
        _, self._height, self._width, _ = model.card.input.shape

    @staticmethod
    def _checked(model: Model) -> LivenessSpec:
        spec, shapes = model.card.liveness, model.card.outputs
        if spec is None:
            raise ModelError(
                f"{model.path}: found no `liveness` in its card; allowed: crop, live_class and logits under that key"
            )
        if len(shapes) != 1 or len(shapes[0]) != 2 or spec.live_class >= shapes[0][1]:
            raise ModelError(
                f"{model.path}: found outputs {shapes} and liveness.live_class {spec.live_class}; allowed: one output "
                "of [batch, classes], and a live_class below the number of classes"
            )
        return spec

    def living(self, image: Image, mesh: NDArray[np.float32]) -> float:
        """How sure the network is that the face with this mesh (468, 3) is a living person's, 0..1.

        Raises ModelError if the network returns something that is not a number.
        """
        crop = crop_around(image, face_box(mesh), self._spec.crop)
        sized = cv2.resize(crop, (self._width, self._height), interpolation=cv2.INTER_LINEAR)
        row = np.asarray(self._model.run([np.asarray(sized, np.uint8)])[0][0], np.float64)
        if not np.isfinite(row).all():
            raise ModelError(f"{self._model.path}: the network returned {row.tolist()}, so it cannot be used")
        if self._spec.logits:
            row = np.exp(row - row.max())
            row /= row.sum()
        return min(max(float(row[self._spec.live_class]), 0.0), 1.0)


def face_box(mesh: NDArray[np.float32]) -> Box:
    """The upright box of a mesh: from the hairline to the chin, as the detectors of such networks draw it."""
    (left, top), (right, bottom) = mesh[:, :2].min(0), mesh[:, :2].max(0)
    return Box(float(left), float(top), float(right), float(bottom))


def crop_around(image: Image, box: Box, times: float) -> Image:
    """Cut out `times` the box, as much of it as fits, moved into the picture. At least one pixel."""
    height, width = image.shape[:2]
    times = min(times, (width - 1) / max(box.width, 1.0), (height - 1) / max(box.height, 1.0))
    wide, high, (x, y) = box.width * times, box.height * times, box.centre
    left = min(max(x - wide / 2, 0.0), width - 1 - wide)
    top = min(max(y - high / 2, 0.0), height - 1 - high)
    rows = slice(max(0, int(top)), max(0, int(top)) + max(1, int(high) + 1))
    columns = slice(max(0, int(left)), max(0, int(left)) + max(1, int(wide) + 1))
    return image[rows, columns]
