"""What one look shows of a print or a screen: the picture around the face, its borders, its light and its texture.

Pure functions on grey pictures (height, width). Lengths are in widths of the face unless they say otherwise.
"""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from edge.records import Box
from edge.sightings import SurroundingsFit

LEFT_EYE, RIGHT_EYE = (33, 133, 159, 145), (263, 362, 386, 374)
"""Outer and inner corner, upper and lower lid."""
RIGID = (33, 133, 263, 362, 168, 6, 4, 10, 61, 291)
"""Points that move with the head, whatever the face does."""

SIDE = 160
"""Pixels of the patch of surroundings that is compared."""
REACH = 4.0
"""The patch's side."""
TEXTURE = 2.0
"""Grey levels of fine structure below which surroundings look alike wherever they are."""
MIN_COMMON = 800
"""Pixels of surroundings that two looks must both show."""

BORDER_SIDE = 224
"""Pixels of the patch in which borders are searched: seven faces."""
BORDER_FACE_PX = 32
MIN_EDGE_PX = 36
BRIGHT, DARK = 100.0, 35.0
"""Grey levels: what is beside a face on a screen, and what is around a screen in the dark."""
MAX_SPECTRUM_PX, MIN_SPECTRUM_PX = 256, 64

Grey = NDArray[np.uint8]
Affine = NDArray[np.float64]


def eyes_open(mesh: NDArray[np.float32]) -> float:
    """The eyes' height by their width (Soukupova and Cech, 2016); about 0.3 when open."""
    xy = mesh[:, :2]
    ratios = [
        float(np.linalg.norm(xy[upper] - xy[lower])) / max(float(np.linalg.norm(xy[outer] - xy[inner])), 1e-6)
        for outer, inner, upper, lower in (LEFT_EYE, RIGHT_EYE)
    ]
    return sum(ratios) / 2


def patch_transform(box: Box) -> Affine:
    """The affine map (2, 3) from the picture to the patch of surroundings around a face."""
    x, y = box.centre
    scale = SIDE / (REACH * max(box.width, 1.0))
    return np.array([[scale, 0, SIDE / 2 - scale * x], [0, scale, SIDE / 2 - scale * y]])


def movement(first: NDArray[np.float32], second: NDArray[np.float32]) -> Affine | None:
    """The similarity transform (2, 3) by which a head moved between two meshes."""
    rigid = list(RIGID)
    a, b = (np.asarray(mesh[rigid, :2], np.float64) for mesh in (first, second))
    found, _ = cv2.estimateAffinePartial2D(a, b, method=cv2.LMEDS)
    return None if found is None else np.asarray(found, np.float64)


def moved_by(box: Box, motion: Affine) -> float:
    """How far a head moved, in widths of the face; coming nearer by a tenth counts as a tenth."""
    middle = np.array(box.centre)
    shift = motion[:, :2] @ middle + motion[:, 2] - middle
    return float(np.linalg.norm(shift)) / max(box.width, 1.0) + abs(float(np.hypot(motion[0, 0], motion[1, 0])) - 1)


def followed(transform: Affine, motion: Affine) -> Affine:
    """The map to the same patch, for surroundings that went where the head went."""
    back = cv2.invertAffineTransform(motion)
    return np.asarray(np.vstack([transform, [0, 0, 1]]) @ np.vstack([back, [0, 0, 1]]), np.float64)[:2]


def structure(grey: Grey, transform: Affine) -> NDArray[np.float32]:
    """The fine structure of a patch (SIDE, SIDE); NaN outside of the picture."""
    patch = cv2.warpAffine(grey, transform, (SIDE, SIDE)).astype(np.float32)
    fine = np.asarray(patch - cv2.GaussianBlur(patch, (0, 0), 4), np.float32)
    fine[~_inside(grey.shape, transform)] = np.nan
    return fine


def _inside(shape: tuple[int, ...], transform: Affine) -> NDArray[np.bool_]:
    back = cv2.invertAffineTransform(transform)
    ys, xs = np.mgrid[0:SIDE, 0:SIDE]
    x = back[0, 0] * xs + back[0, 1] * ys + back[0, 2]
    y = back[1, 0] * xs + back[1, 1] * ys + back[1, 2]
    return np.asarray((x >= 1) & (y >= 1) & (x < shape[1] - 1) & (y < shape[0] - 1), np.bool_)


def compare_surroundings(
    before: NDArray[np.float32], stayed: NDArray[np.float32], went: NDArray[np.float32]
) -> SurroundingsFit | None:
    """Compare what was around a face with what is there now, and with what is around it now.

    None: too little of it is in the picture, or it has no structure.
    """
    common = _AROUND & np.isfinite(before) & np.isfinite(stayed) & np.isfinite(went)
    if int(common.sum()) < MIN_COMMON or float(before[common].std()) < TEXTURE:
        return None
    return SurroundingsFit(_correlation(before[common], stayed[common]), _correlation(before[common], went[common]))


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum()) / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6)


def _around() -> NDArray[np.bool_]:
    """Beside the face and its hair, and above them; never the shoulders, which move with the head."""
    ys, xs = (np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2) / SIDE * REACH
    return np.asarray(((np.abs(xs) > 0.9) | (ys < -1.1)) & (ys < 0.15), np.bool_)


