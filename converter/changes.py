"""Changes to a picture that a camera or the night makes: out of focus, moving, far away, dark, bright, infrared."""

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Image

USUAL_EYES_PX = 42.0
"""Median distance of the eyes in LFW's pictures."""
NOISE = 2.0
"""Standard deviation, in grey levels, of what a sensor adds to a dark picture."""
IR_MIX = (0.1, 0.3, 0.6)
"""Share of blue, green and red in an artificial infrared picture: skin is bright and lips are pale, as in red light."""
IR_CONTRAST, IR_NOISE, IR_BLUR, IR_LEVEL = 0.5, 6.0, 0.8, 120.0
"""Half the contrast around this level, more noise than by day, and a lens that is focused for visible light."""

INFRARED = "artificial infrared"
"""What `infrared` makes, in reports and caches."""

Change = Callable[[Image], Image]


def blurred(sigma: float) -> Change:
    """Out of focus: Gaussian of `sigma` px, the eyes being 42 px apart."""
    return lambda image: _as_image(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma else image


def smeared(length: float, *, down: bool = False) -> Change:
    """Moving aside (or up and down) by `length` px while the shutter is open."""
    count = max(1, round(length))
    kernel = np.full((count, 1) if down else (1, count), 1 / count, np.float32)
    return lambda image: _as_image(cv2.filter2D(image, -1, kernel))


def shrunk(eyes_px: float) -> Change:
    """Further away: the eyes about `eyes_px` apart."""
    scale = eyes_px / USUAL_EYES_PX
    return lambda image: _as_image(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def exposed(gain: float) -> Change:
    """Darker (below 1) or clipped (above), with the noise of a sensor."""

    def change(image: Image) -> Image:
        noise = np.random.default_rng(0).normal(0, NOISE, image.shape)
        return _as_image(np.clip(np.round(image.astype(np.float32) * gain + noise), 0, 255))

    return change


def grey(noise: float) -> Change:
    """Without colour, with a sensor's noise of so many grey levels."""
    return lambda image: _as_grey(_luma(image), noise)


def flat(contrast: float) -> Change:
    """Without colour, and with that part of the contrast."""
    return lambda image: _as_grey((_luma(image) - IR_LEVEL) * contrast + IR_LEVEL, 0.0)


def infrared(image: Image) -> Image:
    """An artificial infrared picture: made of a colour photo, not taken in infrared light."""
    mixed = cv2.GaussianBlur(image.astype(np.float32) @ np.array(IR_MIX, np.float32), (0, 0), IR_BLUR)
    return _as_grey((mixed - IR_LEVEL) * IR_CONTRAST + IR_LEVEL, IR_NOISE)


def _luma(image: Image) -> NDArray[np.float32]:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)


def _as_grey(levels: NDArray[np.floating], noise: float) -> Image:
    """The noise is the same in all three channels, and the same each time, but another one for each picture."""
    random = np.random.default_rng(zlib.crc32(levels.tobytes()))
    noisy = levels + random.normal(0, noise, levels.shape) if noise else levels
    return _as_image(cv2.merge([np.clip(np.round(noisy), 0, 255).astype(np.uint8)] * 3))


def _as_image(pixels: NDArray[np.generic]) -> Image:
    return pixels.astype(np.uint8, copy=False)
