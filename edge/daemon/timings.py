"""How long each stage takes, over the last few hundred times."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

KEPT = 512


class Spread(NamedTuple):
    """Seconds."""

    p50: float
    p95: float
    total: float
    """Of all times since the start, not only of those kept."""
    times: int


class Timings:
    """Written by one thread, read by any."""

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
        """Stage -> medians and 95th percentiles."""
        return {stage: self._spread(stage, list(times)) for stage, times in list(self._recent.items())}

    def _spread(self, stage: str, times: list[float]) -> Spread:
        p50, p95 = np.percentile(times, [50, 95])
        total, count = self._totals.get(stage, (0.0, 0))
        return Spread(float(p50), float(p95), total, count)
