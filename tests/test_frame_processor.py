"""Frames in, events out: the whole loop on real pictures, without threads."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from edge.config.faces import DetectSettings, MotionSettings
from edge.config.loading import Config
from edge.config.visits import TrackSettings
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.events import Event, EventKind
from edge.frame import Frame
from edge.galleries.file import open_gallery
from edge.records import Image, Problem
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.portraits import HOPPER, analyser, read_picture

LOOKS = 6


class Stages(Timings):
    """The names of the stages that ran."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[str] = []

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        self.ran.append(stage)
        yield


def processor(
    gallery: Path,
    timings: Timings | None = None,
    motion: MotionSettings | None = None,
    detect: DetectSettings | None = None,
) -> FrameProcessor:
    calibration = analyser().embedder.calibration
    matcher = Matcher(open_gallery(gallery, None), 0.4, 0.05, calibration)
    numbers = itertools.count(1)
    config = Config(
        track=TrackSettings(confirm_hits=1), motion=motion or MotionSettings(), detect=detect or DetectSettings()
    )
    timings = timings or Timings()
    return FrameProcessor(
        analyser(), matcher, linking_thresholds(calibration), config, lambda: f"visit{next(numbers)}", timings
    )


def scene(face: Image | None = None, patch: int | None = None) -> Image:
    """A grey porch of 640 x 480: somebody on its left, and on its right something white in one of two places."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    if face is not None:
        picture[:240, :200] = cv2.resize(face, (200, 240))
    if patch is not None:
        picture[100 + 80 * patch : 180 + 80 * patch, 540:620] = 255
    return picture


def searches(
    gallery: Path,
    pictures: Sequence[Image],
    motion: MotionSettings | None = None,
    detect: DetectSettings | None = None,
) -> list[float]:
    """When the whole picture was searched, of pictures at eight per second: their times are exact."""
    stages = Stages()
    watching, found = processor(gallery, stages, motion, detect), []
    for number, picture in enumerate(pictures):
        stages.ran.clear()
        watching.process(Frame(picture, picture, number / 8))
        found += [number / 8] if "detect" in stages.ran else []
    return found


def events_of(image: Image, gallery: Path) -> list[Event]:
    """All events of somebody who stands still before the camera, up to the end of the visit."""
    watching = processor(gallery)
    frames = [Frame(image, image, at / 10) for at in range(LOOKS)]
    return [event for frame in frames for event in watching.process(frame).events] + watching.flush(LOOKS / 10)


def test_a_look_that_was_due_is_made_up_for_although_its_frame_was_lost(demo_gallery: Path) -> None:
    watching = processor(demo_gallery)
    porch = np.full((120, 160, 3), 90, np.uint8)
    frames = [Frame(porch, porch, at / 10) for at in range(150)]
    for frame in frames[:40]:
        watching.process(frame)
    due = next(frame for frame in frames[40:] if watching.glance(frame))
    assert watching.glance(due), "the answer for a frame stays"
    lost = frames.index(due)
    assert watching.process(frames[lost + 1]).detector_ran
    assert not watching.process(frames[lost + 2]).detector_ran


def test_an_empty_porch_needs_no_preview_of_a_large_picture(demo_gallery: Path) -> None:
    watching, made = processor(demo_gallery), []
    porch = np.full((720, 1280, 3), 90, np.uint8)

    def preview() -> Image:
        made.append(1)
        return porch[::2, ::2]

    looked = [watching.process(Frame(porch, preview, at / 10)).detector_ran for at in range(45)]
    assert 0 < len(made) == sum(looked) < len(looked)


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


def test_after_the_last_motion_the_whole_picture_is_searched_now_and_then(demo_gallery: Path) -> None:
    assert searches(demo_gallery, [scene()] * 17) == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_picture_that_stays_as_it_is_is_searched_less_often_once_nothing_in_it_might_be_a_face(
    demo_gallery: Path,
) -> None:
    changed = scene()
    changed[200:224, 300:324] += 6
    assert [at for at in searches(demo_gallery, [scene()] * 100) if at > 2] == [7.0, 12.0]
    assert [at for at in searches(demo_gallery, [scene()] * 28 + [changed] * 30) if at > 2] == [4.0]


def test_where_something_might_be_a_face_a_still_picture_is_searched_as_often_as_ever(demo_gallery: Path) -> None:
    """Its score is just too low: with the next picture's noise it may not be."""
    doubtful = scene(read_picture(HOPPER))
    [score] = [face.score for face in analyser().detector.candidates(doubtful)]

    def later_searches(lacking: float) -> list[float]:
        detect = DetectSettings(min_score=score + lacking)
        return [at for at in searches(demo_gallery, [doubtful] * 50, detect=detect) if at > 2]

    assert later_searches(0.1) == [3.0, 4.0, 5.0, 6.0]
    assert later_searches(0.2) == []


def test_while_something_moves_and_nobody_is_followed_every_picture_is_searched(demo_gallery: Path) -> None:
    pictures = [scene(patch=number % 2) for number in range(8)]
    assert len(searches(demo_gallery, pictures)) == 8


def test_without_the_motion_gate_every_picture_is_searched(demo_gallery: Path) -> None:
    assert len(searches(demo_gallery, [scene()] * 8, MotionSettings(enabled=False))) == 8


def test_beside_a_followed_face_the_whole_picture_is_searched_less_often_while_nothing_else_moves(
    demo_gallery: Path,
) -> None:
    face = read_picture(HOPPER)
    assert searches(demo_gallery, [scene(face)] * 17) == [0.0, 1.0, 2.0]
    moving = [scene(face, patch=number // 2 % 2) for number in range(13)]
    assert searches(demo_gallery, moving) == [0.0, 0.5, 1.0, 1.5]


def test_what_moved_between_two_searches_is_not_forgotten(demo_gallery: Path) -> None:
    """It moves for two pictures, right after a search, and stands still when the next one is due."""
    face = read_picture(HOPPER)
    pictures = [scene(face), scene(face, patch=0), *[scene(face)] * 7]
    assert searches(demo_gallery, pictures)[1] == 0.5


def test_a_ring_has_the_whole_picture_searched_at_once(demo_gallery: Path) -> None:
    stages = Stages()
    watching = processor(demo_gallery, stages)
    watching.process(Frame(scene(), scene(), 0.0))
    stages.ran.clear()
    watching.process(Frame(scene(), scene(), 0.1))
    assert "detect" not in stages.ran
    watching.ring(0.15)
    watching.process(Frame(scene(), scene(), 0.2))
    assert "detect" in stages.ran
