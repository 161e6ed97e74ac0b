"""Whether a face can be used as evidence, and if not, why."""

import math
from dataclasses import replace

import cv2
import numpy as np
from cv2.typing import MatLike

from edge.config.faces import QualitySettings
from edge.faces import align
from edge.faces.infrared import is_infrared
from edge.faces.shortfall import shortfall
from edge.records import Image, Landmarks, Pose, Problem, Quality

SIDE = 112
"""Pixels of the crop that is assessed: not the embedder's own, so that limits mean the same for all embedders."""
TEMPLATE = np.array(
    [[36.880, 52.477], [73.480, 52.069], [55.171, 71.529], [40.567, 89.495], [70.792, 89.304]], np.float32
)
"""Where the five points lie in it: the bundled embedder's template."""
BORDER = 16
"""Pixels at the crop's edge that are mostly background."""
FULL_EYE_DISTANCE_PX = 40.0
"""Beyond this, more pixels do not improve a crop of 112x112."""
FULL_SHARPNESS = 60.0
SECOND_DIFFERENCES = (
    np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]], np.float32),
    np.array([[0, 1, 0], [0, -2, 0], [0, 1, 0]], np.float32),
    # Diagonal steps are longer by the square root of two.
    np.array([[1, 0, 0], [0, -2, 0], [0, 0, 1]], np.float32) / 2,
    np.array([[0, 0, 1], [0, -2, 0], [1, 0, 0]], np.float32) / 2,
)


def assess(
    image: Image,
    landmarks: Landmarks,
    settings: QualitySettings,
    crop: Image | None = None,
    infrared: bool | None = None,
) -> Quality:
    """Assess one face of a BGR picture by its landmarks and the pixels around them.

    `crop`: the face on TEMPLATE, (SIDE, SIDE, 3), if there is one already. `infrared`: whether the light is, if that is
    known; None: judged by the face.
    """
    if crop is None:
        crop = align.crop(image, landmarks.five, TEMPLATE, SIDE)
    luma = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    inner = luma[BORDER:-BORDER, BORDER:-BORDER]
    eyes = float(np.linalg.norm(landmarks.five[1] - landmarks.five[0]))
    sharpness = detail(inner)
    brightness = float(inner.mean())
    score = _score(eyes, sharpness, landmarks.pose, landmarks.presence)
    grey = is_infrared(crop) if infrared is None else infrared
    found = Quality(score, eyes, sharpness, brightness, landmarks.pose, landmarks.presence, None, grey)
    problem = shortfall(found, settings)
    if problem is not Problem.NOT_A_FACE and is_cut_off(image, landmarks):
        problem = Problem.CUT_OFF
    return replace(found, problem=problem)


def detail(luma: MatLike) -> float:
    """Measure fine detail of a grey picture, as the variance of the second difference in the direction with the least.

    The least of four directions: motion blur keeps the detail across it, which the Laplacian would take for sharpness.
    """
    differences = (cv2.filter2D(luma, cv2.CV_32F, kernel)[1:-1, 1:-1] for kernel in SECOND_DIFFERENCES)
    # Without the border, where mirroring turns every slope into detail.
    return min(float(difference.var()) for difference in differences)


def is_cut_off(image: Image, landmarks: Landmarks) -> bool:
    """Whether eyes, nose or mouth lie outside the picture."""
    height, width = image.shape[:2]
    x, y = landmarks.five[:, 0], landmarks.five[:, 1]
    return bool((x < 0).any() or (y < 0).any() or (x >= width).any() or (y >= height).any())


def _score(eyes: float, sharpness: float, pose: Pose, presence: float) -> float:
    """Return a weight in 0..1: a product, so that one bad property makes it small."""
    size = min(1.0, eyes / FULL_EYE_DISTANCE_PX)
    crisp = math.sqrt(min(1.0, sharpness / FULL_SHARPNESS))
    frontal = max(0.0, math.cos(math.radians(pose.off_axis)))
    return size * (0.3 + 0.7 * crisp) * frontal * presence
