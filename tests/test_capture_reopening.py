import logging
import threading

import numpy as np
import pytest

from edge.capture.camera import EndOfRecording
from edge.capture.reopening import Backoff, ReopeningCamera
from edge.config.camera import CameraSettings
from edge.errors import CameraError, ConfigError
from edge.frame import Frame

PICTURE = np.zeros((4, 4, 3), np.uint8)


class Script:
    """A camera that follows a script, one entry for each opening: how many frames, and how it ends.

    Time passes in `wait` and by a second with each frame.
    """

    def __init__(self, *openings, **settings):
        self.openings = list(openings)
        self.settings = CameraSettings(source="rtsp://bob:hunter2@door/x", **settings)
        self.now = 0.0
        self.waits = []
        self.states = []
        self.open_cameras = 0
        self.stop = threading.Event()

    def open(self):
        if not self.openings:
            self.stop.set()
            raise CameraError("the script has ended")
        frames, end = self.openings.pop(0)
        if frames is None:
            raise end
        return ScriptedCamera(self, frames, end)

    def wait(self, stop, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def steady(self, **options):
        return ReopeningCamera(
            self.open,
            self.settings,
            lambda online, reason: self.states.append((online, reason)),
            clock=lambda: self.now,
            wait=self.wait,
            jitter=lambda: 1.0,
            **options,
        )


class ScriptedCamera:
    live = True

    def __init__(self, script, frames, end):
        self.script, self.frames, self.end = script, frames, end
        script.open_cameras += 1

    def read(self):
        self.script.now += 1.0
        if self.frames == 0:
            raise self.end
        self.frames -= 1
        return Frame(PICTURE, PICTURE, self.script.now)

    def close(self):
        self.script.open_cameras -= 1


LOST = CameraError("door: lost")
GONE = CameraError("door: nothing listens")


def test_an_outage_is_reported_once_and_so_is_its_end(caplog):
    caplog.set_level(logging.INFO, "whosthere.capture")
    script = Script((2, LOST), (None, GONE), (None, GONE), (3, LOST), reopen_min_s=1.0, reopen_max_s=30.0)
    frames = list(script.steady().frames(script.stop))
    assert len(frames) == 5
    assert [online for online, _ in script.states] == [True, False, True, False]
    assert script.states[1][1] == "door: lost"
    assert "again after 8 s" in script.states[2][1]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 4
    assert "hunter2" not in "".join(messages)
    assert script.open_cameras == 0


def test_waits_grow_to_the_limit_and_start_over_after_a_long_time_up():
    script = Script(*[(None, GONE)] * 6, (100, LOST), (1, LOST), reopen_min_s=1.0, reopen_max_s=8.0)
    list(script.steady().frames(script.stop))
    assert script.waits[:6] == [1, 2, 4, 8, 8, 8]
    assert script.waits[6:8] == [1, 2]


def test_jitter_stays_between_the_bounds():
    for jitter in (0.0, 0.5, 1.0):
        backoff = Backoff(1.0, 10.0, lambda value=jitter: value)
        waits = [backoff.next() for _ in range(8)]
        assert waits == sorted(waits)
        assert all(1.0 <= wait <= 10.0 for wait in waits)
        assert waits[-1] > 5
    assert Backoff(5.0, 1.0).next() == 5.0


def test_a_recording_ends_and_its_failures_are_raised():
    ended = Script((3, EndOfRecording()))
    assert len(list(ended.steady(retry=False).frames(ended.stop))) == 3
    assert ended.states[-1][0]
    broken = Script((2, LOST))
    frames = broken.steady(retry=False).frames(broken.stop)
    next(frames), next(frames)
    with pytest.raises(CameraError, match="door: lost"):
        next(frames)
    assert [online for online, _ in broken.states] == [True, False]
    assert broken.open_cameras == ended.open_cameras == 0


def test_a_mistake_in_the_config_is_not_retried():
    script = Script((None, ConfigError("camera.source")))
    with pytest.raises(ConfigError):
        next(script.steady().frames(script.stop))
    assert script.waits == []


def test_stop_ends_the_frames_and_interrupts_the_wait():
    script = Script((100, LOST))
    frames = script.steady().frames(script.stop)
    next(frames)
    script.stop.set()
    assert list(frames) == []
    assert script.open_cameras == 0
    dead = Script(*[(None, GONE)] * 9, reopen_min_s=600.0, reopen_max_s=600.0)
    camera = ReopeningCamera(dead.open, dead.settings, lambda *_: dead.stop.set())
    assert list(camera.frames(dead.stop)) == []


def test_whoever_stops_iterating_gives_the_camera_back():
    script = Script((100, LOST))
    frames = script.steady().frames(script.stop)
    next(frames)
    frames.close()
    assert script.open_cameras == 0
