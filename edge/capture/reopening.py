"""A camera that is reopened after each failure."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from edge.capture.camera import Camera, EndOfRecording
from edge.capture.registry import describe
from edge.config.camera import CameraSettings
from edge.errors import CameraError
from edge.frame import Frame

_log = logging.getLogger("whosthere.capture")


class Backoff:
    """The wait before the next attempt: doubling, with jitter, between two bounds."""

    def __init__(self, min_s: float, max_s: float, jitter: Callable[[], float] = random.random) -> None:
        self._min_s = min_s
        self._max_s = max(min_s, max_s)
        self._jitter = jitter
        self._ceiling_s = self._min_s

    def next(self) -> float:
        """Return the seconds to wait now."""
        wait_s = self._min_s + (self._ceiling_s - self._min_s) * (0.5 + self._jitter() / 2)
        self._ceiling_s = min(2 * self._ceiling_s, self._max_s)
        return wait_s

    def reset(self) -> None:
        self._ceiling_s = self._min_s


class ReopeningCamera:
    """Frames from a camera, across its outages.

    `on_state(online, reason)` is called when the first frame arrives, once when frames stop and once when they return.
    With `retry` false, as for recordings, a failure is reported and then raised.
    """

    def __init__(
        self,
        opener: Callable[[], Camera],
        settings: CameraSettings,
        on_state: Callable[[bool, str], None],
        *,
        retry: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._opener = opener
        self._settings = settings
        self._on_state = on_state
        self._retry = retry
        self._clock = clock
        self._wait = wait
        self._backoff = Backoff(settings.reopen_min_s, settings.reopen_max_s, jitter)
        self._name = describe(settings)
        self._online: bool | None = None
        self._since = 0.0

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames until `stop` is set or a recording ends.

        Raises ConfigError, and CameraError when it does not retry. Closing the iterator closes the camera.
        """
        while not stop.is_set():
            try:
                yield from self._until_it_fails(stop)
                return
            except EndOfRecording:
                return
            except CameraError as error:
                self._went_offline(str(error))
                if not self._retry:
                    raise
            self._wait(stop, self._backoff.next())

    def _until_it_fails(self, stop: threading.Event) -> Iterator[Frame]:
        with closing(self._opener()) as camera:
            while not stop.is_set():
                frame = camera.read()
                self._came_online()
                yield frame

    def _came_online(self) -> None:
        if self._online:
            return
        if self._online is None:
            reason = f"{self._name}: delivers frames"
        else:
            reason = f"{self._name}: delivers frames again after {self._clock() - self._since:.0f} s"
        _log.info(reason)
        self._change(online=True, reason=reason)

    def _went_offline(self, reason: str) -> None:
        # Hurry only for a camera that was online for long, not for one that comes and goes.
        if self._online and self._clock() - self._since >= self._settings.reopen_max_s:
            self._backoff.reset()
        if self._online is False:
            _log.debug("%s", reason)
            return
        _log.warning("%s%s", reason, "; retrying until it is back" if self._retry else "")
        self._change(online=False, reason=reason)

    def _change(self, *, online: bool, reason: str) -> None:
        self._online = online
        self._since = self._clock()
        self._on_state(online, reason)
