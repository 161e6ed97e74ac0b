"""Portraits cut out of their background and dressed in a painted coat, as sprites for the demo clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import demo
from edge.capture.photos import PhotoError, read_photo
from edge.errors import UsageError
from edge.records import Image

PORTRAITS = Path(demo.__file__).parent / "portraits"

Layer = NDArray[np.float32]
"""(height, width, 4): BGR multiplied by alpha, then alpha itself; 0..255 and 0..1."""

Points = Sequence[tuple[float, float]]

UNIT = 160
"""Pixels of one face in a sprite."""
CENTRE = (330, 200)
"""Where a sprite's face is."""
SIZE = (660, 1640)
"""Width and height of a sprite."""
_MATTE_UNIT = 120
"""The width of a face in pixels where the outline is sought; more takes longer and shows no more."""
_BAND = 19
"""How far, in those pixels, the rough outline may be off: half of it either way."""

# In faces, from the centre of the face; a head is about 1.3 faces, a person 7.5 heads.
_COAT: Points = (
    (-0.40, 0.40), (-0.62, 0.60), (-1.08, 0.78), (-1.30, 1.02), (-1.42, 2.0), (-1.46, 3.5), (-1.1, 3.6), (-1.14, 5.2),
    (1.14, 5.2), (1.1, 3.6), (1.46, 3.5), (1.42, 2.0), (1.30, 1.02), (1.08, 0.78), (0.62, 0.60), (0.40, 0.40),
)  # fmt: skip
_LEGS: tuple[Points, ...] = (
    ((-0.95, 5.0), (-0.85, 8.5), (-0.25, 8.5), (-0.02, 5.0)),
    ((0.02, 5.0), (0.25, 8.5), (0.85, 8.5), (0.95, 5.0)),
)
_SHOES: tuple[Points, ...] = (
    ((-0.9, 8.45), (-0.95, 8.8), (-0.3, 8.8), (-0.22, 8.45)),
    ((0.22, 8.45), (0.3, 8.8), (0.95, 8.8), (0.9, 8.45)),
)


@dataclass(frozen=True, slots=True)
class SourcePortrait:
    """A photo, and where the person is in it, in its pixels; measured by eye."""

    photo: str
    """Below `portraits/`."""
    face: tuple[float, float, float]
    """Centre x and y, and the width of the face."""
    outline: Points
    """The rough outline of the person; GrabCut finds the exact one within a band around it."""
    coat: tuple[int, int, int]
    """BGR of the clothes, for what the photo does not show."""
    shows: Literal["head", "chest", "knees"]
    """How far down the photo can be used; the rest is painted."""
    shoulders: float = 0.0
    """How much lower than usual they are, in faces."""
    brightness: float = 1.0
    """A factor that brings photos made in different light to that of the scene."""


def cut_out(portrait: SourcePortrait) -> Layer:
    """The person of a portrait, head to foot, as a sprite of SIZE with the face at CENTRE and UNIT wide.

    Raises UsageError when the photo cannot be read.
    """
    path = PORTRAITS / portrait.photo
    try:
        photo = read_photo(path)
    except PhotoError as error:
        raise UsageError(f"{error}; it is part of whosthere: check it out again") from error
    person = _placed(_person(photo, portrait), portrait.face)
    coat = () if portrait.shows == "knees" else [(x, y + portrait.shoulders) for x, y in _COAT]
    clothes = _clothes(portrait.coat, coat)
    return over(person, _front(clothes)) if portrait.shows == "head" else over(clothes, person)


def over(below: Layer, above: Layer) -> Layer:
    """One layer painted over another."""
    return np.asarray(above + below * (1 - above[..., 3:]), dtype=np.float32)


def layer(colour: NDArray[np.float32], alpha: NDArray[np.float32]) -> Layer:
    """A layer of (height, width, 3) colour where (height, width) alpha is 1."""
    made = np.empty((*alpha.shape, 4), np.float32)
    np.multiply(colour, alpha[..., None], out=made[..., :3])
    made[..., 3] = alpha
    return made


