"""How long each stage takes, over its last few hundred runs."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

KEPT = 512
LEAST_S = 1.0
"""Frames are counted over at least so long."""


class Spread(NamedTuple):
    """Durations of one stage, in seconds."""

    p50: float
    p95: float
    total: float
    """The sum since the start, not only over the runs that were kept."""
    times: int


class FrameRate:
    """Frames per second since it was asked last; asked again within a second, it says the same."""

    def __init__(self) -> None:
        self._last = (time.monotonic(), 0)
        self._rate: float | None = None

    def per_s(self, frames: int) -> float:
        """The rate, now that there have been so many frames in all."""
        now, (before, count) = time.monotonic(), self._last
        if self._rate is None or now - before >= LEAST_S:
            self._rate = (frames - count) / (now - before) if now > before else 0.0
            self._last = (now, frames)
        return self._rate


class Timings:
    """Durations by stage. One thread writes, any may read."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[float]] = {}
        self._totals: dict[str, tuple[float, int]] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time the body of a `with`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)

    def add(self, stage: str, seconds: float) -> None:
        self._recent.setdefault(stage, deque(maxlen=KEPT)).append(seconds)
        total, count = self._totals.get(stage, (0.0, 0))
        self._totals[stage] = (total + seconds, count + 1)

    def spreads(self) -> dict[str, Spread]:
        """Map each stage to its median, 95th percentile and total."""
        return {stage: self._spread(stage, list(times)) for stage, times in list(self._recent.items())}

    def _spread(self, stage: str, times: list[float]) -> Spread:
        p50, p95 = np.percentile(times, [50, 95])
        total, count = self._totals.get(stage, (0.0, 0))
        return Spread(float(p50), float(p95), total, count)
