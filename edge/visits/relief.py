"""Does a face move like a head or like a picture of one? Two meshes of the same face tell, once it has turned.

A flat picture can be moved, turned and tilted as one likes: its points in the camera's image are always related by a
homography (Hartley and Zisserman, Multiple View Geometry, 2.3). A head's are not: the nose stands out from the face, so
it moves against the eyes when the head turns. What a homography cannot explain is called the relief here.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""(468, 2 or more) px; only x and y are used."""

BRIDGE, NOSE_TIP, CHIN = 168, 4, 152


class Turn(NamedTuple):
    """How a face has changed between two meshes."""

    foreshortening: float
    """0..1: the sine of the angle by which a flat picture would have to be turned to become as narrow."""
    relief: float
    """Root mean square of what no homography explains, in sizes of the face (the spread of its points)."""

    @property
    def depth(self) -> float:
        """The relief as a share of the foreshortening: about 0.3 for a head, near 0 for a picture."""
        return self.relief / max(self.foreshortening, 1e-6)


STILL = Turn(0.0, 0.0)


def turn_between(first: Points, second: Points) -> Turn:
    """Compare two meshes of one face."""
    a, b = (np.asarray(points[:, :2], np.float64) for points in (first, second))
    size = math.sqrt(float(((b - b.mean(0)) ** 2).sum(1).mean()))
    homography, _ = cv2.findHomography(a, b, 0)
    if homography is None or size <= 0 or not np.isfinite(homography).all():
        return STILL
    mapped = cv2.perspectiveTransform(a[None], homography)[0]
    relief = math.sqrt(float(((mapped - b) ** 2).sum(1).mean())) / size
    return Turn(_foreshortening(a, b), relief if math.isfinite(relief) else 0.0)


def nose_offset(points: Points) -> float:
    """How far the nose's tip lies beside the line from its bridge to the chin, in lengths of that line.

    Positive towards the image's right when the head is upright. It stays where it is on a picture that is turned, and
    on one that is bent about an upright axis as well.
    """
    bridge, chin = points[BRIDGE, :2], points[CHIN, :2]
    down = chin - bridge
    beside = points[NOSE_TIP, :2] - bridge
    return float(beside[0] * down[1] - beside[1] * down[0]) / max(float(down @ down), 1e-6)


def _foreshortening(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """From the affine map that fits best: it shrinks a picture that is turned by an angle to the angle's cosine."""
    design = np.column_stack([a, np.ones(len(a))])
    fitted = np.linalg.lstsq(design, b, rcond=None)[0]
    longer, shorter = np.linalg.svd(fitted[:2], compute_uv=False)
    ratio = min(max(float(shorter) / max(float(longer), 1e-9), 0.0), 1.0)
    return math.sqrt(1.0 - ratio * ratio)