def _person(photo: Image, portrait: SourcePortrait) -> Layer:
    scale = min(_MATTE_UNIT / portrait.face[2], 1.0)
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    matte = _matte(small, np.array(portrait.outline) * scale)
    alpha = cv2.resize(matte, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    colour = np.clip(photo.astype(np.float32) * np.float32(portrait.brightness), 0, 255)
    return layer(colour, alpha * _fading(photo.shape[0], portrait.face[2] * 0.12))


def _matte(photo: Image, outline: NDArray[np.float64]) -> NDArray[np.float32]:
    """Alpha of the person, (height, width), 0..1, in a photo whose face is about _MATTE_UNIT wide."""
    inside = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.round(outline).astype(np.int32)], (255,))
    band = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BAND, _BAND))
    surely = cv2.erode(inside, band, borderType=cv2.BORDER_CONSTANT, borderValue=(255,))
    perhaps = cv2.dilate(inside, band)
    labels = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[surely > 0] = cv2.GC_FGD
    labels[perhaps == 0] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    cv2.grabCut(photo, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    matte = _largest_piece(cv2.medianBlur(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8), 3))
    # Half the softness inwards, so that the edge carries no background with it.
    soft = cv2.GaussianBlur(matte.astype(np.float32), (0, 0), _MATTE_UNIT * 0.012)
    return np.asarray(np.clip((soft - 0.5) * 2.0, 0, 1), dtype=np.float32)


def _fading(height: int, over_px: float) -> NDArray[np.float32]:
    """1 down a column, fading to 0 at its end: a photo that ends at the chest blends into the painted coat."""
    from_the_end = np.arange(height, 0, -1, dtype=np.float32)[:, None]
    return np.asarray(np.clip(from_the_end / over_px, 0, 1), dtype=np.float32)


def _largest_piece(mask: NDArray[Any]) -> NDArray[np.uint8]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return mask.astype(np.uint8)
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), dtype=np.uint8)


def _placed(person: Layer, face: tuple[float, float, float]) -> Layer:
    x, y, width = face
    scale = UNIT / width
    sigma = 0.45 * max(1 / scale - 1, 0)
    smooth = cv2.GaussianBlur(person, (0, 0), sigma) if sigma > 0.1 else person
    move = np.array([[scale, 0, CENTRE[0] - scale * x], [0, scale, CENTRE[1] - scale * y]])
    return cv2.warpAffine(smooth, move, SIZE, flags=cv2.INTER_LINEAR).astype(np.float32)


def _clothes(colour: tuple[int, int, int], coat: Points) -> Layer:
    """Trousers, shoes and a coat of that shape, if any, shaded like cloth in daylight."""
    rng = np.random.default_rng(5)
    coarse = rng.standard_normal((SIZE[1] // 8, SIZE[0] // 4), dtype=np.float32)
    folds = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 2.2, sigmaY=5), SIZE, interpolation=cv2.INTER_CUBIC)
    across = np.cos((np.arange(SIZE[0], dtype=np.float32) - CENTRE[0]) / UNIT * 0.9)[None, :]
    cloth = (0.72 + 0.33 * across + 0.8 * folds)[..., None] * np.array(colour, np.float32)
    drawn = np.zeros((SIZE[1], SIZE[0], 4), np.float32)
    for shapes, dimmed in ((_LEGS, 0.75), (_SHOES, 0.35), ((coat,) if coat else (), 1.0)):
        for shape in shapes:
            drawn = over(drawn, layer(np.clip(cloth * np.float32(dimmed), 0, 255), _drawn(shape)))
    return _seams(drawn) if coat else drawn


def _seams(clothes: Layer) -> Layer:
    lines: tuple[Points, ...] = (
        ((0.0, 0.72), (0.06, 5.2)),
        ((-0.40, 0.40), (-0.52, 1.0), (0.0, 1.5)),
        ((0.40, 0.40), (0.52, 1.0), (0.0, 1.5)),
        ((-1.04, 1.5), (-1.06, 3.6)),
        ((1.04, 1.5), (1.06, 3.6)),
    )
    dark = np.zeros(clothes.shape[:2], np.uint8)
    for line in lines:
        cv2.polylines(dark, [_pixels(line)], False, (255,), 4, cv2.LINE_AA, 4)
    shaded = clothes.copy()
    shaded[..., :3] *= 1 - 0.45 * cv2.GaussianBlur(dark, (0, 0), 1.5).astype(np.float32)[..., None] / 255
    return shaded


def _front(clothes: Layer) -> Layer:
    """The coat as worn over the photo: open at the neck in a V."""
    neck = _drawn(((-0.6, -1.0), (-0.34, 0.44), (0.0, 0.72), (0.34, 0.44), (0.6, -1.0)))
    return np.asarray(clothes * (1 - neck)[..., None], dtype=np.float32)


def _drawn(shape: Points) -> NDArray[np.float32]:
    """Alpha of a polygon given in faces, on a sprite."""
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    cv2.fillPoly(mask, [_pixels(shape)], (255,), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), 1.6).astype(np.float32) / np.float32(255)


def _pixels(shape: Points) -> NDArray[np.int32]:
    """Sprite pixels with 4 fractional bits, as OpenCV's drawing takes them."""
    return np.round((np.array(shape) * UNIT + CENTRE) * 16).astype(np.int32)
