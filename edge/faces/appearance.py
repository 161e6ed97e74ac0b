"""Does a followed face still look the same? A glance at a dozen pixels, to decide whether a close look is due."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Box, Image

SIDE = 12
"""Pixels of the thumbnail that is compared."""
MIN_CORRELATION = 0.75
"""Between the thumbnails of two frames in a row; a cut to another face, or a hand before it, is below."""

Thumbnail = NDArray[np.float32]


class AppearanceWatch:
    """Remembers a thumbnail of every followed face, by track."""

    def __init__(self) -> None:
        self._last: dict[int, Thumbnail] = {}

    def changed(self, image: Image, boxes: Mapping[int, Box]) -> set[int]:
        """The tracks whose face looks unlike that of the frame before. `boxes` are in pixels of the BGR image."""
        current = {track: thumbnail(image, box) for track, box in boxes.items()}
        found = {
            track
            for track, now in current.items()
            if (before := self._last.get(track)) is not None and float((before * now).sum()) < MIN_CORRELATION
        }
        self._last = current
        return found


def thumbnail(image: Image, box: Box) -> Thumbnail:
    """(SIDE, SIDE) grey values of zero mean and length one, so that the product of two is their correlation."""
    height, width = image.shape[:2]
    left, top = max(0, round(box.left)), max(0, round(box.top))
    right, bottom = max(left + 1, min(width, round(box.right))), max(top + 1, min(height, round(box.bottom)))
    part = image[min(top, height - 1) : bottom, min(left, width - 1) : right]
    small = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    grey -= grey.mean()
    # The floor keeps an even picture finite.
    return np.asarray(grey / max(float(np.linalg.norm(grey)), 1.0), np.float32)
