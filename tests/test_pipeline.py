"""The threads of the loop: what they take from the camera, and at which pace."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.config.loading import Config
from edge.daemon import pipeline as pipeline_module
from edge.daemon.frame_processor import FrameProcessor, ProcessedFrame
from edge.daemon.pipeline import Pipeline
from edge.daemon.subscribers import EventSubscriber
from edge.daemon.timings import Timings
from edge.events import Event, EventKind
from edge.frame import Frame
from edge.galleries.file import open_gallery
from edge.records import Image
from edge.visits.challenge_runner import AskedChallenge
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.portraits import HOPPER, analyser, read_picture
from support.publishing import until

EMPTY = np.full((120, 160, 3), 90, np.uint8)
FRAMES = 9
LONG_S = 600.0


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


class Counting(FrameProcessor):
    """Counts the frames on each thread, and the turns of the inference thread."""

    def __init__(self, gallery: Path, *, rests: bool = True) -> None:
        calibration = analyser().embedder.calibration
        matcher = Matcher(open_gallery(gallery, None), 0.4, 0.05, calibration)
        super().__init__(analyser(), matcher, linking_thresholds(calibration), Config(), lambda: "visit", Timings())
        self.turns = 0
        self.processed = self.looked = 0
        self.glancing: list[str] = []
        self._rests = rests

    @property
    def resting(self) -> bool:
        """Asked once per turn."""
        self.turns += 1
        return self._rests and super().resting

    def glance(self, frame: Frame) -> bool:
        self.glancing.append(threading.current_thread().name)
        return super().glance(frame)

    def process(self, frame: Frame) -> ProcessedFrame:
        self.processed += 1
        processed = super().process(frame)
        self.looked += processed.detector_ran
        return processed


class Porch:
    """Ten frames a second by their own time, each delivered once the one before has been counted."""

    def __init__(self, pictures: list[Image]) -> None:
        self.pictures = pictures
        self.pipeline: Pipeline | None = None
        self.processor: Counting | None = None
        self.hold = threading.Event()
        """Until it is set, no frame follows the last one."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        begin = time.monotonic()
        pipeline, processor = self.pipeline, self.processor
        assert pipeline is not None and processor is not None
        for number, picture in enumerate(self.pictures):
            turns = processor.turns
            processed = processor.processed
            yield Frame(picture, picture, begin + number / 10)
            until(lambda number=number: pipeline.frames > number)  # type: ignore[misc]
            if processor.processed > processed:
                until(lambda turns=turns: processor.turns > turns)  # type: ignore[misc]
        self.hold.wait(LONG_S)


def watched(gallery: Path, pictures: list[Image], **options: Any) -> tuple[Pipeline, Counting, Porch]:
    """A pipeline that has seen all of these, and waits for more."""
    camera, processor = Porch(pictures), Counting(gallery)
    pipeline = Pipeline(camera, processor, Timings(), lossless=False, max_fps=10, **options)
    camera.pipeline, camera.processor = pipeline, processor
    pipeline.start()
    until(lambda: pipeline.frames == len(pictures))
    return pipeline, processor, camera


def over(pipeline: Pipeline, camera: Porch) -> None:
    camera.hold.set()
    until(lambda: pipeline.finished)
    assert pipeline.failure is None and pipeline.dropped == 0


def test_an_empty_porch_wakes_one_thread_per_frame(demo_gallery: Path) -> None:
    """The inference thread is needed for two seconds after the start, and then once in five seconds."""
    shown: list[Frame] = []
    pipeline, processor, camera = watched(
        demo_gallery, [EMPTY] * 80, subscribers=[], on_frame=lambda frame, _: shown.append(frame)
    )
    assert processor.processed <= 40, "21 + 1 are needed"
    assert processor.looked >= 22, "the frame that ends a rest is looked at"
    assert processor.glancing.count("capture") >= 60
    assert len(shown) == 80
    assert pipeline.last_frame is shown[-1]
    over(pipeline, camera)


class PausedPorch(Porch):
    """Each frame follows once the one before has been shown to somebody."""

    def __init__(self, pictures: list[Image]) -> None:
        super().__init__(pictures)
        self.shown_by: list[str] = []

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        begin = time.monotonic()
        for number, picture in enumerate(self.pictures):
            yield Frame(picture, picture, begin + number / 10)
            until(lambda number=number: len(self.shown_by) > number)  # type: ignore[misc]
        self.hold.wait(LONG_S)


def test_a_pause_wakes_one_thread_per_frame(demo_gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "REST_S", 10 * LONG_S)
    camera, processor = PausedPorch([EMPTY] * 40), Counting(demo_gallery)
    pipeline = Pipeline(
        camera,
        processor,
        Timings(),
        lossless=False,
        max_fps=10,
        subscribers=[],
        on_frame=lambda *_: camera.shown_by.append(threading.current_thread().name),
    )
    pipeline.paused = True
    pipeline.start()
    until(lambda: len(camera.shown_by) == 40)
    # The first frame may come before the inference thread rests for the first time.
    assert set(camera.shown_by[1:]) == {"capture"}
    assert processor.turns <= 2
    assert processor.glancing == [] and pipeline.frames == 0 and pipeline.last_frame is not None
    over(pipeline, camera)


def test_a_challenge_wakes_the_inference_thread_without_a_frame(
    demo_gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would rest for as long as this test may take."""
    monkeypatch.setattr(pipeline_module, "REST_S", 10 * LONG_S)
    pipeline, _, camera = watched(demo_gallery, [EMPTY] * 40, subscribers=[])
    answers: list[tuple[bool, str]] = []
    pipeline.challenge(AskedChallenge(None, 1, 10.0), lambda ok, text: answers.append((ok, text)))
    until(lambda: bool(answers))
    assert not answers[0][0]
    over(pipeline, camera)


def test_somebody_who_comes_wakes_the_inference_thread(demo_gallery: Path) -> None:
    events: list[Event] = []
    face = read_picture(HOPPER)
    pipeline, _, camera = watched(
        demo_gallery, [np.full_like(face, 90)] * 40 + [face] * 10, subscribers=[events.append]
    )
    over(pipeline, camera)
    assert [event.kind for event in events[:2]] == [EventKind.STARTED, EventKind.RECOGNIZED]


def test_a_ring_wakes_the_inference_thread_without_a_frame(demo_gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would rest for as long as this test may take."""
    monkeypatch.setattr(pipeline_module, "REST_S", 10 * LONG_S)
    events: list[Event] = []
    pipeline, _, camera = watched(demo_gallery, [EMPTY] * 30, subscribers=[events.append])
    pipeline.ring("button")
    until(lambda: bool(events))
    over(pipeline, camera)


def test_an_enrolment_gets_each_frame_on_the_inference_thread(demo_gallery: Path) -> None:
    names: list[str] = []
    pipeline, _, camera = watched(
        demo_gallery,
        [EMPTY] * 40,
        subscribers=[],
        wants_all=lambda: True,
        on_frame=lambda *_: names.append(threading.current_thread().name),
    )
    assert names == ["inference"] * 40
    over(pipeline, camera)


def run(gallery: Path, pace: float, *subscribers: EventSubscriber, ring: bool = False) -> Pipeline:
    """A pipeline that has ended."""
    processor = Counting(gallery, rests=False)
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
