"""Picture -> faces, with MediaPipe's BlazeFace. Decoding is pure functions over tensors."""

import itertools
import math
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from edge.config.faces import DetectSettings
from edge.errors import ModelError
from edge.faces.brightness import brightened
from edge.models.tflite import Model, Tensor
from edge.records import Box, Face, Image

CANDIDATE_SCORE = 0.3
"""Boxes with lower scores take no part in suppression; the settings decide which are reported."""
CANDIDATE_LOGIT = math.log(CANDIDATE_SCORE / (1 - CANDIDATE_SCORE))
SAME_FACE_IOU = 0.3
SAME_FACE_INSIDE = 0.4
"""The share of the smaller box inside the larger one. At 0.4 no face of wider-dev is lost that is found without it."""
MAX_SQUARES = 12
"""One run of the network each: enough for pictures of 10 to 1, the most that `capture.limits` lets through."""
EDGE_PX = 4.0
EDGE_PENALTY = 0.1


class Detector(Protocol):
    """Finds faces."""

    def detect(self, image: Image) -> list[Face]:
        """Return all faces of a BGR picture, in its pixels, best first."""
        ...

    def candidates(self, image: Image) -> list[Face]:
        """Return all that might be faces as well, whatever their score."""
        ...


class Letterbox(NamedTuple):
    """How a picture was fitted into the network's square."""

    scale: float
    """Pixels of the square for each pixel of the picture."""
    left: float
    top: float


