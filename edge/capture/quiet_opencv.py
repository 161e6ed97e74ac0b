"""OpenCV without its log, which would print addresses with their login, and warn of what is reported anyway."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Log nothing from OpenCV within the block. The level is that of the whole process."""
    # OpenCV 5 moved the function.
    log: Any = getattr(cv2.utils, "logging", cv2)
    level = log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(level)
