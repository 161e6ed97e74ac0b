"""The picture that is kept of a visitor shows the whole face, sharp, and in good light."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.feedback.kept_strangers import best_pictures
from edge.records import Box, Pose, Problem, Quality
from edge.visits.best_picture import picture_value
from edge.visits.good_faces import GoodFaces
from edge.visits.strangers_layout import StrangerPicture, StrangerVisitRow, packed
from support.people import somebody

WIDTH, HEIGHT = 640, 480
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
GOOD = Quality(0.9, 50.0, 80.0, 125.0, Pose(0, 0, 0), 0.99, None)
PLACE = Box(250, 150, 370, 270)


def value(quality: Quality = GOOD, box: Box = PLACE) -> float:
    return picture_value(quality, box, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "worse",
    [
        (replace(GOOD, score=0.6), PLACE),
        (replace(GOOD, sharpness=15.0), PLACE),
        (replace(GOOD, brightness=20.0), PLACE),
        (replace(GOOD, brightness=245.0), PLACE),
        (replace(GOOD, problem=Problem.TURNED_AWAY), PLACE),
        *((GOOD, box) for box in (
            Box(560, 150, 680, 270), Box(-40, 150, 80, 270), Box(250, -30, 370, 90), Box(250, 400, 370, 520),
        )),
        # The detector may have cut the box at the border itself.
        (GOOD, Box(560, 150, 640, 270)),
    ],
)  # fmt: skip
def test_every_fault_costs_more_than_a_slightly_higher_score_gains(worse: tuple[Quality, Box]) -> None:
    quality, box = worse
    assert value(replace(quality, score=quality.score * 1.1), box) < value()


def test_blur_on_a_large_face_costs_more_than_size_gains() -> None:
    """Looks of the demo's clip: somebody who runs out of the picture, and the same person further away."""
    near = replace(GOOD, score=0.70, sharpness=21.0)
    far = replace(GOOD, score=0.72, sharpness=45.0)
    assert value(near, Box(487, 95, 631, 239)) < 0.7 * value(far, Box(286, 132, 371, 217))


def kept(*faces: tuple[Quality, Box]) -> list[StrangerPicture]:
    """The pictures of a stranger whose only visit had these faces, each unlike the others, as the page shows them."""
    good = GoodFaces()
    for number, (quality, box) in enumerate(faces):
        good.add(quality, somebody(number), IMAGE, box)
    pictures = [StrangerPicture(face.quality, b"", face.value) for face in good.kept]
    row = StrangerVisitRow(1, "v", 0.0, 1, 0.0, "", b"", packed(pictures))
    return best_pictures([row])


def test_of_a_stranger_the_picture_that_is_best_to_look_at_comes_first() -> None:
    """What recognises them best has lost an ear to the border of the picture."""
    border, dark = replace(GOOD, score=0.95), replace(GOOD, score=0.93, brightness=45.0)
    shown = kept((border, Box(-20, 150, 100, 270)), (dark, PLACE), (GOOD, PLACE))
    assert [one.quality for one in shown] == [0.9, 0.93, 0.95]
    assert [one.worth for one in shown] == [value(), value(dark), value(border, Box(-20, 150, 100, 270))]


def test_pictures_that_were_kept_before_that_counted_are_shown_by_their_score() -> None:
    old = msgspec.msgpack.encode([[0.5, b"old"], [0.6, b"better"]])
    row = StrangerVisitRow(1, "v", 0.0, 1, 0.0, "", b"", old)
    assert [one.jpeg for one in best_pictures([row])] == [b"better", b"old"]


sides = st.floats(-2000, 2000)
faces = st.builds(Box, sides, sides, sides, sides)
qualities = st.builds(
    lambda score, sharpness, brightness: replace(GOOD, score=score, sharpness=sharpness, brightness=brightness),
    st.floats(0, 1), st.floats(0, 5000), st.floats(0, 255),
)  # fmt: skip


@given(qualities, faces)
def test_the_value_is_a_part_of_one_whatever_the_face(quality: Quality, box: Box) -> None:
    assert 0.0 <= value(quality, box) <= 1.0


@given(qualities, st.floats(0, 500), st.floats(1, 300))
def test_the_further_a_face_leaves_the_picture_the_less_it_is_worth(
    quality: Quality, left: float, width: float
) -> None:
    places = [Box(x, 100, x + width, 100 + width) for x in (left, left + 100, left + 200, left + 900)]
    values = [value(quality, box) for box in places]
    inside = [box.right + 0.2 * box.width <= WIDTH and box.left >= 0.2 * box.width for box in places]
    for (one, whole), other in zip(zip(values, inside, strict=True), values[1:], strict=False):
        assert not whole or one >= other - 1e-9
    assert values[-1] == 0.0
