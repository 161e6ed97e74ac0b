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


def test_a_look_that_was_due_is_made_up_for_although_its_frame_was_lost(demo_gallery: Path) -> None:
    watching = processor(demo_gallery)
    porch = np.full((120, 160, 3), 90, np.uint8)
    frames = [Frame(porch, porch, at / 10) for at in range(50)]
    for frame in frames[:40]:
        watching.process(frame)
    due = next(frame for frame in frames[40:] if watching.glance(frame))
    assert watching.glance(due), "the answer for a frame stays"
    lost = frames.index(due)
    assert watching.process(frames[lost + 1]).detector_ran
    assert not watching.process(frames[lost + 2]).detector_ran


def test_it_rests_while_nobody_is_there(demo_gallery: Path) -> None:
    watching, face = processor(demo_gallery), read_picture(HOPPER)
    empty = np.zeros_like(face)
    watching.process(Frame(empty, empty, 0.0))
    assert watching.resting
    watching.process(Frame(face, face, 0.1))
    assert not watching.resting
    watching.process(Frame(empty, empty, 60.0))
    events = [event.kind for event in watching.tick(120.0)]
    assert watching.resting, events


def test_it_does_not_rest_while_a_visitor_who_rang_is_expected(demo_gallery: Path) -> None:
    watching = processor(demo_gallery)
    watching.ring(0.0)
    assert not watching.resting


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
