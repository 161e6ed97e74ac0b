"""Cues of prints and screens: each alone, and what a visit says from all of them."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.liveness_fakes import held_print, held_screen, porch
from edge.config.loading import Config, load_config
from edge.config.visits import TrackSettings
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.errors import ConfigError
from edge.events import Event, EventKind
from edge.faces import liveness_cues as cues
from edge.frame import Frame
from edge.galleries.file import open_gallery
from edge.records import Box, Image, Pose
from edge.sightings import LivenessLook, LivenessScore, SurroundingsFit
from edge.visits import liveness
from edge.visits.liveness import KEPT, LivenessEvidence
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.heads import turned_head, turned_picture
from support.portraits import HOPPER, analyser, read_picture

FACE = Box(280, 200, 360, 280)


def look(at: float = 0.0, **more: object) -> LivenessLook:
    landmarks = turned_head(0, seed=round(at * 10))
    return replace(LivenessLook(at, landmarks.mesh, landmarks.pose, 0.3), **more)  # type: ignore[arg-type]


def scored(*looks: LivenessLook) -> LivenessScore | None:
    evidence = LivenessEvidence()
    for one in looks:
        evidence.add(one)
    return evidence.score()


def cue(name: str, *looks: LivenessLook) -> float | None:
    score = scored(*looks)
    return None if score is None else score.cues.get(name)


# The score


def test_nothing_measured_is_no_score_and_no_sign_is_one_half() -> None:
    assert scored() is None
    assert scored(*[look(n / 10) for n in range(10)]) is None
    even = scored(*[look(n, border=0, glow=False) for n in range(3)])
    assert even == LivenessScore(0.5, {"border": 0.0, "glow": 0.0})
    assert not even.spoof


def test_half_a_cue_against_is_enough_for_the_advice_unless_something_speaks_for_life() -> None:
    stays = SurroundingsFit(0.95, 0.2)
    against = scored(*[look(n, border=3) for n in range(3)])
    both = scored(*[look(n, border=3, surroundings=stays) for n in range(3)])
    assert against is not None and against.spoof
    assert both is not None and not both.spoof


FITS = st.builds(SurroundingsFit, st.floats(-1, 1), st.floats(-1, 1))


@settings(max_examples=100, deadline=None)
@given(border=st.integers(0, 4), glow=st.booleans(), fit=FITS, moire=st.floats(0, 4), network=st.floats(0, 1))
def test_more_signs_of_a_picture_never_raise_the_score(
    border: int, glow: bool, fit: SurroundingsFit, moire: float, network: float
) -> None:
    def living(**changed: object) -> float:
        fields = {"border": border, "glow": glow, "surroundings": fit, "moire": moire, "network": network} | changed
        score = scored(*[look(n, **fields) for n in range(3)])
        assert score is not None
        return score.living

    base = living()
    assert 0 <= base <= 1
    for worse in (
        {"border": min(border + 1, 4)},
        {"glow": True},
        {"moire": moire + 0.5},
        {"network": network / 2},
        {"surroundings": replace(fit, follows=min(fit.follows + 0.3, 1.0))},
    ):
        assert living(**worse) <= base


def test_a_long_visit_keeps_few_looks_from_its_whole_length() -> None:
    evidence = LivenessEvidence()
    for n in range(1000):
        evidence.add(look(n / 10))
    assert len(evidence.looks) <= KEPT
    assert evidence.looks[0].at == 0
    assert evidence.looks[-1].at > 95


def test_joined_visits_join_their_evidence() -> None:
    one, other = LivenessEvidence([look(n, border=4) for n in range(2)]), LivenessEvidence([look(5, border=4)])
    assert one.score() is None
    one.absorb(other)
    score = one.score()
    assert score is not None and score.spoof


# Depth, blinks, network


def turning(make: object, angles: list[float]) -> list[LivenessLook]:
    found = [make(yaw, seed=n) for n, yaw in enumerate(angles)]  # type: ignore[operator]
    return [LivenessLook(n / 10, one.mesh, one.pose, 0.3) for n, one in enumerate(found)]


def test_depth_tells_a_head_from_a_picture_once_it_has_turned() -> None:
    there_and_back = [0.0, 10, 20, 30, 40, 40, 30, 20, 10, 0]
    assert cue("depth", *turning(turned_head, there_and_back)) == liveness.REPLAYED
    assert cue("depth", *turning(turned_picture, there_and_back)) == -1
    assert cue("depth", *turning(turned_picture, [0.0, 5, 10, 15, 10, 5, 0])) is None


def test_a_blink_counts_for_life_and_a_nod_is_no_blink() -> None:
    eyes = [0.3, 0.3, 0.3, 0.3, 0.15, 0.3, 0.3, 0.3]
    blink = [look(n / 10, eyes_open=eye) for n, eye in enumerate(eyes)]
    assert cue("blinks", *blink) == liveness.REPLAYED
    nod = [replace(one, pose=Pose(0, 25, 0)) if one.eyes_open < 0.2 else one for one in blink]
    assert cue("blinks", *nod) is None
    shut = [look(n / 10, eyes_open=eye) for n, eye in enumerate([0.3] * 5 + [0.15] * 5)]
    assert cue("blinks", *shut) is None


def test_a_network_of_ones_own_counts_twice() -> None:
    score = scored(look(0, network=0.05))
    assert score is not None
    assert score.cues == {"network": -2.0}
    assert score.living == pytest.approx(1 / (1 + np.exp(4)))


# Pixels


def framed(side: float, thickness: int = 6) -> np.ndarray:
    """A grey picture with a dark frame around FACE; `side` in faces."""
    image = np.full((480, 640), 140, np.uint8)
    (x, y), half = FACE.centre, side * FACE.width / 2
    cv2.rectangle(image, (round(x - half), round(y - half)), (round(x + half), round(y + half)), 10, thickness)
    return image


def test_a_frame_around_the_face_has_four_sides_and_a_plain_wall_none() -> None:
    assert cues.border_sides(framed(3.0), FACE) == 4
    assert cues.border_sides(np.full((480, 640), 140, np.uint8), FACE) == 0
    assert cues.border_sides(framed(3.0), Box(310, 230, 330, 250)) is None


def test_a_door_post_on_each_side_is_two_sides_and_says_nothing() -> None:
    image = np.full((480, 640), 140, np.uint8)
    image[:, 200:212] = image[:, 430:442] = 20
    assert cues.border_sides(image, FACE) == 2
    assert cue("border", *[look(n, border=2) for n in range(3)]) == 0


def test_the_edge_of_the_picture_is_no_border() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640)).astype(np.uint8)
    corner = cv2.GaussianBlur(noise, (0, 0), 3)
    assert cues.border_sides(np.asarray(corner, np.uint8), Box(0, 0, 80, 80)) == 0


def test_a_bright_screen_in_the_dark_glows_and_a_lit_face_does_not() -> None:
    dark = np.full((480, 640), 12, np.uint8)
    (x, y), w = (round(v) for v in FACE.centre), round(FACE.width)
    screen, lit = dark.copy(), dark.copy()
    screen[y - round(1.2 * w) : y + w, x - round(1.2 * w) : x + round(1.2 * w)] = 180
    cv2.circle(lit, (x, y), w // 2, 180, -1)
    assert cues.glows(screen, FACE) is True
    assert cues.glows(lit, FACE) is False
    assert cues.glows(np.full((480, 640), 180, np.uint8), FACE) is False
    assert cue("glow", *[look(n, glow=True) for n in range(3)]) == -1


def test_a_period_in_the_texture_is_a_peak() -> None:
    image = read_picture(HOPPER)
    box = max(analyser().detector.detect(image), key=lambda found: found.box.area_px).box
    columns = np.arange(image.shape[1])
    striped = (image + 25 * np.sin(columns * 2.1)[None, :, None]).clip(0, 255).astype(np.uint8)
    plain, moire = cues.moire_peak(image, box), cues.moire_peak(striped, box)
    assert plain is not None and moire is not None
    assert plain < liveness.MOIRE < moire
    assert cues.moire_peak(image, Box(0, 0, 10, 10)) is None


# The loop


def processed(clip: Iterator[tuple[float, Image]], gallery: Path, setting: str | bool) -> tuple[list[Event], Timings]:
    calibration = analyser().embedder.calibration
    matcher = Matcher(open_gallery(gallery, None), 0.4, 0.05, calibration)
    numbers, timings = itertools.count(1), Timings()
    config = Config(track=TrackSettings(confirm_hits=1), liveness=setting)  # type: ignore[arg-type]
    processor = FrameProcessor(
        analyser(), matcher, linking_thresholds(calibration), config, lambda: f"visit{next(numbers)}", timings
    )
    events, at = [], 0.0
    for at, image in clip:
        events += processor.process(Frame(image, image, at)).events
    return events + processor.flush(at), timings


def test_off_means_that_nothing_is_measured_or_published(demo_gallery: Path) -> None:
    clip = held_print(read_picture(HOPPER), np.random.default_rng(3))
    events, timings = processed(clip, demo_gallery, False)
    assert {event.liveness for event in events} == {None}
    assert "liveness" not in timings.spreads()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_print_that_is_held_up_is_called_a_spoof(demo_gallery: Path, seed: int) -> None:
    events, timings = processed(held_print(read_picture(HOPPER), np.random.default_rng(seed)), demo_gallery, "advise")
    ended = events[-1]
    assert ended.kind is EventKind.ENDED
    assert ended.liveness is not None
    assert ended.liveness.spoof
    assert events[0].liveness is None
    assert "liveness" in timings.spreads()


def test_a_screen_that_plays_a_clip_is_called_a_spoof(demo_gallery: Path) -> None:
    photo = read_picture(HOPPER)
    moving = (np.roll(photo, round(6 * np.sin(n / 3)), axis=1) for n in range(40))
    events, _ = processed(held_screen(moving, np.random.default_rng(4)), demo_gallery, "advise")
    assert events[-1].liveness is not None
    assert events[-1].liveness.spoof


def before_a_wall() -> Iterator[tuple[float, Image]]:
    """Somebody who walks back and forth before a wall that stays where it is."""
    rng = np.random.default_rng(5)
    wall = porch(rng)
    photo = cv2.resize(read_picture(HOPPER), (260, 310))
    cover = np.zeros(photo.shape[:2], np.float32)
    cv2.ellipse(cover, (130, 150), (80, 120), 0, 0, 360, 1.0, -1)
    cover = cv2.GaussianBlur(cover, (0, 0), 4)[..., None]
    for n in range(40):
        frame, x = wall.astype(np.float32), 190 + round(50 * np.sin(n / 6))
        frame[80:390, x : x + 260] = cover * photo + (1 - cover) * frame[80:390, x : x + 260]
        yield n / 10, (frame + rng.normal(0, 1.5, frame.shape)).clip(0, 255).astype(np.uint8)


def test_a_wall_that_stays_while_the_face_moves_speaks_for_life(demo_gallery: Path) -> None:
    events, _ = processed(before_a_wall(), demo_gallery, "advise")
    assert events[-1].liveness is not None
    assert events[-1].liveness.living > 0.7


# Settings


def test_require_is_refused_with_the_reason(tmp_path: Path) -> None:

    path = tmp_path / "config.yaml"
    for text, told in (
        ("require", "found 'require'; allowed: advise or off"),
        ("on", "found true; allowed: advise or off"),
    ):
        path.write_text(f"liveness: {text}\n")
        with pytest.raises(ConfigError, match=told):
            load_config(path)
    path.write_text("liveness: advise\n")
    assert load_config(path).config.liveness == "advise"
    path.write_text("liveness: off\n")
    assert load_config(path).config.liveness is False
    assert msgspec.structs.replace(Config(), liveness=False) == Config()
