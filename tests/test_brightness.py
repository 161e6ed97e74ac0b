"""Dark pictures are brightened for the networks, and others are not touched."""

import numpy as np
import pytest

from edge.faces.brightness import BRIGHT, DARK_BELOW, MAX_GAIN, brightened
from edge.records import Image


def even(level: int) -> Image:
    return np.full((32, 48, 3), level, np.uint8)


@pytest.mark.parametrize("level", [round(DARK_BELOW), 120, 255])
def test_a_picture_that_is_bright_enough_is_the_same_object(level: int) -> None:
    image = even(level)
    assert brightened(image) is image


@pytest.mark.parametrize(("level", "becomes"), [(49, BRIGHT), (9, BRIGHT), (1, MAX_GAIN), (0, 0)])
def test_a_dark_picture_becomes_bright_as_far_as_the_gain_allows(level: int, becomes: float) -> None:
    assert float(brightened(even(level)).mean()) == pytest.approx(becomes, abs=6)


def test_highlights_are_clipped_and_do_not_wrap_round() -> None:
    image = even(10)
    image[:4] = 200
    assert (brightened(image)[:3] > 230).all()
