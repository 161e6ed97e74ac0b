"""The newest frame of a live OpenCV capture, never one from a buffer."""

import threading
import time

import cv2
import numpy as np

from edge.capture.image_header import read_header
from edge.capture.limits import frame_problem
from edge.capture.photos import decode
from edge.errors import CameraError
from edge.records import Image

_SLACK_S = 1.0
"""How much longer than the library to wait: it should notice a dead stream first and end cleanly."""


class LiveCapture:
    """Grabs from an opened capture continuously, in a thread of its own, and decodes only the frames that are read.

    A slow reader then gets the present instead of a queue, and a library call that hangs costs it a time-out only.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str, timeout_s: float, *, jpegs: bool = False) -> None:
        """With `jpegs`, the capture delivers each frame as a JPEG file, whose size is checked before it is decoded."""
        self._capture = capture
        self._name = name
        self._timeout_s = timeout_s
        self._jpegs = jpegs
        self._condition = threading.Condition()
        self._wanted = False
        self._taken: tuple[Image, float] | None = None
        self._ended = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="live-capture", daemon=True)
        self._thread.start()

    def newest(self) -> tuple[Image, float]:
        """Return the next picture and the monotonic time at which it was grabbed. Raises CameraError."""
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
        """Stop the thread, which releases the device. One that hangs is left to end later."""
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
        """Grab until closed or something fails; return the reason."""
        while not self._closing:
            began = time.monotonic()
            grabbed = self._capture.grab()
            if time.monotonic() - began >= 0.9 * self._timeout_s:
                # Even with a frame: after each time-out, a decoder returns one of those that it still holds.
                return self._silence()
            if not grabbed:
                return "stopped delivering frames; the connection or device was lost"
            if self._wanted and (problem := self._take(time.monotonic())):
                return problem
        return "closed"

    def _take(self, at: float) -> str | None:
        """Decode the frame that was grabbed, and hand it over. Returns why it must not be decoded, if that is so."""
        decoded, image = self._capture.retrieve()
        if decoded and self._jpegs:
            content = image.tobytes()
            header = read_header(content)
            if header and (problem := frame_problem(header.width, header.height)):
                return problem
            picture = decode(content, upright=False)
        else:
            picture = np.asarray(image, np.uint8) if decoded else None
        if picture is not None:
            with self._condition:
                self._taken, self._wanted = (picture, at), False
                self._condition.notify_all()
        return None

    def _silence(self) -> str:
        return f"delivered no frame for {self._timeout_s:g} s"
