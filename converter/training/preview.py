"""A contact sheet of what augmentation makes of photos."""

import cv2
import numpy as np

from converter.sources import keras_of
from converter.training.augment import augmentation
from converter.training.crop_file import Pixels
from converter.training.dataset import Dataset
from edge.models.card import InputSpec

ROWS, COLUMNS = 8, 10
GAP_PX, PAPER = 4, 250


def preview(dataset: Dataset, spec: InputSpec, seed: int) -> bytes:
    """A PNG: one row per photo, first as the network is fed it, then varied as in training."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, ROWS).round().astype(int))
    keras_of(3).utils.set_random_seed(seed)
    model = augmentation(spec)
    plain = dataset.pixels(chosen)
    columns = [plain, *(_varied(model, plain) for _ in range(COLUMNS - 1))]
    side = spec.shape[1]
    sheet = np.full((len(chosen) * (side + GAP_PX) + GAP_PX, COLUMNS * (side + GAP_PX) + GAP_PX, 3), PAPER, np.uint8)
    for j, pictures in enumerate(columns):
        for i, picture in enumerate(pictures):
            top, left = GAP_PX + i * (side + GAP_PX), GAP_PX + j * (side + GAP_PX)
            sheet[top : top + side, left : left + side] = picture[..., ::-1] if spec.channels == "rgb" else picture
    return cv2.imencode(".png", sheet)[1].tobytes()


def _varied(model: object, pixels: Pixels) -> Pixels:
    made = np.asarray(model(pixels.astype(np.float32), training=True))  # type: ignore[operator]
    return np.clip(np.round(made), 0, 255).astype(np.uint8)
