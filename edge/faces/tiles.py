"""Search for far faces: small parts of the full picture, where something moves, a few per frame.

The whole picture is searched at a size at which far faces are a handful of pixels. The short-range network on a part of
the picture at its full resolution finds faces of a seventh of the part's side.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.faces.roi_detect import Window
from edge.records import Box

SIDE_PX = 160
"""Side of a tile: faces of 24 px and more are found in it. docs/50-accuracy.md has the measurement."""
TILES_ACROSS = 8
"""Wider pictures have larger tiles, so that this many still cover their width."""
MARGIN = 0.15
"""The part of a tile at each edge in which a face may be cut."""
MAX_TILES = 100


class TileTurns:
    """Chooses the tiles of each frame in turns, so that the cost per frame is bounded."""

    def __init__(self, per_frame: int) -> None:
        self._per_frame = per_frame
        self._turn = 0

    def choose(self, strange: NDArray[np.bool_], width: int, height: int) -> list[Window]:
        """The next tiles of a picture of that size.

        `strange` are cells that cover the picture, row by row: where something moves that `without_bodies` leaves.
        """
        if not self._per_frame or not strange.any():
            return []
        parts = tiles(strange, width, height)
        turn = self._turn if self._turn < len(parts) else 0
        chosen = parts[turn : turn + self._per_frame]
        self._turn = turn + len(chosen)
        return chosen


def side_of(width: int, height: int) -> int:
    """The side of a tile of a picture, in its pixels."""
    return min(max(SIDE_PX, math.ceil(width / TILES_ACROSS)), width, height)


def tiles(moving: NDArray[np.bool_], width: int, height: int) -> list[Window]:
    """Cover the moving cells of a picture with tiles, from the top: heads are above what else moves."""
    rows, columns = moving.shape
    cell_w, cell_h = width / columns, height / rows
    side = side_of(width, height)
    rest = moving.copy()
    found: list[Window] = []
    while rest.any() and len(found) < MAX_TILES:
        row = int(np.argmax(rest.any(axis=1)))
        column = int(np.argmax(rest[row]))
        last = column + int(side * (1 - 2 * MARGIN) / cell_w)
        run = np.flatnonzero(rest[row, column : last + 1])
        middle = (column + float(run.mean()) + 0.5) * cell_w
        left = int(min(max(middle - side / 2, 0), width - side))
        top = int(min(max(row * cell_h - 2 * MARGIN * side, 0), height - side))
        found.append(Window(left, top, left + side, top + side))
        _clear(rest, found[-1], cell_w, cell_h, width, height)
        rest[row, column : column + int(run[0]) + 1] = False
    return found


def grid(width: int, height: int, side: int) -> list[Window]:
    """Cover a whole picture with tiles that overlap by twice MARGIN."""
    wide, high = min(side, width), min(side, height)
    return [
        Window(left, top, left + wide, top + high) for top in _starts(height, high) for left in _starts(width, wide)
    ]


def _starts(length: int, side: int) -> list[int]:
    count = max(1, math.ceil((length - side) / (side * (1 - 2 * MARGIN)) + 1))
    return [round(i * (length - side) / max(1, count - 1)) for i in range(count)]


def _clear(cells: NDArray[np.bool_], part: Window, cell_w: float, cell_h: float, width: int, height: int) -> None:
    """Take out what lies well inside a tile, or at the picture's own edge."""
    rim = MARGIN * (part.right - part.left)
    left = part.left + rim if part.left > 0 else 0.0
    top = part.top + rim if part.top > 0 else 0.0
    right = part.right - rim if part.right < width else float(width)
    bottom = part.bottom - rim if part.bottom < height else float(height)
    rows = slice(math.floor(top / cell_h), math.ceil(bottom / cell_h))
    cells[rows, math.floor(left / cell_w) : math.ceil(right / cell_w)] = False


def without_bodies(moving: NDArray[np.bool_], followed: Sequence[Box], width: int, height: int) -> NDArray[np.bool_]:
    """Take out the cells around and below followed faces: one and a half face sizes aside and above, seven below."""
    rest = moving.copy()
    scale_x, scale_y = moving.shape[1] / width, moving.shape[0] / height
    for box in followed:
        around = 1.5 * box.width
        top, bottom = (box.top - box.height) * scale_y, (box.bottom + 7 * box.height) * scale_y
        left, right = (box.left - around) * scale_x, (box.right + around) * scale_x
        rest[max(0, int(top)) : max(0, int(bottom) + 1), max(0, int(left)) : max(0, int(right) + 1)] = False
    return rest
