"""Which parts of a picture are searched for far faces, in which order, and what that finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge.faces.tiles import SIDE_PX, TileTurns, side_of, tiles, without_bodies
from edge.records import Box

WIDTH, HEIGHT = 1280, 720
CELLS = (54, 96)
NOTHING: NDArray[np.bool_] = np.zeros(CELLS, np.bool_)


def moving(*spots: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Cells that move, as (top, left, bottom, right) in cells."""
    cells = NOTHING.copy()
    for top, left, bottom, right in spots:
        cells[top:bottom, left:right] = True
    return cells


@given(arrays(np.bool_, (12, 16)), st.sampled_from([(640, 480), (1280, 720), (320, 240), (3840, 2160), (100, 70)]))
def test_every_moving_cell_is_in_some_tile_and_tiles_lie_in_the_picture(
    cells: NDArray[np.bool_], size: tuple[int, int]
) -> None:
    width, height = size
    found = tiles(cells, width, height)
    side = side_of(width, height)
    for part in found:
        assert part.left >= 0 and part.right <= width and part.top >= 0 and part.bottom <= height
        assert (part.right - part.left, part.bottom - part.top) == (side, side)
    cell_w, cell_h = width / 16, height / 12
    for row, column in np.argwhere(cells):
        x, y = (column + 0.5) * cell_w, (row + 0.5) * cell_h
        assert any(part.left <= x <= part.right and part.top <= y <= part.bottom for part in found)


def test_the_first_tile_holds_the_head_of_somebody_who_walks_by() -> None:
    # 5 cells wide and 17 high: a person whose face is 32 px.
    first, *rest = tiles(moving((20, 40, 37, 45)), WIDTH, HEIGHT)
    head_x, head_y = 42.5 * WIDTH / 96, 21 * HEIGHT / 54
    assert first.left + 30 < head_x < first.right - 30
    assert first.top + 30 < head_y < first.bottom - 30
    assert len(rest) <= 2


def test_wide_pictures_have_larger_tiles() -> None:
    assert side_of(1280, 720) == side_of(640, 480) == SIDE_PX
    assert side_of(3840, 2160) == 480
    assert side_of(100, 80) == 80


def test_turns_are_bounded_and_come_to_every_tile() -> None:
    everywhere = moving((0, 0, 54, 96))
    turns, all_parts = TileTurns(3), tiles(everywhere, WIDTH, HEIGHT)
    seen = [turns.choose(everywhere, WIDTH, HEIGHT) for _ in range(len(all_parts))]
    assert {len(parts) for parts in seen} <= {1, 2, 3}
    assert {part for parts in seen for part in parts} == set(all_parts)


@pytest.mark.parametrize("cells", [NOTHING, moving((20, 40, 37, 45))])
def test_nothing_is_searched_where_nothing_moves_or_when_it_is_switched_off(cells: NDArray[np.bool_]) -> None:
    assert TileTurns(0).choose(cells, WIDTH, HEIGHT) == []
    assert TileTurns(3).choose(NOTHING, WIDTH, HEIGHT) == []


def test_what_moves_with_a_followed_face_is_left_out() -> None:
    body, passer_by = (20, 40, 50, 50), (10, 80, 20, 84)
    face = Box(540, 270, 620, 350)
    rest = without_bodies(moving(body, passer_by), [face], WIDTH, HEIGHT)
    assert np.array_equal(rest, moving(passer_by))
    assert len(TileTurns(3).choose(without_bodies(moving(body), [face], WIDTH, HEIGHT), WIDTH, HEIGHT)) == 0
