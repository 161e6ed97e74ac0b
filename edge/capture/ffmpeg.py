"""OpenCV's captures with FFmpeg, opened silently: both would print addresses with their passwords."""

import os
from collections.abc import Sequence
from typing import Any

import cv2


def open_capture(name: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Return a capture for a file name or address; it may have failed to open. `options`: property, value, property...

    OpenCV reads FFmpeg's log level from the environment, once per process, and offers no other way to set it.
    RTSP uses TCP and falls back to UDP, OpenCV's default.
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    # OpenCV 5 moved the function.
    log: Any = getattr(cv2.utils, "logging", cv2)
    level = log.setLogLevel(0)
    try:
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG, options)
    finally:
        log.setLogLevel(level)
