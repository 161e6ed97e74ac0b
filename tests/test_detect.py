"""Decoding as pure functions, and the bundled detectors on pictures whose faces are known."""

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config.faces import DetectSettings
from edge.errors import ModelError
from edge.faces.detect import (
    MAX_SQUARES,
    BlazeFaceDetector,
    anchors,
    decode,
    letterbox,
    resized,
    squares,
    suppress_nested,
    weighted_suppression,
)
from edge.models import card
from edge.models.tflite import Model
from edge.records import Box, Face, Image
from support.data_sets import data_root, golden
from support.networks import detector, only_face
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA_2009, read_picture

BACK = (256, (16, 32, 32, 32))
SHORT = (128, (8, 16, 16, 16))


def face_at(left: float, top: float, side: float, score: float) -> Face:
    return Face(Box(left, top, left + side, top + side), score, np.zeros((6, 2), np.float32))


def as_array(box: Box) -> np.ndarray:
    return np.array([box.left, box.top, box.right, box.bottom])


def test_anchors_run_along_rows_and_share_cells_between_layers_of_one_stride() -> None:
    back, short, full = anchors(*BACK), anchors(*SHORT), anchors(192, (4,))

    assert [len(a) for a in (back, short, full)] == [896, 896, 2304]
    assert np.allclose(back[:3], [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]])
    assert np.allclose(back[512:519], [[1 / 16, 1 / 16]] * 6 + [[3 / 16, 1 / 16]])
    assert np.allclose(back[-1], [15 / 16, 15 / 16])
    # One anchor a cell when there is a single layer.
    assert np.allclose(full[:2], [[0.5 / 48, 0.5 / 48], [1.5 / 48, 0.5 / 48]])


@settings(deadline=None)
@given(
    st.integers(0, 895),
    st.tuples(st.floats(20, 236), st.floats(20, 236)),
    st.floats(8, 120),
    st.lists(st.floats(-60, 60), min_size=12, max_size=12),
)
def test_decoding_inverts_encoding(anchor: int, centre: tuple[float, float], side: float, offsets: list[float]) -> None:
    size, centres = BACK[0], anchors(*BACK)
    points = np.array(offsets, np.float32).reshape(6, 2) + np.array(centre, np.float32)
    boxes, logits = np.zeros((896, 16), np.float32), np.full(896, -9, np.float32)
    origin = centres[anchor] * size
    boxes[anchor] = [*(centre - origin), side, side, *(points - origin).reshape(-1)]
    logits[anchor] = 3

    (face,) = decode(boxes, logits, centres, size)

    assert np.allclose(as_array(face.box), [*np.subtract(centre, side / 2), *np.add(centre, side / 2)], atol=1e-2)
    assert np.allclose(face.keypoints, points, atol=1e-2)
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_decoding_nothing_and_extreme_logits() -> None:
    boxes, centres = np.zeros((896, 16), np.float32), anchors(*BACK)

    assert decode(boxes, np.full(896, -1e6, np.float32), centres, 256) == []
    assert all(face.score == 1 for face in decode(boxes, np.full(896, 1e6, np.float32), centres, 256))


def test_overlapping_candidates_become_their_weighted_mean_with_the_best_score() -> None:
    rows = np.zeros((3, 16), np.float32)
    rows[0, :4], rows[1, :4], rows[2, :4] = [10, 10, 50, 50], [14, 10, 54, 50], [200, 200, 240, 240]
    rows[0, 4:], rows[1, 4:] = 20, 26

    near, far = weighted_suppression(rows, np.array([0.9, 0.45, 0.6], np.float32))

    # Two thirds of the weight are the first one's.
    assert np.allclose(as_array(near.box), [11 + 1 / 3, 10, 51 + 1 / 3, 50], atol=1e-3)
    assert np.allclose(near.keypoints, 22)
    assert near.score == pytest.approx(0.9)
    assert far.score == pytest.approx(0.6)


def test_suppression_ends_with_boxes_that_have_no_area() -> None:
    assert len(weighted_suppression(np.zeros((3, 16), np.float32), np.array([0.9, 0.8, 0.7], np.float32))) == 3


