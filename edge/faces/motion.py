"""Motion detection, cheap enough for every frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.config.faces import MotionSettings
from edge.records import Image

MIN_WIDTH = 96


class MotionGate:
    """Compares each picture with a slowly adapting background."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background: np.ndarray[tuple[int, int], np.dtype[np.float32]] | None = None
        self.moving: NDArray[np.bool_] = np.zeros((1, 1), np.bool_)
        """Which cells of the last picture moved: rows and columns that cover it."""
        self._updated_at = 0.0
        self._moved_at: float | None = None
        self._looked_at: float | None = None

    def wants_look(self, preview: Image, now: float, busy: bool) -> bool:
        """Whether the detector should run on this picture. `busy`: somebody is being followed."""
        if self._moved(preview, now):
            self._moved_at = now
        lingering = self._moved_at is not None and now - self._moved_at <= self._settings.linger_s
        due = self._looked_at is None or now - self._looked_at >= self._settings.idle_interval_s
        if not (self._settings.enabled and not busy and not lingering and not due):
            self._looked_at = now
            return True
        return False

    def wake(self, now: float) -> None:
        """Behave as if something had moved."""
        self._moved_at = now

    def _moved(self, preview: Image, now: float) -> bool:
        # An integer factor is three times as fast as the exact width.
        factor = max(1, preview.shape[1] // MIN_WIDTH)
        width, height = preview.shape[1] // factor, max(1, preview.shape[0] // factor)
        whole = preview[: height * factor, : width * factor]
        small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        if self._background is None or self._background.shape != grey.shape:
            self._background, self._updated_at = grey, now
            self.moving = np.zeros(grey.shape, np.bool_)
            return True
        # A lamp or a cloud changes the whole picture equally: that is not motion.
        difference = grey - self._background
        self.moving = np.abs(difference - np.median(difference)) > self._settings.min_change
        weight = min(1.0, (now - self._updated_at) / self._settings.adapt_s)
        self._background = self._background + np.float32(weight) * difference
        self._updated_at = now
        return float(self.moving.mean()) >= self._settings.min_area
