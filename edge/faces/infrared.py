"""Whether a picture has colours, or is grey as infrared light makes it. A glance at a few hundred pixels.

A picture without colour counts as infrared, whatever made it grey: the embedder sees the same either way.
"""

import cv2
import numpy as np

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
        tint = np.median(colour / np.maximum(luma, DARKEST))
        off_tint += float(np.abs(colour - tint * luma).mean()) / 2
    return 100 * off_tint / max(float(luma.mean()), DARKEST)


def is_infrared(image: Image) -> bool:
    """Whether a still picture or a face's crop is grey."""
    return colourfulness(image) < GREY_BELOW
