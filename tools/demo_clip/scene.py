"""The view of the demo's door camera, painted from formulas and a seed alone."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.demo_clip.sprites import Layer

WIDTH, HEIGHT = 640, 480
HORIZON = 178
"""The row of the horizon. The camera is at the height of a face."""
GATE = 20.0
"""The width in pixels of a face that passes the gate in the hedge."""
GATE_X = 318
"""The column of the middle of the gate."""
CAMERA_HEIGHT = 9.0
"""Above the ground, in widths of a face."""

_FINE = 2
"""Painted this many times larger and then reduced, so that edges are smooth."""
_GATE_HALF_WIDTH = 3.4

Colour = NDArray[np.float32]
"""(height, width, 3) BGR, 0..255."""
Plane = NDArray[np.float32]
"""(height, width)."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What stands still in the picture."""

    background: Colour
    """All of it."""
    hedge: Layer
    """Hedge and gate posts alone: somebody who has not yet passed the gate is behind them."""


def paint(seed: int) -> Scene:
    """The view with nobody in it, (HEIGHT, WIDTH)."""
    brush = _Brush(seed)
    scene = brush.sky()
    scene = _onto(scene, *brush.houses())
    scene = _onto(scene, *brush.ground())
    colour, alpha = brush.hedge()
    scene = _onto(scene, colour, alpha)
    for part in (brush.walls(), brush.flower_pot()):
        scene = _onto(scene, *part)
        alpha = alpha * (1 - part[1])
    background = scene * brush.vignette()[..., None]
    return Scene(_reduced(background), _reduced(np.dstack([background * alpha[..., None], alpha])))


def _onto(scene: Colour, colour: Colour, alpha: Plane) -> Colour:
    return np.asarray(scene + (colour - scene) * alpha[..., None], dtype=np.float32)


def _reduced(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    small = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32)


