"""Whether a picture has colours, or is grey as infrared light makes it. A glance at a few hundred pixels.

A picture without colour counts as infrared, whatever made it grey: the embedder sees the same either way.
"""

import cv2
import numpy as np

from edge.faces.median import median
from edge.records import Image

SIDE = 16
"""Cells per side that are compared: each is a mean, so that the noise of a sensor averages out."""
DENSE_PX = 192
"""Longer pictures are thinned out first, which costs less than averaging all of their pixels."""
DARKEST = 8.0
"""Grey levels below which a cell's tint means nothing."""
GREY_BELOW = 1.3
"""Percent of the brightness. Of 700 photos of lfw-dev, 99.5 % of faces in colour are above 1.9, at exposures from a
tenth to normal, and grey, noisy or tinted ones below 0.7."""
ENTER_BELOW = 1.1
LEAVE_ABOVE = 1.6
HOLD_S = 1.0
"""For this long the picture must have changed before the watch believes it: headlights pass, a filter stays."""
EVERY_S = 0.2
"""How often it looks, at most: the light of a place does not change between two frames."""


def colourfulness(image: Image) -> float:
    """How much the colours of a BGR picture differ from one tint, as a mean over its cells, in percent of the luma.

    A tint over the whole picture, such as the violet of a camera without an infrared filter, is not colour.
    """
    step = max(1, max(image.shape[:2]) // DENSE_PX)
    cells = cv2.resize(image[::step, ::step], (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    luma, *chroma = cv2.split(cv2.cvtColor(cells / 255, cv2.COLOR_BGR2YCrCb) * 255)
    off_tint = 0.0
    for plane in chroma:
        colour = plane - 127.5
        tint = median(colour / np.maximum(luma, DARKEST))
        off_tint += float(np.abs(colour - tint * luma).mean()) / 2
    return 100 * off_tint / max(float(luma.mean()), DARKEST)


def is_infrared(image: Image) -> bool:
    """Whether a still picture or a face's crop is grey."""
    return colourfulness(image) < GREY_BELOW


class InfraredWatch:
    """Whether a camera delivers grey pictures now. Two limits and a delay keep it from flapping at dusk."""

    def __init__(self) -> None:
        self.infrared = False
        self._begun = False
        self._contrary_since: float | None = None
        self._looked_at = float("-inf")

    def update(self, preview: Image, now: float) -> bool:
        """Judge by one more BGR picture, taken at `now` in seconds."""
        if now - self._looked_at < EVERY_S:
            return self.infrared
        self._looked_at = now
        found = colourfulness(preview)
        if not self._begun:
            self.infrared, self._begun = found < GREY_BELOW, True
        contrary = found > LEAVE_ABOVE if self.infrared else found < ENTER_BELOW
        if not contrary:
            self._contrary_since = None
        elif self._contrary_since is None:
            self._contrary_since = now
        elif now - self._contrary_since >= HOLD_S:
            self.infrared, self._contrary_since = not self.infrared, None
        return self.infrared
