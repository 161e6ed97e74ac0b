"""Frames of a scene: LFW photos cut out along a soft oval, treated, and put before a blurred porch."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from converter.visit_player.script import FPS, HEIGHT, WIDTH, Actor, Part, VisitScene
from edge.capture.photos import read_photo
from edge.records import Image

SIDE = 250
"""LFW's photos are square, with the face in the middle."""
NOISE = 1.5


@functools.lru_cache(maxsize=64)
def _photo(path: Path) -> Image:
    return np.asarray(cv2.resize(read_photo(path), (SIDE, SIDE)), np.uint8)


@functools.cache
def _mask() -> NDArray[np.float32]:
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(mask, (SIDE // 2, SIDE // 2 + 4), (78, 104), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 5)[..., None], np.float32)


@functools.lru_cache(maxsize=8)
def porch(seed: int) -> Image:
    """Smooth colours with a little structure."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 190, (6, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


def _sunglasses(photo: Image) -> Image:
    dark = photo.copy()
    for x in (103, 147):
        cv2.ellipse(dark, (x, 113), (19, 14), 0, 0, 360, (18, 16, 16), -1, cv2.LINE_AA)
    cv2.line(dark, (84, 108), (166, 108), (18, 16, 16), 4, cv2.LINE_AA)
    return dark


def _masked(photo: Image) -> Image:
    covered = photo.copy()
    shape = np.array([[84, 128], [125, 124], [166, 128], [160, 168], [125, 186], [90, 168]], np.int32)
    cv2.fillPoly(covered, [shape], (205, 190, 170), cv2.LINE_AA)
    return covered


def _plain(image: Image) -> Image:
    return image


def _blurred(frame: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 2.2), np.uint8)


def _dark(frame: Image) -> Image:
    return np.asarray((frame.astype(np.float32) * 0.16).round(), np.uint8)


def _infrared(frame: Image) -> Image:
    """Grey, flat and noisy, lit from the camera."""
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)
    flat = 255 * (grey / 255) ** 0.7 * 0.7 + 25
    return np.asarray(cv2.merge([flat.clip(0, 255)] * 3), np.uint8)


ON_PHOTO: dict[str, Callable[[Image], Image]] = {"sunglasses": _sunglasses, "mask": _masked}
ON_FRAME: dict[str, Callable[[Image], Image]] = {"blurred": _blurred, "dark": _dark, "infrared": _infrared}


def part_at(actor: Actor, at: float) -> Part | None:
    return next((part for part in actor.parts if part.start_s <= at < part.end_s), None)


def place(part: Part, at: float) -> tuple[float, float, float]:
    """Middle of the face (x, y) in px and its scale at a time, with a little sway."""
    done = (at - part.start_s) / (part.end_s - part.start_s)
    scale = part.scale[0] + done * (part.scale[1] - part.scale[0])
    x = (part.x[0] + done * (part.x[1] - part.x[0])) * WIDTH
    return x + 3 * scale * np.sin(2.1 * at), 0.47 * HEIGHT + 2.5 * scale * np.sin(1.7 * at + 1), scale


def frames(scene: VisitScene) -> Iterator[tuple[float, Image]]:
    """(seconds, BGR frame) at FPS, the same pixels each time."""
    rng = np.random.default_rng(scene.number)
    background = porch(scene.number % 8)
    for index in range(round(scene.seconds * FPS)):
        at = index / FPS
        yield at, _frame(scene, background, at, rng)


def _frame(scene: VisitScene, background: Image, at: float, rng: Generator) -> Image:
    canvas = background.astype(np.float32)
    on_frame: Callable[[Image], Image] = _plain
    there = [(actor, part) for actor in scene.actors if (part := part_at(actor, at))]
    for _, part in sorted(there, key=lambda pair: pair[1].scale[0]):
        photo = ON_PHOTO.get(part.treatment, _plain)(_photo(part.photo))
        on_frame = ON_FRAME.get(part.treatment, on_frame)
        x, y, scale = place(part, at)
        angle = 2.5 * np.sin(1.3 * at)
        turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, scale)
        turn[:, 2] += np.array([x - SIDE / 2, y - SIDE / 2])
        how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        if scale < 0.6:
            photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.35 / scale), np.uint8)
        warped = cv2.warpAffine(photo, turn, (WIDTH, HEIGHT), flags=how).astype(np.float32)
        alpha = cv2.warpAffine(_mask(), turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)[..., None]
        canvas = canvas * (1 - alpha) + warped * alpha
    frame = on_frame(np.asarray(canvas.round(), np.uint8))
    noisy = frame.astype(np.float32) + rng.normal(0, NOISE, frame.shape).astype(np.float32)
    return np.asarray(noisy.clip(0, 255).round(), np.uint8)
