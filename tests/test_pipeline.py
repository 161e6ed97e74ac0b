"""The threads of the loop: what they take from the camera, and at which pace."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.pipeline import Pipeline
from edge.daemon.subscribers import EventSubscriber
from edge.daemon.timings import Timings
from edge.events import Event, EventKind
from edge.galleries.file import open_gallery
from edge.records import Frame
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.portraits import analyser
from support.publishing import until

EMPTY = np.full((120, 160, 3), 90, np.uint8)
FRAMES = 9


class Metronome:
    """A camera with ten frames a second by their own time, each delivered once the one before has been taken."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        begin = time.monotonic()
        for number in range(FRAMES):
            yield Frame(EMPTY, EMPTY, begin + number / 10)
            # The first heartbeat may be of a wait that had begun before; in the second the frame was taken.
            self._wait_for_heartbeat()
            self._wait_for_heartbeat()

    def _wait_for_heartbeat(self) -> None:
        assert self.pipeline is not None
        now = time.monotonic()
        pipeline = self.pipeline
        until(lambda: pipeline.heartbeats["inference"] > now)


def run(gallery: Path, pace: float, *subscribers: EventSubscriber, ring: bool = False) -> Pipeline:
    """A pipeline that has ended."""
    calibration = analyser().embedder.calibration
    matcher = Matcher(open_gallery(gallery, None), 0.4, 0.05, calibration)
    linking = linking_thresholds(calibration)
    processor = FrameProcessor(analyser(), matcher, linking, Config(), lambda: "visit", Timings())
    camera = Metronome()
    pipeline = Pipeline(camera, processor, Timings(), lossless=False, max_fps=10, subscribers=subscribers)
    camera.pipeline = pipeline
    pipeline.pace = pace
    if ring:
        pipeline.ring("button")
    pipeline.start()
    until(lambda: pipeline.finished)
    assert pipeline.failure is None
    assert pipeline.dropped == 0
    return pipeline


def test_every_frame_up_to_the_configured_rate_is_analysed(demo_gallery: Path) -> None:
    assert run(demo_gallery, 1.0).frames == FRAMES


def test_a_hot_box_analyses_fewer_frames(demo_gallery: Path) -> None:
    """At a quarter of the pace 0.32 s must pass between two frames, which is every fourth."""
    assert run(demo_gallery, 0.25).frames == 3


def test_a_subscriber_that_raises_does_not_end_the_loop(demo_gallery: Path) -> None:
    events: list[Event] = []

    def fails(event: Event) -> None:
        raise RuntimeError("out of order")

    run(demo_gallery, 0.25, fails, events.append, ring=True)
    assert [event.kind for event in events] == [EventKind.STARTED, EventKind.NO_USABLE_FACE, EventKind.ENDED]
