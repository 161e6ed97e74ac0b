"""The newest frame of a live OpenCV capture, never one that lay in a buffer."""

import threading
import time

import cv2
import numpy as np

from edge.errors import CameraError
from edge.records import Image

_SLACK_S = 1.0
"""How much longer than the library we wait: it should notice a dead stream first and end cleanly."""


class LiveCapture:
    """Owns an opened capture and grabs from it all the time in a thread of its own, converting only what is taken.

    A reader that is slow, or away for a while, then finds the present and not a queue; and a library call
    that hangs costs a time-out and not the reader.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, timeout_s: float) -> None:
        self._capture = capture
        self._name = name
        self._timeout_s = timeout_s
        self._condition = threading.Condition()
        self._wanted = False
        self._taken: tuple[Image, float] | None = None
        self._ended = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="live-capture", daemon=True)
        self._thread.start()

    def newest(self) -> tuple[Image, float]:
        """The next picture to be grabbed and the monotonic time at which it was. Raises CameraError."""
        with self._condition:
            self._wanted = True
            self._condition.wait_for(lambda: self._taken or self._ended, self._timeout_s + _SLACK_S)
            return self._collect()

    def _collect(self) -> tuple[Image, float]:
        taken, self._taken = self._taken, None
        if taken is None:
            raise CameraError(f"{self._name}: {self._ended or self._silence()}")
        return taken

    def close(self) -> None:
        """End the thread, which gives the device back. A hanging one is left to end by itself."""
        self._closing = True
        self._thread.join(_SLACK_S)

    def _run(self) -> None:
        try:
            reason = self._grab_all()
        except cv2.error as error:
            reason = f"failed while delivering frames: {error.err}"
        self._capture.release()
        with self._condition:
            self._ended = reason
            self._condition.notify_all()

    def _grab_all(self) -> str:
        """Grab until told otherwise. Why it ended."""
        while not self._closing:
            began = time.monotonic()
            grabbed = self._capture.grab()
            if time.monotonic() - began >= 0.9 * self._timeout_s:
                # Also with a frame: after each time-out a decoder gives away one of those that it was still holding.
                return self._silence()
            if not grabbed:
                return "stopped delivering frames; the connection or device was lost"
            if self._wanted:
                self._take(time.monotonic())
        return "closed"

    def _take(self, at: float) -> None:
        decoded, image = self._capture.retrieve()
        if not decoded:
            return
        with self._condition:
            self._taken, self._wanted = (np.asarray(image, np.uint8), at), False
            self._condition.notify_all()

    def _silence(self) -> str:
        return f"delivered no frame for {self._timeout_s:g} s"
