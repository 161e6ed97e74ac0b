"""Motion detection, cheap enough for every frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.faces import MotionSettings
from edge.faces.median import median
from edge.records import Image

MIN_WIDTH = 96
SPARED_LOOKS = 5
"""While a picture stays as it was when nothing in it might be a face, only every fifth look is taken."""
LEAST_CHANGE = 3.5
"""Grey levels of a cell below which no change counts: it may be rounding, which three steps add up."""
CALM_SHARE = 0.75
BEYOND_NOISE = 10.5
"""A cell has changed that differs by more than so many times the mean of the CALM_SHARE of cells that differ least:
5.4 standard deviations of even noise. A mean, as cells are whole numbers."""


class MotionGate:
    """Compares each picture with a slowly adapting background."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: NDArray[np.float32] | None = None
        self._cells = np.zeros((1, 1), np.float32)
        self._empty: NDArray[np.float32] | None = None
        """The cells of the last picture that was searched as a whole, if nothing in it might be a face."""
        self._empty_at = 0.0
        self.moving: NDArray[np.bool_] = np.zeros((1, 1), np.bool_)
        """Which cells of the last picture moved: rows and columns that cover it."""
        self.half: Image = np.zeros((1, 1, 3), np.uint8)
        """The last picture at half its width, and flatter: see `_thinned`. As it is if it is small."""
        self._updated_at = 0.0
        self._moved_at: float | None = None
        self._looked_at: float | None = None

    def wants_look(self, picture: Image, now: float, busy: bool) -> bool:
        """Whether the detector should run on this picture. `busy`: somebody is being followed."""
        if self._moved(picture, now):
            self._moved_at = now
        lingering = self._moved_at is not None and now - self._moved_at <= self._settings.linger_s
        due = self._looked_at is None or now - self._looked_at >= self._settings.idle_interval_s
        awake = busy or lingering or not self._settings.enabled
        if not (awake or due):
            return False
        self._looked_at = now
        return awake or not self._is_as_searched(now)

    def searched(self, now: float, *, empty: bool) -> None:
        """The whole of the last picture was searched. `empty`: nothing in it might be a face."""
        self._empty, self._empty_at = self._cells if empty else None, now

    def wake(self, now: float) -> None:
        """Behave as if something had moved."""
        self._moved_at = now

    def _moved(self, picture: Image, now: float) -> bool:
        self.half = _thinned(picture) if picture.shape[1] >= 2 * MIN_WIDTH else picture
        self._cells = grey = _cells(self.half)
        if self._background is None or self._background.shape != grey.shape:
            self._background, self._updated_at = grey, now
            self.moving = np.zeros(grey.shape, np.bool_)
            return True
        # A lamp or a cloud changes the whole picture equally: that is not motion.
        difference = grey - self._background
        self.moving = np.abs(difference - np.float32(median(difference))) > self._settings.min_change
        weight = min(1.0, (now - self._updated_at) / self._settings.adapt_s)
        self._background = self._background + np.float32(weight) * difference
        self._updated_at = now
        return float(self.moving.mean()) >= self._settings.min_area

    def _is_as_searched(self, now: float) -> bool:
        """Whether another search would find nothing either: but for noise, the picture is what it was then.

        Unlike the background, that picture does not adapt: what changes slowly is noticed too.
        """
        known, patience_s = self._empty, SPARED_LOOKS * self._settings.idle_interval_s
        if known is None or known.shape != self._cells.shape or now - self._empty_at >= patience_s:
            return False
        change = self._cells - known
        change = np.abs(change - np.float32(median(change)))
        calm = int(CALM_SHARE * change.size)
        noise = float(np.partition(change, calm, axis=None)[: calm + 1].mean())
        return float(change.max()) <= max(LEAST_CHANGE, BEYOND_NOISE * noise)


def _thinned(image: Image) -> Image:
    """Two rows of each cell, halved. For the mean of two by two pixels, and no others, OpenCV has vector code."""
    some = image[:: _cell_width(image.shape[1] // 2)]
    rows, columns = max(1, some.shape[0] // 2), image.shape[1] // 2
    return np.asarray(
        cv2.resize(some[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
    )


def _cells(half: Image) -> NDArray[np.float32]:
    """The mean grey levels of a picture's cells: about MIN_WIDTH across, or a few more."""
    grey = cv2.cvtColor(half, cv2.COLOR_BGR2GRAY)
    side = _cell_width(grey.shape[1])
    columns = grey.shape[1] // side
    return cv2.resize(grey[:, : columns * side], (columns, grey.shape[0]), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )


def _cell_width(width: int) -> int:
    """Pixels across a cell of a picture; whole ones, which is three times as fast as exactly MIN_WIDTH cells."""
    return max(1, width // MIN_WIDTH)
