"""Artificial fakes: a photo held up as a print, and a clip played on a telephone, both filmed by an imagined camera.

They are made by formulas, so what is measured on them says how a cue works, and not how often real fakes are noticed.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge.records import Image

FPS = 10.0
FRAMES = 40
WIDTH, HEIGHT = 640, 480
DISTANCE = 4.0
"""From the camera to the print, in widths of the print: enough for the perspective that a hand-held one shows."""
NOISE = 1.5
Transform = NDArray[np.float64]


def turned(size: tuple[int, int], yaw_deg: float, pitch_deg: float = 0.0) -> Transform:
    """The homography (3, 3) of a flat picture of (width, height) turned about its own middle, in pixels of itself.

    `yaw_deg` turns it about its vertical axis, `pitch_deg` about its horizontal one.
    """
    width, height = size
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    middle = np.array([width / 2, height / 2], np.float32)
    flat = np.column_stack([(corners - middle) / width, np.zeros(4)])
    solid = flat @ (about_y @ about_x).T
    seen = solid[:, :2] * (DISTANCE / (solid[:, 2:] + DISTANCE)) * width + middle
    return np.asarray(cv2.getPerspectiveTransform(corners, seen.astype(np.float32)), np.float64)


def held_print(photo: Image, rng: Generator) -> Iterator[tuple[float, Image]]:
    """(seconds, frame) of a printed photo that is held up, moved and turned."""
    face = halftone(_sized(photo, int(rng.integers(260, 340))))
    yield from _held(lambda _: face, rng, turn_deg=float(rng.uniform(10, 35)), sway_px=float(rng.uniform(10, 40)))


def held_screen(frames: Iterable[Image], rng: Generator) -> Iterator[tuple[float, Image]]:
    """(seconds, frame) of a telephone that plays `frames` (it starts over at their end), held in the hand."""
    played = [_screen(_sized(frame, 300), rng) for frame, _ in zip(frames, range(FRAMES), strict=False)]
    if played:
        yield from _held(lambda n: played[n % len(played)], rng, turn_deg=3.0, sway_px=float(rng.uniform(3, 12)))


def halftone(photo: Image) -> Image:
    """A print: dots of ordered dithering in each colour, four to a pixel, on paper with a white border."""
    fine = cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) * 16 + 8
    rows, columns = (-(-n // 4) for n in fine.shape[:2])
    limit = np.tile(bayer, (rows, columns))[: fine.shape[0], : fine.shape[1], None]
    dots = np.where(fine > limit, 225.0, 35.0).astype(np.float32)
    paper = cv2.resize(dots, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(paper.astype(np.uint8), 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=(235,) * 3))


def _screen(frame: Image, rng: Generator) -> Image:
    """A screen: red, green and blue stripes with gaps, sampled a little off their grid (moire), in a black frame."""
    fine = cv2.resize(frame, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    stripes = np.full((3, 3, 3), 0.35, np.float32)
    for column, colour in enumerate((2, 1, 0)):
        stripes[:2, column, colour] = 1.6
    grid = np.tile(stripes, (frame.shape[0], frame.shape[1], 1))
    lit = np.minimum(fine * grid, 255.0)
    height, width = frame.shape[:2]
    sampled = cv2.resize(lit, (round(width * 0.97), round(height * 0.97)), interpolation=cv2.INTER_LINEAR)
    soft = cv2.resize(lit, (sampled.shape[1], sampled.shape[0]), interpolation=cv2.INTER_AREA)
    share = float(rng.uniform(0.1, 0.3))
    shown = (share * sampled + (1 - share) * soft).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.copyMakeBorder(shown, 18, 18, 18, 18, cv2.BORDER_CONSTANT, value=(12, 12, 12)))


def _held(
    shown: Callable[[int], Image], rng: Generator, *, turn_deg: float, sway_px: float
) -> Iterator[tuple[float, Image]]:
    background = porch(rng)
    phases = rng.uniform(0, 2 * np.pi, 5)
    for n in range(FRAMES):
        picture, at = shown(n), n / FPS
        height, width = picture.shape[:2]
        yaw, pitch, x, y, scale = np.sin(phases + at * np.array([2.0, 1.3, 1.7, 2.3, 0.9]))
        where = np.eye(3)
        where[0, 2] = (WIDTH - width) / 2 + x * sway_px
        where[1, 2] = (HEIGHT - height) / 2 + y * sway_px / 2
        near = np.diag([1 + 0.04 * scale, 1 + 0.04 * scale, 1.0])
        placed = where @ near @ turned((width, height), yaw * turn_deg, pitch * turn_deg / 4)
        yield at, camera_frame(background, picture, placed, rng)


def camera_frame(background: Image, picture: Image, placed: Transform, rng: Generator) -> Image:
    """What a camera sees of a flat picture before a background: `placed` maps its pixels to the frame's."""
    size = (background.shape[1], background.shape[0])
    seen = cv2.warpPerspective(picture, placed, size, flags=cv2.INTER_AREA).astype(np.float32)
    cover = cv2.warpPerspective(np.full(picture.shape[:2], 1, np.float32), placed, size)[..., None]
    frame = cv2.GaussianBlur(cover * seen + (1 - cover) * background, (0, 0), 0.6)
    return np.asarray((frame + rng.normal(0, NOISE, frame.shape)).clip(0, 255).round(), np.uint8)


def porch(rng: Generator) -> Image:
    """Smooth colours, a few straight edges and fine structure: a wall, a hedge, a car."""
    small = rng.uniform(50, 180, (6, 8, 3)).astype(np.float32)
    scene = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for _ in range(4):
        left, top = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        right, bottom = left + int(rng.integers(40, 160)), top + int(rng.integers(40, 160))
        cv2.rectangle(scene, (left, top), (right, bottom), rng.uniform(40, 200, 3).tolist(), -1)
    leaves = cv2.GaussianBlur(rng.normal(0, 1, scene.shape[:2]).astype(np.float32), (0, 0), 2)
    return np.asarray((scene + 60 * leaves[..., None]).clip(0, 255), np.uint8)


def _sized(photo: Image, width: int) -> Image:
    height = round(photo.shape[0] * width / photo.shape[1])
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
