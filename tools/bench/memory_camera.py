"""The real daemon on a camera whose pictures are in memory: `python -m tools.bench.memory_camera run --config FILE`.

A source `memory:FILE.npz` holds `pictures` (n, height, width, 3) and `order`, which picture each frame shows; it starts
over at its end. Frames come at `camera.fps`, and those that are not read in time are lost, as with a real camera.
"""

import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.__main__ import main
from edge.capture import geometry, registry
from edge.capture.camera import CameraKind
from edge.config.camera import CameraSettings
from edge.frame import Frame

PREFIX = "memory:"


class MemoryCamera:
    """Shows pictures in a fixed order at a fixed rate."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        """Load the pictures, and write the number of the reading thread beside them."""
        path = Path(settings.source.removeprefix(PREFIX))
        with np.load(path) as held:
            self._pictures: NDArray[np.uint8] = held["pictures"]
            self._order: list[int] = held["order"].tolist()
        self._settings = settings
        self._interval_s = 1.0 / settings.fps
        self._start = time.monotonic()
        self._last = -1
        thread_of(path).write_text(str(threading.get_native_id()), encoding="ascii")

    def read(self) -> Frame:
        now = time.monotonic()
        step = max(self._last + 1, int((now - self._start) / self._interval_s))
        due = self._start + step * self._interval_s
        if due > now:
            time.sleep(due - now)
        self._last = step
        picture = self._pictures[self._order[step % len(self._order)]]
        return geometry.frame(picture, self._settings, time.monotonic())

    def close(self) -> None:
        """Nothing is held."""


def thread_of(path: Path) -> Path:
    """Where the camera writes the number of its thread."""
    return path.with_suffix(".thread")


KIND = CameraKind(forms="`memory:FILE.npz`", takes=lambda source: source.startswith(PREFIX), open=MemoryCamera)

if __name__ == "__main__":
    registry.KINDS = (KIND, *registry.KINDS)
    main()