@settings(deadline=None)
@given(st.integers(1, 70_000), st.integers(1, 70_000))
@example(1, 4000)
def test_no_picture_needs_more_than_a_dozen_runs_and_none_is_left_uncovered(width: int, height: int) -> None:
    spans = squares(width, height)
    assert 1 <= len(spans) <= MAX_SQUARES
    assert spans[0][:2] == (0, 0)
    assert spans[-1][2:] == (width, height)
    for (_, _, right, bottom), (left, top, _, _) in itertools.pairwise(spans):
        assert left <= right
        assert top <= bottom


@settings(deadline=None)
@given(st.integers(40, 4000), st.integers(40, 4000))
def test_squares_cover_the_picture_and_overlap(width: int, height: int) -> None:
    spans = squares(width, height)
    side = min(width, height)

    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in spans)
    assert spans[0][:2] == (0, 0)
    assert spans[-1][2:] == (width, height)
    for (_, _, right, bottom), (left, top, _, _) in itertools.pairwise(spans):
        assert max(right - left if width > height else bottom - top, 0) >= side // 8 - 1


@settings(deadline=None)
@given(st.integers(16, 900), st.integers(16, 900))
def test_letterbox_centres_the_picture_and_says_how(width: int, height: int) -> None:
    square, box = letterbox(np.full((height, width, 3), 255, np.uint8), 128)
    ys, xs = np.nonzero(square[..., 0])

    assert square.shape == (128, 128, 3)
    assert (xs.min(), ys.min()) == (box.left, box.top)
    assert abs((xs.max() + 1 - box.left) / box.scale - width) <= max(1.0, 0.5 / box.scale)
    assert abs((ys.max() + 1 - box.top) / box.scale - height) <= max(1.0, 0.5 / box.scale)
    assert abs((128 - 1 - xs.max()) - xs.min()) <= 1


@settings(deadline=None, max_examples=40)
@given(st.integers(300, 1500), st.integers(300, 1500), st.integers(20, 256))
def test_a_smaller_picture_is_the_mean_of_what_falls_into_each_pixel(w: int, h: int, width: int) -> None:
    """Stripes finer than a pixel become grey; bilinear alone would show some of them, which are not there."""
    height = max(1, round(h * width / w))
    stripes = np.zeros((h, w, 3), np.uint8)
    stripes[:, ::2] = 200
    small = np.asarray(resized(stripes, width, height))
    assert small.shape == (height, width, 3)
    if w >= 4 * width:
        assert np.abs(small[:, 1:-1].astype(float) - 100).max() <= 40

    smooth = cv2.GaussianBlur(np.random.default_rng(w).integers(0, 255, (h, w, 3), np.uint8), (0, 0), 8)
    mean = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(np.asarray(resized(smooth, width, height)).astype(float) - mean).max() <= 4


def test_a_box_that_lies_in_another_is_the_same_face() -> None:
    whole, half, beside = face_at(100, 100, 80, 0.9), face_at(70, 110, 56, 0.7), face_at(170, 100, 60, 0.6)
    assert whole.box.iou(half.box) < 0.3
    assert [f.score for f in suppress_nested([half, whole, beside])] == [0.9, 0.6]


def test_one_face_in_two_squares_is_one_face() -> None:
    whole, cut, other = face_at(100, 100, 60, 0.8), face_at(130, 105, 30, 0.9), face_at(400, 100, 60, 0.7)

    assert [f.score for f in suppress_nested([whole, cut, other])] == [0.9, 0.7]