class _Brush:
    """Paints the parts of the scene, each as colour and alpha at _FINE times the size."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        rows, columns = np.mgrid[0 : HEIGHT * _FINE, 0 : WIDTH * _FINE].astype(np.float32) / np.float32(_FINE)
        self._y, self._x = rows, columns

    def sky(self) -> Colour:
        clouds = self._noise(90, 30) + 0.5 * self._noise(30, 12)
        light = 226 - 0.06 * self._y + 9 * clouds
        return _tinted(light, (1.0, 0.965, 0.93))

    def houses(self) -> tuple[Colour, Plane]:
        """The other side of the street: two houses and trees, grey with distance."""
        trees = HORIZON - 34 - 16 * self._wave(130) - 9 * self._wave(38)
        green = 132 + 14 * self._noise(5, 5) + 8 * self._noise(18, 12)
        colour, alpha = _tinted(green, (0.86, 1.0, 0.9)), self._below(trees)
        for left, right, top, tint in ((70, 205, 84, (0.80, 0.88, 0.97)), (392, 560, 70, (0.93, 0.95, 0.97))):
            wall = self._box(left, top, right, HORIZON)
            roof = self._polygon(((left - 10, top + 2), ((left + right) / 2, top - 46), (right + 10, top + 2)))
            colour = _onto(colour, _tinted(178 + 4 * self._noise(3, 3), tint), wall)
            colour = _onto(colour, _tinted(120 + 7 * self._noise(2, 9), (0.86, 0.89, 1.0)), roof)
            alpha = np.maximum(np.maximum(alpha, wall), roof)
            for x in np.linspace(left + 24, right - 24, 3):
                pane = self._box(x - 11, top + 26, x + 11, top + 58)
                colour = _onto(colour, _tinted(104 + 0.5 * (self._y - top), (1.0, 0.95, 0.9)), pane)
        return colour, alpha

    def ground(self) -> tuple[Colour, Plane]:
        """Street, lawn and a flagged path, textured in the plane of the ground."""
        depth = CAMERA_HEIGHT * GATE / np.maximum(self._y - HORIZON, 0.5)
        across = (self._x - GATE_X) * depth / GATE
        blades = self._noise(1.2, 2.2) * np.clip(2.4 / depth, 0.25, 1) + 0.5 * self._noise(24, 9)
        colour = _tinted(112 + 15 * blades, (0.52, 1.0, 0.72))
        flags = (np.mod(across / 2.9, 1) < 0.04) | (np.mod(depth * 2.1, 1) < 0.05)
        stone = 165 + 6 * self._noise(2, 1.5) + 7 * self._noise(40, 14) - 34 * _soft(flags)
        path = np.clip((_GATE_HALF_WIDTH - 0.4 - np.abs(across)) * 6, 0, 1) * (depth < 1.5)
        colour = _onto(colour, _tinted(stone, (0.90, 0.96, 1.0)), path.astype(np.float32))
        for tint, light, near, far in (((0.9, 0.96, 1.0), 172.0, 1.45, 1.75), ((1.0, 0.99, 0.97), 128.0, 1.75, 4.2)):
            strip = np.clip((depth - near) * 9, 0, 1) * np.clip((far - depth) * 9, 0, 1)
            colour = _onto(colour, _tinted(light + 4 * self._noise(3, 1), tint), strip.astype(np.float32))
        return colour, self._below(HORIZON)

    def hedge(self) -> tuple[Colour, Plane]:
        """A hedge as high as a man across the garden, and the two posts of its gate."""
        top = HORIZON - 1.6 * GATE + 4 * self._wave(60) + 3 * self._wave(9)
        foot = HORIZON + CAMERA_HEIGHT * GATE + 2
        rows = self._below(top) - self._below(foot + 4 * self._wave(14))
        opening = _GATE_HALF_WIDTH * GATE
        leaves = self._noise(1.6, 1.6) + 0.8 * self._noise(4, 4) + 0.6 * self._noise(14, 14)
        light = 84 + 15 * leaves - 0.16 * (self._y - HORIZON)
        gate = self._box(GATE_X - opening, 0, GATE_X + opening, HEIGHT)
        colour, alpha = _tinted(light, (0.55, 1.0, 0.66)), np.clip(rows, 0, 1) * (1 - gate)
        for side in (-1, 1):
            x = GATE_X + side * (opening + 9)
            post = self._box(x - 12, HORIZON - 1.9 * GATE, x + 12, foot + 3)
            cap = self._box(x - 15, HORIZON - 2.2 * GATE, x + 15, HORIZON - 1.85 * GATE)
            round_ = 1 - 0.35 * np.abs((self._x - x) / 12) ** 2
            colour = _onto(colour, self._bricks(9, 5) * round_[..., None], post)
            colour = _onto(colour, _tinted(176 + 5 * self._noise(3, 3), (0.95, 0.98, 1)), cap)
            alpha = np.maximum(np.maximum(alpha, post), cap)
        return colour, alpha.astype(np.float32)

    def walls(self) -> tuple[Colour, Plane]:
        """The porch itself: brickwork on the left, the door frame on the right, the beam above."""
        brick = self._box(-5, 0, 46, HEIGHT)
        beam = self._box(0, -5, WIDTH, 20)
        frame = self._box(606, 0, WIDTH + 5, HEIGHT)
        colour = self._bricks(26, 13) * (0.62 + 0.006 * self._x)[..., None]
        wood = 196 + 5 * self._noise(1.5, 60) - 44 * _soft(np.abs(self._x - 619) < 1.4) - 0.03 * self._y
        colour = _onto(colour, _tinted(wood, (0.90, 0.97, 1.0)), frame)
        planks = 118 + 5 * self._noise(60, 1.5) - 40 * _soft(np.mod(self._y, 10) < 1.2)
        colour = _onto(colour, _tinted(planks, (0.82, 0.92, 1.0)), beam)
        return colour, np.maximum(np.maximum(brick, beam), frame)

    def flower_pot(self) -> tuple[Colour, Plane]:
        """A box tree in a clay pot, left of the path."""
        ball = ((self._x - 104) / 42) ** 2 + ((self._y - 340) / 40) ** 2
        rim = 1 + 0.12 * self._noise(4, 4)
        tree = np.clip((rim - ball) * 9, 0, 1)
        leaves = self._noise(1.5, 1.5) + 0.7 * self._noise(5, 5)
        light = 92 + 17 * leaves - 0.5 * (self._y - 330) - 0.2 * (self._x - 104)
        pot = self._polygon(((74, 378), (134, 378), (124, 446), (84, 446)))
        clay = (158 + 4 * self._noise(3, 8)) * (1 - 0.4 * np.abs((self._x - 98) / 40) ** 1.5)
        colour = _onto(_tinted(clay, (0.50, 0.66, 1.0)), _tinted(light, (0.5, 1.0, 0.62)), tree.astype(np.float32))
        return colour, np.maximum(tree, pot).astype(np.float32)

    def vignette(self) -> Plane:
        """The darker corners of a small wide lens."""
        radius = ((self._x - WIDTH / 2) / WIDTH) ** 2 + ((self._y - HEIGHT / 2) / HEIGHT) ** 2
        return np.asarray(1.02 - 0.36 * radius, dtype=np.float32)

    def _bricks(self, length: float, height: float) -> Colour:
        row = np.floor(self._y / height)
        column = self._x / length + 0.5 * np.mod(row, 2)
        mortar = (np.mod(self._y / height, 1) < 0.16) | (np.mod(column, 1) < 0.10)
        tone = 18 * np.sin(row * 12.9898 + np.floor(column) * 78.233)
        brick = _tinted(122 + tone + 7 * self._noise(2, 2), (0.56, 0.68, 1.0))
        return _onto(brick, _tinted(158 + 4 * self._noise(2, 2), (0.92, 0.96, 1.0)), _soft(mortar))

    def _noise(self, across: float, down: float) -> Plane:
        """Cloudy noise of that grain in pixels, mean 0, standard deviation 1."""
        height, width = self._x.shape
        # Coarse noise is made small and enlarged: the same look in a tenth of the time.
        coarse_x, coarse_y = max(across * _FINE / 2.5, 1), max(down * _FINE / 2.5, 1)
        raw = self._random.standard_normal((int(height / coarse_y) + 8, int(width / coarse_x) + 8)).astype(np.float32)
        blurred = cv2.GaussianBlur(raw, (0, 0), across * _FINE / coarse_x, sigmaY=down * _FINE / coarse_y)
        smooth = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)

    def _wave(self, length: float) -> Plane:
        """Uneven heights along the picture, about -1..1, one per column."""
        raw = self._random.standard_normal((1, self._x.shape[1])).astype(np.float32)
        smooth = cv2.GaussianBlur(raw, (0, 0), length * _FINE / 3, sigmaY=0.1)
        return np.asarray(np.repeat(smooth / (2 * smooth.std()), self._x.shape[0], axis=0), dtype=np.float32)

    def _below(self, top: Plane | float) -> Plane:
        return np.asarray(np.clip(self._y - top + 0.5, 0, 1), dtype=np.float32)

    def _box(self, left: float, top: float, right: float, bottom: float) -> Plane:
        inside = (self._x >= left) & (self._x <= right) & (self._y >= top) & (self._y <= bottom)
        return np.asarray(inside, dtype=np.float32)

    def _polygon(self, corners: tuple[tuple[float, float], ...]) -> Plane:
        mask = np.zeros(self._x.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(corners) * _FINE).astype(np.int32)], (255,))
        return mask.astype(np.float32) / np.float32(255)


def _soft(mask: NDArray[np.bool_]) -> Plane:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8).astype(np.float32)


def _tinted(light: NDArray[np.floating], tint: tuple[float, float, float]) -> Colour:
    """Light as a colour of that BGR tint."""
    return np.asarray(np.clip(light[..., None] * np.array(tint, np.float32), 0, 255), dtype=np.float32)