class BlazeFaceDetector:
    """BlazeFace (Bazarevsky et al., 2019): any variant whose card states its strides."""

    def __init__(self, model: Model, settings: DetectSettings) -> None:
        if model.card.strides is None:
            raise ModelError(f"{model.path}: the card of a BlazeFace detector must state its `strides`")
        self._model = model
        self._settings = settings
        self._size = model.card.input.shape[1]
        self._anchors = anchors(self._size, tuple(model.card.strides))

    def detect(self, image: Image) -> list[Face]:
        return [face for face in self.candidates(image) if face.score >= self._settings.min_score]

    def candidates(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        spans = squares(width, height) if self._settings.squares else [(0, 0, width, height)]
        return suppress_nested([face for span in spans for face in self._detect_in(image, span)])

    def _detect_in(self, image: Image, span: tuple[int, int, int, int]) -> list[Face]:
        left, top, right, bottom = span
        square, box = letterbox(image[top:bottom, left:right], self._size)
        outputs = self._model.run([square])
        boxes = next(o for o in outputs if o.shape[-1] == 16)[0]
        logits = next(o for o in outputs if o.shape[-1] == 1)[0, :, 0]
        faces = decode(boxes, logits, self._anchors, self._size)
        placed = [_place(face, box, left, top) for face in faces]
        return [lower_at_inner_edge(face, span, image.shape[1], image.shape[0]) for face in placed]


def squares(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Return overlapping squares (left, top, right, bottom) that cover a picture; only one if it is nearly square.

    Neighbours share at least an eighth of their side, so that a face at a seam is whole in one of them. A picture that
    would need more than MAX_SQUARES is covered by that many oblongs.
    """
    short, length = min(width, height), max(width, height)
    if length <= short * 1.34:
        return [(0, 0, width, height)]
    side = max(short, math.ceil(length * 8 / (7 * MAX_SQUARES + 1)))
    count = math.ceil((length - side / 8) / (side * 7 / 8))
    starts = [round(i * (length - side) / (count - 1)) for i in range(count)]
    if width >= height:
        return [(start, 0, start + side, short) for start in starts]
    return [(0, start, short, start + side) for start in starts]


def letterbox(image: Image, size: int) -> tuple[Image, Letterbox]:
    """Fit a picture, brightened if it is dark, into a black square of `size`, centred, its long side filling it."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    small = resized(brightened(image), new_width, new_height)
    left, top = (size - new_width) // 2, (size - new_height) // 2
    square: Image = np.zeros((size, size, 3), np.uint8)
    square[top : top + new_height, left : left + new_width] = small
    return square, Letterbox(scale, left, top)


def resized(image: Image, width: int, height: int) -> MatLike:
    """Resize a picture: when it becomes smaller, to about the mean of what falls into each pixel.

    Beyond a factor of two, bilinear to double the size, and halved: OpenCV has vector code for both, and none for other
    means. On wider-dev it finds what the mean finds.
    """
    small: MatLike = image
    while small.shape[1] >= 4 * width and small.shape[0] >= 4 * height:
        small = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if small.shape[1] > 2 * width and small.shape[0] > 2 * height:
        small = cv2.resize(small, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    how = cv2.INTER_AREA if width < small.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=how)


def anchors(size: int, strides: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the anchor centres (n, 2) as (x, y) in 0..1, row by row: two per cell and layer, one for a single layer.

    Layers of the same stride share their cells: all anchors of a cell come before those of the next.
    """
    each = 2 if len(strides) > 1 else 1
    parts = []
    for stride, layers in itertools.groupby(strides):
        grid = size // stride
        steps = (np.arange(grid, dtype=np.float32) + 0.5) / grid
        y, x = np.meshgrid(steps, steps, indexing="ij")
        parts.append(np.stack([x, y], -1).reshape(-1, 2).repeat(each * len(list(layers)), axis=0))
    return np.concatenate(parts).astype(np.float32)


def decode(boxes: Tensor, logits: Tensor, centres: NDArray[np.float32], size: int) -> list[Face]:
    """Raw outputs (n, 16) and (n,) -> faces in pixels of the network's square, suppressed."""
    # Of the many logits, only the few that count are turned into scores.
    keep = np.flatnonzero(logits >= CANDIDATE_LOGIT)
    if not keep.size:
        return []
    scores = (1.0 / (1.0 + np.exp(-np.minimum(logits[keep], 80.0)))).astype(np.float32)
    points = boxes[keep].reshape(-1, 8, 2) / np.float32(size)
    centre = points[:, 0] + centres[keep]
    half = points[:, 1] / 2
    keypoints = points[:, 2:] + centres[keep][:, None]
    corners = np.concatenate([centre - half, centre + half], axis=1)
    rows = np.concatenate([corners, keypoints.reshape(-1, 12)], axis=1) * np.float32(size)
    return weighted_suppression(rows, scores)


def weighted_suppression(rows: NDArray[np.float32], scores: NDArray[np.float32]) -> list[Face]:
    """Merge overlapping candidates (n, 16) into one face each: their score-weighted mean, with the best score.

    Bazarevsky et al., "BlazeFace", 2019, section 4.
    """
    faces = []
    rest = np.argsort(-scores, kind="stable")
    while rest.size:
        same = _iou(rows[rest[0], :4], rows[rest, :4]) > SAME_FACE_IOU
        # A box without area does not even overlap itself.
        same[0] = True
        cluster = rest[same]
        weights = scores[cluster][:, None]
        mean = (rows[cluster] * weights).sum(0) / weights.sum()
        left, top, right, bottom = (float(v) for v in mean[:4])
        faces.append(Face(Box(left, top, right, bottom), float(scores[rest[0]]), mean[4:].reshape(6, 2)))
        rest = rest[~same]
    return faces


def _iou(one: NDArray[np.float32], many: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.maximum(np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2]), 0)
    shared = sides[:, 0] * sides[:, 1]
    spans = many[:, 2:] - many[:, :2]
    areas = spans[:, 0] * spans[:, 1] + (one[2] - one[0]) * (one[3] - one[1])
    ratio: NDArray[np.float32] = shared / np.maximum(areas - shared, 1e-9)
    return ratio


def suppress_nested(faces: list[Face]) -> list[Face]:
    """Keep the best of boxes that overlap, or lie in one another: one face, seen in two squares or found in two sizes.

    A face that fills the picture is also found as a smaller box around half of it.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: -f.score):
        if not any(_same_face(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def _same_face(a: Box, b: Box) -> bool:
    smaller = min(a.area_px, b.area_px)
    inside = a.overlap_px(b) / smaller if smaller > 0 else 1.0
    return a.iou(b) > SAME_FACE_IOU or inside > SAME_FACE_INSIDE


def _place(face: Face, box: Letterbox, left: int, top: int) -> Face:
    """Map a face from the network's square to the whole picture."""
    offset = np.array([box.left, box.top], np.float32)
    origin = np.array([left, top], np.float32)
    keypoints = (face.keypoints - offset) / np.float32(box.scale) + origin
    placed = face.box.moved(-box.left, -box.top).scaled(1 / box.scale).moved(left, top)
    return Face(placed, face.score, keypoints)


def lower_at_inner_edge(face: Face, span: tuple[int, int, int, int], width: int, height: int) -> Face:
    """Lower the score of a face cut by a seam, so that the whole one in the neighbouring square wins."""
    left, top, right, bottom = span
    box = face.box
    cut = (
        (left > 0 and box.left < left + EDGE_PX)
        or (top > 0 and box.top < top + EDGE_PX)
        or (right < width and box.right > right - EDGE_PX)
        or (bottom < height and box.bottom > bottom - EDGE_PX)
    )
    return Face(box, face.score - EDGE_PENALTY, face.keypoints) if cut else face
