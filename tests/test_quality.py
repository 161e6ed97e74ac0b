"""What makes a face unusable, and that worse faces weigh less."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.changes import exposed
from edge.config.faces import ENROLMENT_LIMITS, QualitySettings, enrolment_limits
from edge.faces.align import crop
from edge.faces.analyser import Analyser
from edge.faces.quality import SIDE, TEMPLATE, assess
from edge.records import Image, Pose, Problem, Quality
from support.networks import detector, embedder, landmarks_of, mesh, only_face
from support.portraits import COLLINS, HOPPER, OBAMA, read_picture

LIMITS = ENROLMENT_LIMITS


def judged(image: Image, limits: QualitySettings = LIMITS, **changed: object) -> Quality:
    """A picture's only face; `changed` replaces what the network said of it."""
    seen = replace(landmarks_of(image), **changed)
    return assess(image, seen, limits)


def shrunk(image: Image, eyes_px: float) -> Image:
    scale = eyes_px / judged(image).eye_distance_px
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # On a canvas, so that the detector sees the face as small as it is.
    canvas = np.full((240, 240, 3), 90, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:240, :240]
    return canvas


@pytest.mark.parametrize("picture", [COLLINS, HOPPER, OBAMA], ids=lambda path: path.stem)
def test_a_good_portrait_is_usable(picture: Path) -> None:
    quality = judged(read_picture(picture))

    assert quality.usable
    assert quality.score > 0.6


def test_faces_are_judged_as_the_bundled_embedder_sees_them() -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)

    assert (crop(image, seen.five, TEMPLATE, SIDE) == embedder().crop(image, seen)).all()
    assert embedder().frames_for_quality


@pytest.mark.parametrize("dimmed", [1.0, 0.1])
def test_a_face_is_judged_alike_by_its_picture_and_by_the_crop_at_hand(dimmed: float) -> None:
    image = (read_picture(COLLINS) * dimmed).astype(np.uint8)
    face = only_face(image)
    looked = Analyser(detector(), mesh(), embedder(), LIMITS).look(image, face)

    assert looked.quality == assess(image, looked.landmarks, LIMITS)


@pytest.mark.parametrize(("colourless", "by_the_face"), [(False, False), (True, True)])
def test_what_is_known_of_the_light_counts_more_than_the_face(colourless: bool, by_the_face: bool) -> None:
    image = read_picture(COLLINS)
    if colourless:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    face, analyser = only_face(image), Analyser(detector(), mesh(), embedder(), LIMITS)
    seen = landmarks_of(image)
    for known, expected in ((None, by_the_face), (True, True), (False, False)):
        assert assess(image, seen, LIMITS, infrared=known).infrared is expected
        assert analyser.look(image, face, infrared=known).quality.infrared is expected


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 12), Problem.TOO_BLURRED),
        (lambda image: (image * 0.1).astype(np.uint8), Problem.TOO_DARK),
        (lambda image: (255 - (255 - image) * 0.12).astype(np.uint8), Problem.TOO_BRIGHT),
        (lambda image: shrunk(image, 10), Problem.TOO_SMALL),
    ],
    ids=["blurred", "dark", "bright", "small"],
)
def test_a_harmed_picture_is_refused_with_its_reason(harm: Callable[[Image], Image], problem: Problem) -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)
    worse = harm(image)
    # Where the face is still found, the networks look at the worse picture; else at the points of the good one.
    found = mesh().locate(worse, only_face(worse)) if problem is Problem.TOO_SMALL else seen
    quality = assess(worse, found, LIMITS)

    assert quality.problem is problem
    assert quality.score < judged(image).score


@pytest.mark.parametrize(
    "harm",
    [
        lambda image: cv2.GaussianBlur(image, (0, 0), 3.5),
        exposed(0.06),
        lambda image: np.minimum(image * 2.4, 255).astype(np.uint8),
        lambda image: shrunk(image, 10),
    ],
    ids=["blurred", "dark", "bright", "small"],
)
def test_a_visitor_may_be_recognised_by_a_face_that_is_no_template(harm: Callable[[Image], Image]) -> None:
    worse = harm(read_picture(COLLINS))
    found = mesh().locate(worse, only_face(worse)) if worse.shape[0] == 240 else landmarks_of(read_picture(COLLINS))
    assert assess(worse, found, QualitySettings()).usable
    assert not assess(worse, found, enrolment_limits(QualitySettings())).usable


def test_enrolment_takes_the_stricter_limit_of_both() -> None:
    loose = enrolment_limits(QualitySettings())
    assert (loose.min_eye_distance_px, loose.min_sharpness) == (12, 2.5)
    assert (loose.min_brightness, loose.max_brightness) == (25, 225)
    strict = QualitySettings(30, 9, min_brightness=40, max_brightness=200, max_turn_deg=20)
    assert enrolment_limits(strict) == strict


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"presence": 0.2}, Problem.NOT_A_FACE),
        ({"pose": Pose(LIMITS.max_turn_deg + 1, 0, 0)}, Problem.TURNED_AWAY),
        ({"pose": Pose(0, -LIMITS.max_turn_deg - 1, 0)}, Problem.TURNED_AWAY),
        ({"pose": Pose(LIMITS.max_turn_deg * 0.8, LIMITS.max_turn_deg * 0.8, 0)}, Problem.TURNED_AWAY),
        ({"pose": Pose(0, 0, 80)}, None),
    ],
    ids=["presence", "aside", "up", "aside and down", "tilted only"],
)
def test_what_the_networks_say_is_weighed(changed: dict[str, object], problem: Problem | None) -> None:
    assert judged(read_picture(COLLINS), **changed).problem is problem


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_face_that_leaves_the_picture_is_cut_off(side: str) -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)
    (x, y) = seen.five[2].round().astype(int)
    part = {"left": image[:, x:], "right": image[:, :x], "top": image[y:], "bottom": image[:y]}[side]
    moved = seen.five - {"left": [x, 0], "top": [0, y]}.get(side, [0, 0])
    found = replace(seen, five=moved.astype(np.float32))

    assert assess(part, found, LIMITS).problem is Problem.CUT_OFF


def test_sharpness_falls_and_weight_with_it_as_blur_grows() -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)
    blurred = [cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8) for sigma in (0.5, 2, 4, 8)]
    rows = [assess(b, seen, LIMITS) for b in blurred]

    assert [q.sharpness for q in rows] == sorted((q.sharpness for q in rows), reverse=True)
    assert [q.score for q in rows] == sorted((q.score for q in rows), reverse=True)


def test_a_smear_is_not_sharp_whichever_way_it_goes() -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)
    scale = float(np.linalg.norm(seen.five[1] - seen.five[0])) / 37
    length = round(17 * scale)
    row = np.full((1, length), 1 / length, np.float32)
    diagonal = np.eye(length, dtype=np.float32) / length
    for kernel in (row, row.T, diagonal, diagonal[::-1]):
        smeared = cv2.filter2D(image, -1, kernel).astype(np.uint8)
        assert assess(smeared, seen, LIMITS).problem is Problem.TOO_BLURRED


def test_limits_are_the_settings() -> None:
    strict = QualitySettings(min_eye_distance_px=400)

    assert judged(read_picture(COLLINS), strict).problem is Problem.TOO_SMALL
