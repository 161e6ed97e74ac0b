"""Challenges through the whole loop: real frames, real networks, real visits."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.liveness_fakes import HEIGHT, WIDTH, camera_frame, halftone, porch, turned
from edge.capture import geometry
from edge.capture.video_io import open_file
from edge.config.camera import CameraSettings
from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.errors import UsageError
from edge.events import ChallengeFailure, ChallengeResult, ChallengeState, ChallengeUpdate, Event
from edge.galleries.gallery import Gallery
from edge.records import Image
from edge.visits.challenge import Side
from edge.visits.challenge_runner import AskedChallenge
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.data_sets import data_set
from support.portraits import COLLINS, analyser, read_picture

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def processor(**camera: bool) -> FrameProcessor:
    embedder = analyser().embedder
    matcher = Matcher(Gallery.empty(embedder.id, embedder.dimensions), 0.5, 0.05, embedder.calibration)
    numbers = itertools.count(1)
    return FrameProcessor(
        analyser(),
        matcher,
        linking_thresholds(embedder.calibration),
        Config(camera=CameraSettings(**camera)),  # type: ignore[arg-type]
        lambda: f"visit{next(numbers)}",
        Timings(),
    )


def challenged(
    clip: Iterator[tuple[float, Image]], *turns: Side, **camera: bool
) -> tuple[list[ChallengeUpdate], list[Event]]:
    """Ask the first visitor at once. Returns what came of it, and the events of the visit."""
    loop, asked, at = processor(**camera), False, 0.0
    events, updates = [], []
    for at, image in clip:
        events += loop.process(geometry.frame(image, CameraSettings(**camera), at)).events  # type: ignore[arg-type]
        if events and not asked:
            loop.challenge(AskedChallenge(None, turns, 60), at)
            asked = True
        updates += loop.challenge_updates()
    events += loop.flush(at)
    return updates + loop.challenge_updates(), events


def turned_print() -> Iterator[tuple[float, Image]]:
    """A print that is turned about its upright axis, first to one side and then to the other, up to 55 degrees."""
    rng = np.random.default_rng(7)
    background = porch(rng)
    photo = read_picture(COLLINS)
    face = halftone(cv2.resize(photo, (330, round(photo.shape[0] * 330 / photo.shape[1]))).astype(np.uint8))
    height, width = face.shape[:2]
    where = np.array([[1, 0, (WIDTH - width) / 2], [0, 1, (HEIGHT - height) / 2], [0, 0, 1]])
    for n, yaw in enumerate([0.0] * 6 + [55 * np.sin(2 * np.pi * n / 50) for n in range(50)]):
        yield n / 10, camera_frame(background, face, where @ turned((width, height), yaw), rng)


@pytest.mark.slow
@pytest.mark.parametrize("side", Side)
def test_a_printed_photo_that_is_turned_about_its_upright_axis_fails(side: Side) -> None:
    updates, events = challenged(turned_print(), side)
    assert updates[0].state is ChallengeState.FACE_CAMERA
    assert {update.visit_id for update in updates} == {"visit1"}
    assert updates[-1].result is ChallengeResult.FAILED
    assert all(update.state is not ChallengeState.PASSED for update in updates)
    assert events[-1].challenge is ChallengeResult.FAILED
    assert events[0].challenge is None


def clip(path: Path, seconds: int) -> Iterator[tuple[float, Image]]:
    """Every third frame of the beginning of a clip of 30 a second."""
    capture = open_file(path)
    for n in range(30 * seconds):
        there, image = capture.read()
        if not there:
            return
        if n % 3 == 0:
            yield n / 30, image.astype(np.uint8)


@pytest.mark.data
def test_a_living_person_passes_by_turning_as_asked_and_fails_the_other_way() -> None:
    path = data_set("spoof-dev") / "tranvanluyt" / "videos" / "real.mp4"
    updates, events = challenged(clip(path, 3), LEFT)
    assert updates[-1].state is ChallengeState.PASSED
    assert events[-1].challenge is ChallengeResult.PASSED
    assert challenged(clip(path, 3), RIGHT)[0][-1].reason is ChallengeFailure.WRONG_WAY
    # It is the same turn in a camera whose pictures are mirrored.
    assert challenged(clip(path, 3), LEFT, mirror=True)[0][-1].state is ChallengeState.PASSED


@pytest.mark.slow
@pytest.mark.data
def test_a_clip_on_a_screen_passes_only_if_it_happens_to_turn_that_way() -> None:
    path = data_set("spoof-dev") / "tranvanluyt" / "videos" / "fake.mp4"
    assert challenged(clip(path, 6), LEFT)[0][-1].state is ChallengeState.PASSED
    assert challenged(clip(path, 6), RIGHT)[0][-1].state is ChallengeState.FAILED


def test_nobody_in_view_cannot_be_asked() -> None:
    loop = processor()
    with pytest.raises(UsageError, match="nobody is in view"):
        loop.challenge(AskedChallenge(None, 2, 15), 0)
    with pytest.raises(UsageError, match="visit_id: found 'visit9'; allowed: a visit that has started and not ended"):
        loop.challenge(AskedChallenge("visit9", 2, 15), 0)
    assert loop.challenge_updates() == []


def test_a_new_challenge_replaces_the_one_before_and_the_end_stops_the_last() -> None:
    loop = processor()
    for at, image in itertools.islice(turned_print(), 8):
        loop.process(geometry.frame(image, CameraSettings(), at))
    loop.challenge(AskedChallenge(None, 3, 15), 0.8)
    loop.challenge(AskedChallenge("visit1", (LEFT,), 15), 0.8)
    loop.flush(0.9)
    updates = loop.challenge_updates()
    assert [update.reason for update in updates if update.reason] == [
        ChallengeFailure.REPLACED,
        ChallengeFailure.STOPPED,
    ]
    assert [update.turns for update in updates] == [3, 3, 1, 1]
    assert len({update.challenge_id for update in updates}) == 2


def test_a_visit_that_ends_fails_its_challenge() -> None:
    loop = processor()
    for at, image in itertools.islice(turned_print(), 8):
        loop.process(geometry.frame(image, CameraSettings(), at))
    loop.challenge(AskedChallenge(None, 1, 60), 0.8)
    loop.tick(30.0)
    assert loop.challenge_updates()[-1].reason is ChallengeFailure.GONE
