"""Face -> 468-point mesh, five points and head pose, with MediaPipe's face mesh (Kartynnik et al., 2019)."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.faces.brightness import brightened
from edge.models.tflite import Model
from edge.records import Face, Image, Landmarks, Pose, read_only

EYES = np.array(
    [
        [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173],
        [263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398],
    ]
)
"""The points around each eye, that on the image's left first."""
NOSE, MOUTH_LEFT, MOUTH_RIGHT = 4, 61, 291
EYE_LEFT_OUTER, EYE_RIGHT_OUTER = 33, 263
FOREHEAD, CHIN = 10, 152
REGION_MARGIN = 1.5
UPRIGHT_PITCH_DEG = 6.0
"""By how much the forehead-chin axis of the mesh leans when a head is upright.

The median of 2,475 frontal faces of LFW is 6.6, of 11 people who look into the camera (GRID) 4.6.
"""


class RotatedSquare(NamedTuple):
    """A rotated square of a picture."""

    x: float
    y: float
    side: float
    angle: float
    """Radians, clockwise in the image."""


class FaceMesh:
    """The landmark network."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._size = model.card.input.shape[1]

    def locate(self, image: Image, face: Face) -> Landmarks:
        """Locate a detected face's landmarks, in pixels of `image`; a second pass starts from the first one's mesh."""
        first, presence = self._pass(image, region_of_face(face))
        if not np.isfinite(first).all():
            return describe(first, 0.0)
        mesh, presence = self._pass(image, region_of_mesh(first))
        return describe(mesh, presence)

    def _pass(self, image: Image, region: RotatedSquare) -> tuple[NDArray[np.float32], float]:
        to_square = square_transform(region, self._size)
        flags = cv2.INTER_LINEAR
        crop: Image = cv2.warpAffine(image, to_square, (self._size, self._size), flags=flags).astype(
            np.uint8, copy=False
        )
        outputs = self._model.run([brightened(crop)])
        points = next(o for o in outputs if o.size == 1404).reshape(468, 3)
        logit = float(next(o for o in outputs if o.size == 1).reshape(-1)[0])
        return to_image(points, to_square, region.side / self._size), 1 / (1 + math.exp(-max(-80.0, min(80.0, logit))))


def region_of_face(face: Face) -> RotatedSquare:
    """Return the square around a detection, aligned with its eyes."""
    x, y = face.box.centre
    eye_a, eye_b = face.keypoints[0], face.keypoints[1]
    angle = math.atan2(float(eye_b[1] - eye_a[1]), float(eye_b[0] - eye_a[0]))
    return RotatedSquare(x, y, REGION_MARGIN * max(face.box.width, face.box.height), angle)


def region_of_mesh(mesh: NDArray[np.float32]) -> RotatedSquare:
    """Return the square around a mesh: the rotated bounding box of all its points, enlarged."""
    across = mesh[EYE_RIGHT_OUTER, :2] - mesh[EYE_LEFT_OUTER, :2]
    angle = math.atan2(float(across[1]), float(across[0]))
    cos, sin = math.cos(angle), math.sin(angle)
    turned = mesh[:, :2] @ np.array([[cos, -sin], [sin, cos]], np.float32)
    low, high = turned.min(0), turned.max(0)
    middle = (low + high) / 2
    x, y = middle @ np.array([[cos, sin], [-sin, cos]], np.float32)
    return RotatedSquare(float(x), float(y), REGION_MARGIN * float((high - low).max()), angle)


def square_transform(region: RotatedSquare, size: int) -> NDArray[np.float64]:
    """Return the affine transform (2, 3) from the picture to the upright square of `size` pixels."""
    scale = size / max(region.side, 1e-6)
    cos, sin = math.cos(region.angle) * scale, math.sin(region.angle) * scale
    dx = size / 2 - cos * region.x - sin * region.y
    dy = size / 2 + sin * region.x - cos * region.y
    return np.array([[cos, sin, dx], [-sin, cos, dy]])


def to_image(points: NDArray[np.float32], transform: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Map points (n, 3) of the square back to the picture; z is only scaled."""
    inverse = cv2.invertAffineTransform(transform)
    placed = points * np.float32(scale)
    placed[:, :2] = points[:, :2] @ inverse[:, :2].T + inverse[:, 2]
    return placed


def describe(mesh: NDArray[np.float32], presence: float) -> Landmarks:
    """Derive the five points for alignment, and the pose, from a mesh."""
    flat = mesh[:, :2]
    five = np.concatenate([flat[EYES].mean(1), flat[[NOSE, MOUTH_LEFT, MOUTH_RIGHT]]])
    return Landmarks(read_only(mesh), read_only(five.astype(np.float32)), presence, pose(mesh))


def pose(mesh: NDArray[np.float32]) -> Pose:
    """Derive the head's pose from two axes of the mesh: between the outer eye corners, and from forehead to chin."""
    # Plain numbers: for three at a time, numpy takes ten times as long.
    left, right, forehead, chin = mesh[[EYE_LEFT_OUTER, EYE_RIGHT_OUTER, FOREHEAD, CHIN]].tolist()
    across = _unit([b - a for a, b in zip(left, right, strict=True)])
    down = [b - a for a, b in zip(forehead, chin, strict=True)]
    lean = sum(a * d for a, d in zip(across, down, strict=True))
    ax, ay, az = across
    dx, dy, dz = _unit([d - a * lean for a, d in zip(across, down, strict=True)])
    # The cross product of the two looks forward.
    forward_x, forward_y, forward_z = ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx
    yaw = math.degrees(math.atan2(-forward_x, forward_z))
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, -forward_y)))) - UPRIGHT_PITCH_DEG
    roll = math.degrees(math.atan2(ay, ax))
    return Pose(yaw, pitch, roll)


def _unit(vector: list[float]) -> list[float]:
    length = max(math.hypot(*vector), 1e-9)
    return [value / length for value in vector]
