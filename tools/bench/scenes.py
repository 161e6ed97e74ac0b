"""Porches: empty ones with sensor noise, and some with up to eight faces."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.capture.photos import read_photo
from edge.demo.box import PORTRAITS
from edge.faces.analyser import Analyser
from edge.records import Image
from tools.bench.clips import demo_film

NOISE = 2.0
"""Standard deviation of the sensor's noise in grey levels."""
NOISY = 16
"""So many different noisy pictures of one scene."""
MARGIN = 0.35
"""How much of its surroundings a pasted face keeps on each side, in widths of its box."""
VISITORS = ("visit/barack-obama-2009.jpg", "enroll/joe-biden/photo.jpg", "enroll/grace-hopper/photo.jpg")
STRANGER = "visit/eileen-collins.jpg"
ENROLLED = {"Barack Obama": "barack-obama", "Joe Biden": "joe-biden", "Grace Hopper": "grace-hopper"}


def porch(width: int, height: int) -> Image:
    """The first picture of the demo's clip, on which nobody is."""
    return np.asarray(cv2.resize(demo_film().pictures[0], (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def noisy(picture: Image, count: int = NOISY, seed: int = 1) -> NDArray[np.uint8]:
    """The same scene `count` times as a sensor sees it (count, height, width, 3)."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(0.0, NOISE, (count, *picture.shape)).astype(np.float32)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def portraits(analyser: Analyser) -> list[Image]:
    """Eight faces with some surroundings: three enrolled people, a stranger, and the four mirrored."""
    folder = PORTRAITS.parent
    pictures = [read_photo(folder / name) for name in (*VISITORS, STRANGER)]
    cut = [_cut(picture, analyser) for picture in pictures]
    return [*cut, *(np.asarray(cv2.flip(face, 1), np.uint8) for face in cut)]


def crowd(background: Image, faces: Sequence[Image]) -> Image:
    """The porch with these faces on it, side by side in two rows."""
    picture = background.copy()
    height, width = picture.shape[:2]
    rows = 1 if len(faces) <= 4 else 2
    columns = max(1, -(-len(faces) // rows))
    side = min(width // (columns + 1), height // (rows + 1))
    for index, face in enumerate(faces):
        row, column = divmod(index, columns)
        left = round((column + 0.5) * width / columns - side / 2)
        top = round((row + 0.5) * height / rows - side / 2)
        picture[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return picture


def enrolled_photos() -> dict[str, Path]:
    """Name -> the photo from which the demo enrols that person."""
    return {name: PORTRAITS / person_id / "photo.jpg" for name, person_id in ENROLLED.items()}


def _cut(picture: Image, analyser: Analyser) -> Image:
    box = analyser.detector.detect(picture)[0].box
    (x, y), half = box.centre, max(box.width, box.height) * (0.5 + MARGIN)
    left, top = max(0, round(x - half)), max(0, round(y - half))
    return np.ascontiguousarray(picture[top : round(y + half), left : round(x + half)])
