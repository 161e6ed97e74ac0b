"""Opening things with FFmpeg by way of OpenCV, silently: what both print can hold an address with its password."""

import os
from collections.abc import Sequence
from typing import Any

import cv2


def open_capture(name: str, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """A capture for a file name or address, opened or not. `options` are pairs of property and value.

    OpenCV reads FFmpeg's log level from the environment, once a process, and has no other way to set it.
    RTSP goes over TCP and falls back to UDP: that is OpenCV's default.
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    # OpenCV 5 moved the function.
    log: Any = getattr(cv2.utils, "logging", cv2)
    level = log.setLogLevel(0)
    try:
        return cv2.VideoCapture(name, cv2.CAP_FFMPEG, options)
    finally:
        log.setLogLevel(level)
