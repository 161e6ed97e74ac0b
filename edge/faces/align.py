"""Five points -> the upright crop that the embedder was trained on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Image


def similarity_transform(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rotation, scale and shift (2, 3) that bring `source` (n, 2) closest to `target` (n, 2).

    Least squares, after Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991.
    """
    mean_s, mean_t = source.mean(0), target.mean(0)
    centred_s, centred_t = source - mean_s, target - mean_t
    u, values, vt = np.linalg.svd(centred_t.T @ centred_s / len(source))
    flip = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u @ np.diag(flip) @ vt
    spread = float((centred_s**2).sum() / len(source))
    scale = float(values @ flip) / max(spread, 1e-12)
    shift = mean_t - scale * rotation @ mean_s
    return np.column_stack([scale * rotation, shift]).astype(np.float64)


def crop(image: Image, five: NDArray[np.float32], template: NDArray[np.float32], size: int) -> Image:
    """Return the crop (size, size, 3) in which the five points lie on the embedder's template; bilinear."""
    transform = similarity_transform(five, template)
    aligned: Image = cv2.warpAffine(image, transform, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return aligned