_AROUND = _around()


def border_sides(grey: Grey, box: Box) -> int | None:
    """On how many of its four sides a straight edge lies that is longer than the face and parallel to it.

    None for a face too small to tell.
    """
    if box.width < BORDER_FACE_PX:
        return None
    half, (x, y) = BORDER_SIDE / BORDER_FACE_PX / 2 * box.width, box.centre
    patch, shown = _square(grey, Box(x - half, y - half, x + half, y + half), BORDER_SIDE)
    edges = np.where(shown, cv2.Canny(patch, 40, 100), 0).astype(np.uint8)
    lines = cv2.HoughLinesP(edges, 1, np.pi / 180, 30, minLineLength=MIN_EDGE_PX, maxLineGap=4)
    if lines is None:
        return 0
    sides = {_side(*(float(v) for v in line)) for line in np.asarray(lines).reshape(-1, 4)}
    return len(sides - {None})


def _side(x0: float, y0: float, x1: float, y1: float) -> str | None:
    """Where a line of the patch lies; None: it is oblique, or crosses the face."""
    width, height = abs(x1 - x0), abs(y1 - y0)
    x, y = (x0 + x1 - BORDER_SIDE) / 2, (y0 + y1 - BORDER_SIDE) / 2
    if height > 3 * width and abs(x) > 18:
        return "left" if x < 0 else "right"
    if width > 3 * height and (y < -22 or y > 26):
        return "above" if y < 0 else "below"
    return None


def glows(grey: Grey, box: Box) -> bool | None:
    """Whether what is beside the face is bright, and what is further away dark. None: that is not in the picture."""
    beside, beyond = _ring_median(grey, box, 1.5, 2.2), _ring_median(grey, box, 2.8, 4.0)
    return None if beside is None or beyond is None else beside >= BRIGHT and beyond <= DARK


def _ring_median(grey: Grey, box: Box, inner: float, outer: float) -> float | None:
    """The median of a square ring around a face, without what is below its chin."""
    x, y = box.centre
    outside = _clipped(grey, Box(x - outer * box.width / 2, y - outer * box.width / 2,
                                 x + outer * box.width / 2, y + box.width / 2))  # fmt: skip
    left, top = max(0, round(x - outer * box.width / 2)), max(0, round(y - outer * box.width / 2))
    ys, xs = np.mgrid[0 : outside.shape[0], 0 : outside.shape[1]]
    beyond = np.maximum(np.abs(xs + left - x), np.abs(ys + top - y)) > inner * box.width / 2
    values = outside[beyond]
    return float(np.median(values)) if values.size > 50 else None


def moire_peak(image: MatLike, box: Box) -> float | None:
    """How far the highest peak of the spectrum stands above the ring that it lies in, in decades of power.

    Of the face and what is around it (2.7 times its size) in the full BGR picture, not scaled. None: too small.
    """
    x, y = box.centre
    half = min(2.7 * max(box.width, box.height), MAX_SPECTRUM_PX) / 2
    part = _clipped(image, Box(x - half, y - half, x + half, y + half))
    side = min(part.shape[:2])
    if side < MIN_SPECTRUM_PX:
        return None
    grey = cv2.cvtColor(part[:side, :side], cv2.COLOR_BGR2GRAY).astype(np.float32)
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window[:, None] * window)) ** 2
    level = np.log10(power + 1.0)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]) * 2
    rings = [level[(radius >= low) & (radius < low + 0.05)] for low in np.arange(0.25, 0.95, 0.05)]
    return max(float(ring.max() - np.median(ring)) for ring in rings)


def _clipped(image: MatLike, box: Box) -> MatLike:
    height, width = image.shape[:2]
    left, top = min(max(0, round(box.left)), width), min(max(0, round(box.top)), height)
    return image[top : max(top, min(height, round(box.bottom))), left : max(left, min(width, round(box.right)))]


def _square(grey: Grey, box: Box, side: int) -> tuple[Grey, NDArray[np.bool_]]:
    """A square of the picture, scaled, and which of its pixels show the picture and not what is beyond its edge."""
    part = _clipped(grey, box)
    height, width = grey.shape[:2]
    above, below = round(max(0.0, -box.top)), round(max(0.0, box.bottom - height))
    left, right = round(max(0.0, -box.left)), round(max(0.0, box.right - width))
    if part.size == 0:
        return np.zeros((side, side), np.uint8), np.zeros((side, side), np.bool_)
    full = cv2.copyMakeBorder(part, above, below, left, right, cv2.BORDER_REPLICATE)
    inside = np.full(part.shape, 255, np.uint8)
    seen = cv2.copyMakeBorder(inside, above, below, left, right, cv2.BORDER_CONSTANT, value=0)
    small = cv2.resize(full, (side, side), interpolation=cv2.INTER_AREA)
    shown = cv2.erode(cv2.resize(seen, (side, side)), np.ones((7, 7), np.uint8), borderValue=255) == 255
    return np.asarray(small, np.uint8), np.asarray(shown, np.bool_)
