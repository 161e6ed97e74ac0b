"""Frames in, events out: the whole loop on real pictures, without threads."""

import itertools
from pathlib import Path

import numpy as np

from edge.config.loading import Config
from edge.config.visits import TrackSettings
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.events import Event, EventKind
from edge.galleries.file import open_gallery
from edge.records import Frame, Image, Problem
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.portraits import HOPPER, analyser, read_picture

LOOKS = 6


def processor(gallery: Path) -> FrameProcessor:
    calibration = analyser().embedder.calibration
    matcher = Matcher(open_gallery(gallery, None), 0.4, 0.05, calibration)
    numbers = itertools.count(1)
    config = Config(track=TrackSettings(confirm_hits=1))
    return FrameProcessor(
        analyser(), matcher, linking_thresholds(calibration), config, lambda: f"visit{next(numbers)}", Timings()
    )


def events_of(image: Image, gallery: Path) -> list[Event]:
    """All events of somebody who stands still before the camera, up to the end of the visit."""
    watching = processor(gallery)
    frames = [Frame(image, image, at / 10) for at in range(LOOKS)]
    return [event for frame in frames for event in watching.process(frame).events] + watching.flush(LOOKS / 10)


def test_a_face_that_is_good_enough_is_embedded_and_named(demo_gallery: Path) -> None:
    events = events_of(read_picture(HOPPER), demo_gallery)
    assert [event.kind for event in events] == [EventKind.STARTED, EventKind.RECOGNIZED, EventKind.ENDED]
    assert events[-1].usable_faces >= 3


def test_a_face_that_is_not_good_enough_is_never_embedded(demo_gallery: Path) -> None:
    """The same face in the dark: its embedding would resemble nobody reliably, so it must not count."""
    dark = (read_picture(HOPPER) * 0.02).astype(np.uint8)
    events = events_of(dark, demo_gallery)
    assert [event.kind for event in events] == [EventKind.STARTED, EventKind.NO_USABLE_FACE, EventKind.ENDED]
    assert events[1].problem is Problem.TOO_DARK
    assert [event.usable_faces for event in events] == [0, 0, 0]
