"""The bundled clip is what the script describes, and the script always makes the same."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import demo
from edge.demo.expected import read_script
from edge.errors import UsageError
from edge.records import Image
from tools.demo_clip.__main__ import write
from tools.demo_clip.painting import FPS, PaintedClip, frame_count, present, script

DEMO = Path(demo.__file__).parent
EMPTY, WALKING, AT_THE_DOOR, TWO = 6, 41, 70, 440
"""Frames of the clip."""


@pytest.fixture(scope="module")
def clip() -> PaintedClip:
    return PaintedClip()


@pytest.fixture(scope="module")
def recorded() -> list[Image]:
    capture = cv2.VideoCapture(str(DEMO / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == FPS
    frames: list[Image] = []
    while True:
        delivered, frame = capture.read()
        if not delivered:
            return frames
        frames.append(frame.astype(np.uint8))


def _differ(one: Image, other: Image) -> float:
    """Mean absolute difference, 0..255."""
    return float(np.abs(one.astype(np.int16) - other).mean())


def test_the_bundled_script_is_the_one_that_the_tool_writes() -> None:
    assert read_script(DEMO / "clip.json") == script("clip.mp4")


def test_the_bundled_clip_is_small_and_has_the_frames_that_its_script_says(recorded: list[Image]) -> None:
    told = read_script(DEMO / "clip.json")
    assert len(recorded) == told.frames
    assert {frame.shape for frame in recorded} == {(told.height, told.width, 3)}
    assert max(visit.to_s for visit in told.visits) < told.frames / told.fps
    assert (DEMO / told.clip).stat().st_size < 3_000_000


@pytest.mark.slow
def test_the_bundled_clip_shows_what_is_painted(clip: PaintedClip, recorded: list[Image]) -> None:
    shown = (EMPTY, WALKING, AT_THE_DOOR, TWO)
    for index in shown:
        painted = clip.frame(index)
        differences = {other: _differ(painted, recorded[other]) for other in shown}
        assert differences.pop(index) < 4
        assert min(differences.values()) > 4


@pytest.mark.slow
def test_painting_again_gives_the_same_frames(clip: PaintedClip) -> None:
    again = PaintedClip()
    for index in (WALKING, TWO):
        assert np.array_equal(clip.frame(index), again.frame(index))


def test_the_scene_is_empty_for_a_while_between_visits() -> None:
    occupied = [bool(present(index / FPS)) for index in range(frame_count())]
    changes = [index for index in range(1, len(occupied)) if occupied[index] != occupied[index - 1]]
    gaps = [(after - before) / FPS for before, after in zip(changes[1::2], changes[2::2], strict=False)]
    assert len(gaps) == 3
    assert min(gaps) > 2.5


def test_the_script_names_who_is_in_the_picture_at_any_moment() -> None:
    told = read_script(DEMO / "clip.json").visits
    for t in np.arange(0, 42, 0.25):
        there = sorted(visitor.name for visitor, _ in present(float(t)))
        assert there == sorted(visit.shown for visit in told if visit.from_s <= t < visit.to_s)
    assert [visit.shown for visit in told if visit.person_id is None] == ["Eileen Collins"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.*folder that exists"):
        write(tmp_path / "absent" / "clip.mp4", iter([]))


@pytest.mark.parametrize("content", [b"{", b'{"clip": "clip.mp4"}'])
def test_a_damaged_script_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"clip\.json: not the script of a clip"):
        read_script(path)
    with pytest.raises(UsageError, match=r"none\.json: cannot be read"):
        read_script(tmp_path / "none.json")
