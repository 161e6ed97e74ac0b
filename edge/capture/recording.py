"""File replay: stands in for a camera, behind the same seam."""

import time
from collections.abc import Callable
from pathlib import Path

from edge.capture import geometry
from edge.capture.camera import CameraKind, EndOfRecording
from edge.capture.clip import open_clip
from edge.config.camera import CameraSettings, is_recording
from edge.frame import Frame


class Recording:
    """A video, a GIF, an image or a folder of images.

    With `realtime` it behaves like a live camera: frames come at the recording's own pace, counted from the first read,
    and those that are not read in time are lost. Without, no frame is lost, and `captured_at` is the time of opening
    plus the time within the recording. A video that is cut off is played to its end, then raises CameraError.
    """

    def __init__(
        self,
        settings: CameraSettings,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self.live = settings.realtime
        self._settings = settings
        self._path = Path(settings.source).expanduser()
        self._clock = clock
        self._wait = wait
        self._clip = open_clip(self._path, settings.fps)
        self._start = clock()
        self._started = False
        self._round_began_s = 0.0
        self._time_s = 0.0

    def read(self) -> Frame:
        self._step()
        if self.live:
            self._keep_pace()
        return geometry.frame(self._clip.picture(), self._settings, self._start + self._time_s)

    def close(self) -> None:
        self._clip.close()

    def _step(self) -> None:
        time_s = self._clip.grab()
        if time_s is None:
            if not self._settings.loop:
                raise EndOfRecording(f"{self._path} has ended")
            self._round_began_s = self._time_s + self._clip.interval_s
            self._clip.close()
            self._clip = open_clip(self._path, self._settings.fps)
            time_s = self._clip.grab() or 0.0
        self._time_s = self._round_began_s + time_s

    def _keep_pace(self) -> None:
        """Skip frames whose successor is already due, then wait until the frame is due."""
        now = self._clock()
        if not self._started:
            self._started = True
            self._start = now - self._time_s
        late = self._lateness(now)
        while self._lateness(now) >= self._clip.interval_s:
            self._step()
        now = self._clock()
        if self._lateness(now) > max(late, self._clip.interval_s):
            # Decoding is slower than the recording's pace: skipping would only increase the delay.
            self._start = now - self._time_s
        if (early := -self._lateness(now)) > 0:
            self._wait(early)

    def _lateness(self, now: float) -> float:
        return now - self._start - self._time_s


KIND = CameraKind(
    forms="the path of a video, a GIF, an image or a folder of images", takes=is_recording, open=Recording
)
