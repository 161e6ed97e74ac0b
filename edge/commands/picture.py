"""Shows a picture in a terminal, for people who are on a box over SSH."""

import cv2
import numpy as np
from click import style

from edge.records import Image

UPPER_HALF = "\N{UPPER HALF BLOCK}"


def in_blocks(image: Image, columns: int) -> str:
    """Draw an image with two pixels per character, one above the other, in 24-bit colours."""
    rows = max(2, round(image.shape[0] * columns / image.shape[1]) // 2 * 2)
    small = cv2.cvtColor(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    pairs = np.asarray(small, int).reshape(rows // 2, 2, columns, 3)
    lines = ("".join(_block(upper, lower) for upper, lower in zip(*pair, strict=True)) for pair in pairs.tolist())
    return "\n".join(lines)


def _block(upper: list[int], lower: list[int]) -> str:
    return style(UPPER_HALF, fg=(upper[0], upper[1], upper[2]), bg=(lower[0], lower[1], lower[2]))
