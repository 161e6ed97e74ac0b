"""Five points -> the upright crop that the embedder was trained on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Image


def similarity_transform(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rotation, scale and shift (2, 3) that bring `source` (n, 2) closest to `target` (n, 2).

    Least squares, as by Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991. In the plane, with
    points as complex numbers, it is a linear regression: target = turn * source + shift. It never mirrors.
    """
    plane_s, plane_t = (
        np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0] for points in (source, target)
    )
    mean_s, mean_t = plane_s.mean(), plane_t.mean()
    centred = plane_s - mean_s
    turn = complex(np.vdot(centred, plane_t)) / max(float(np.vdot(centred, centred).real), 1e-12)
    shift = mean_t - turn * mean_s
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop(image: Image, five: NDArray[np.float32], template: NDArray[np.float32], size: int) -> Image:
    """Return the crop (size, size, 3) in which the five points lie on the embedder's template; bilinear."""
    transform = similarity_transform(five, template)
    aligned: Image = cv2.warpAffine(image, transform, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return aligned