@pytest.mark.parametrize("name", ["blazeface-back", "blazeface-short-range"])
@pytest.mark.parametrize("picture", [BIDEN, COLLINS, HOPPER, OBAMA_2009], ids=lambda path: path.stem)
def test_one_face_in_each_portrait_and_its_keypoints_in_order(name: str, picture: Path) -> None:
    (face,) = detector(name).detect(read_picture(picture))
    left_eye, right_eye, nose, mouth, _, _ = face.keypoints

    assert left_eye[0] < nose[0] < right_eye[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < mouth[1]
    assert face.box.left < left_eye[0]
    assert right_eye[0] < face.box.right


@pytest.mark.parametrize("shift", [0, 150, 260, 400, 520])
def test_a_face_is_found_once_wherever_it_is_in_a_wide_picture(shift: int) -> None:
    portrait = cv2.resize(read_picture(COLLINS), (240, 240), interpolation=cv2.INTER_AREA)
    wide: Image = np.full((360, 800, 3), 90, np.uint8)
    wide[60:300, shift : shift + 240] = portrait
    expected = only_face(portrait).box.moved(shift, 60)

    assert only_face(wide).box.iou(expected) > 0.7


@pytest.mark.parametrize(
    "picture",
    [
        lambda: np.zeros((480, 640, 3), np.uint8),
        lambda: np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8),
        lambda: np.full((3, 900, 3), 127, np.uint8),
    ],
    ids=["black", "noise", "sliver"],
)
def test_no_face_where_none_is(picture: Callable[[], Image]) -> None:
    assert detector().detect(picture()) == []


def test_a_detector_needs_the_strides_of_its_card() -> None:
    model = Model(card.find("face-mesh"), "landmarks")

    with pytest.raises(ModelError, match="strides"):
        BlazeFaceDetector(model, DetectSettings())


@pytest.mark.data
@pytest.mark.parametrize(("name", "key"), [("blazeface-back", "back"), ("blazeface-short-range", "short_range")])
def test_agrees_with_an_independent_implementation(name: str, key: str) -> None:
    blaze = detector(name, squares=False, min_score=0.3)
    for entry in golden()["images"]:
        image = read_picture(data_root() / entry["image"])
        faces = blaze.detect(image)
        middle = np.array(image.shape[1::-1]) / 2
        face = min(faces, key=lambda f: float(np.abs(np.array(f.box.centre) - middle).sum()))

        assert len(faces) == entry[key]["faces"]
        assert np.abs(as_array(face.box) - entry[key]["box_xyxy"]).max() < 0.5
        assert np.abs(face.keypoints - entry[key]["keypoints"]).max() < 0.5
        assert face.score == pytest.approx(entry[key]["score"], abs=0.005)


class ScriptedNetwork:
    """A BlazeFace that answers each square with one face: its box in pixels of the square, and its score."""

    card = card.read_card(card.find("blazeface-back"))
    path = Path("scripted.tflite")

    def __init__(self, *answers: tuple[Box, float]) -> None:
        self._answers = list(answers)

    def run(self, images: list[Image]) -> list[np.ndarray]:
        box, score = self._answers.pop(0)
        boxes, logits = np.zeros((1, 896, 16), np.float32), np.full((1, 896, 1), -20, np.float32)
        centre = np.array(box.centre) - anchors(*BACK)[600] * BACK[0]
        boxes[0, 600] = [*centre, box.width, box.height, *np.tile(centre, 6)]
        logits[0, 600] = np.log(score / (1 - score))
        return [boxes, logits]


@pytest.mark.parametrize(("width", "height"), [(448, 256), (256, 448)])
def test_a_face_cut_by_a_seam_gives_way_to_the_whole_one_next_door(width: int, height: int) -> None:
    """Two squares of 256 pixels overlap by 64: the first sees two thirds of a face, and is surer of it."""
    wide = width > height
    cut = Box(196, 100, 256, 190) if wide else Box(100, 196, 190, 256)
    whole = Box(4, 100, 94, 190) if wide else Box(100, 4, 190, 94)
    network = ScriptedNetwork((cut, 0.92), (whole, 0.88))

    (face,) = BlazeFaceDetector(network, DetectSettings()).detect(np.zeros((height, width, 3), np.uint8))  # type: ignore[arg-type]

    assert np.allclose(as_array(face.box), as_array(whole.moved(192, 0) if wide else whole.moved(0, 192)), atol=0.1)
    assert face.score == pytest.approx(0.88)


def test_a_face_at_the_edge_of_the_picture_keeps_its_score() -> None:
    """Nobody sees more of it."""
    network = ScriptedNetwork((Box(0, 100, 60, 190), 0.92), (Box(150, 20, 200, 70), 0.7))

    best, _ = BlazeFaceDetector(network, DetectSettings()).detect(np.zeros((256, 448, 3), np.uint8))  # type: ignore[arg-type]

    assert best.score == pytest.approx(0.92)
