"""Frames of a scene: LFW photos cut out along a soft oval, treated, and put before a blurred porch.

What is artificial: everything but the faces. People are stills that sway and turn in the picture's plane; sunglasses,
masks, darkness, infrared light, blur, prints and screens are painted.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from converter.visit_player.script import FPS, HEIGHT, WIDTH, Actor, Part, VisitScene
from edge.capture.photos import read_photo
from edge.records import Box, Image

SIDE = 250
"""LFW's photos are square, with the face in the middle."""
PRINT = (48, 34, 202, 216)
"""left, top, right, bottom of a photo that is held up, with its border."""
SLACK = 64
"""By how many pixels the grain of two frames may be shifted."""
NEAR_PX = 60.0
"""How far off a face of LFW's size may be found."""


class Treatment(NamedTuple):
    """What makes a face hard to recognise, or not a face at all."""

    photo: Callable[[Image], Image]
    frame: Callable[[Image], Image]
    noise: float = 1.5
    """Standard deviation of the sensor's noise, in grey levels."""
    grey: bool = False
    """The noise is the same in all three channels."""
    flat: bool = False
    """A rectangle that somebody holds, instead of a head."""


@functools.lru_cache(maxsize=64)
def _photo(path: Path, treatment: str) -> Image:
    return TREATMENTS[treatment].photo(np.asarray(cv2.resize(read_photo(path), (SIDE, SIDE)), np.uint8))


@functools.cache
def _mask(*, flat: bool) -> NDArray[np.float32]:
    mask = np.zeros((SIDE, SIDE), np.float32)
    if flat:
        mask[PRINT[1] : PRINT[3], PRINT[0] : PRINT[2]] = 1
        return mask
    cv2.ellipse(mask, (SIDE // 2, SIDE // 2 + 4), (78, 104), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 5), np.float32)


@functools.lru_cache(maxsize=8)
def porch(seed: int) -> Image:
    """Smooth colours with a little structure."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 190, (6, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


@functools.cache
def _grain(noise: float, *, grey: bool) -> NDArray[np.int16]:
    drawn = np.random.default_rng(0).normal(0, noise, (HEIGHT + SLACK, WIDTH + SLACK, 1 if grey else 3))
    return np.ascontiguousarray(np.broadcast_to(drawn.round(), (*drawn.shape[:2], 3)), np.int16)


def _plain(image: Image) -> Image:
    return image


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


def _printed(photo: Image) -> Image:
    """Paler and softer than life, with a white border."""
    paper = np.asarray(cv2.GaussianBlur(photo.astype(np.float32) * 0.8 + 38, (0, 0), 0.7), np.uint8)
    cv2.rectangle(paper, PRINT[:2], (PRINT[2] - 1, PRINT[3] - 1), (235, 238, 238), 6)
    return paper


def _screen(photo: Image) -> Image:
    """Bluish and bright, with the beat between its pixels and the camera's, and a black border."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    beat = 1 + 0.05 * np.sin(0.9 * x + 0.25 * y)[..., None]
    lit = photo.astype(np.float32) * np.array([1.12, 1.04, 0.98], np.float32) * beat + 8
    shown = np.asarray(lit.clip(0, 255), np.uint8)
    cv2.rectangle(shown, PRINT[:2], (PRINT[2] - 1, PRINT[3] - 1), (12, 12, 12), 8)
    return shown


def _blurred(frame: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), 2.2), np.uint8)


def _dark(frame: Image) -> Image:
    return np.asarray((frame.astype(np.float32) * 0.16).round(), np.uint8)


def _infrared(frame: Image) -> Image:
    """Grey and flat, lit from the camera."""
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32)
    flat = 255 * (grey / 255) ** 0.7 * 0.7 + 25
    return np.asarray(cv2.merge([flat.clip(0, 255)] * 3), np.uint8)


TREATMENTS = {
    "plain": Treatment(_plain, _plain),
    "sunglasses": Treatment(_sunglasses, _plain),
    "mask": Treatment(_masked, _plain),
    "blurred": Treatment(_plain, _blurred),
    "dark": Treatment(_plain, _dark),
    "infrared": Treatment(_plain, _infrared, noise=6, grey=True),
    "print": Treatment(_printed, _plain, flat=True),
    "screen": Treatment(_screen, _plain, flat=True),
}


def part_at(actor: Actor, at: float) -> Part | None:
    return next((part for part in actor.parts if part.start_s <= at < part.end_s), None)


def place(part: Part, at: float) -> tuple[float, float, float]:
    """Middle of the face (x, y) in px and its scale at a time, with a little sway."""
    done = (at - part.start_s) / (part.end_s - part.start_s)
    scale = part.scale[0] + done * (part.scale[1] - part.scale[0])
    x = (part.x[0] + done * (part.x[1] - part.x[0])) * WIDTH
    return x + 3 * scale * np.sin(2.1 * at), 0.47 * HEIGHT + 2.5 * scale * np.sin(1.7 * at + 1), scale


@dataclass(frozen=True, slots=True)
class PaintedScene:
    """A scene as frames, with who is where in them."""

    scene: VisitScene

    @property
    def kind(self) -> str:
        return self.scene.kind

    @property
    def number(self) -> int:
        return self.scene.number

    @property
    def actors(self) -> tuple[Actor, ...]:
        return self.scene.actors

    @property
    def enrolled(self) -> Mapping[str, Sequence[Path]]:
        return self.scene.enrolled

    def frames(self) -> Iterator[tuple[float, Image]]:
        """(seconds, BGR frame) at FPS, the same pixels each time."""
        scene = self.scene
        rng = np.random.default_rng(scene.number)
        for index in range(round(scene.seconds * FPS)):
            at = index / FPS
            behind = porch((scene.number + 3 * sum(at >= cut for cut in scene.cuts)) % 8)
            yield at, _frame(scene, behind, at, rng)

    def actor_at(self, at: float, box: Box | None) -> Actor | None:
        """Whose face lies under the middle of a box."""
        if box is None:
            return None
        x, y = box.centre
        best, nearest = None, NEAR_PX
        for actor in self.scene.actors:
            part = part_at(actor, at)
            if part is not None:
                px, py, scale = place(part, at)
                off = ((px - x) ** 2 + (py - y) ** 2) ** 0.5 / max(scale, 0.3)
                if off < nearest:
                    best, nearest = actor, off
        return best


def _frame(scene: VisitScene, background: Image, at: float, rng: Generator) -> Image:
    canvas = background.copy()
    there = [part for actor in scene.actors if (part := part_at(actor, at))]
    for part in sorted(there, key=lambda part: part.scale[0]):
        _paint(canvas, part, at)
    looks = [TREATMENTS[name] for name in dict.fromkeys(part.treatment for part in there)] or [TREATMENTS["plain"]]
    for look in looks:
        canvas = look.frame(canvas)
    loudest = max(looks, key=lambda look: look.noise)
    down, right = (int(n) for n in rng.integers(0, SLACK, 2))
    grain = _grain(loudest.noise, grey=loudest.grey)[down : down + HEIGHT, right : right + WIDTH]
    return np.asarray(cv2.add(canvas, grain, dtype=cv2.CV_8U), np.uint8)


def _paint(canvas: Image, part: Part, at: float) -> None:
    """Put one face on the canvas, touching only the pixels around it."""
    x, y, scale = place(part, at)
    flat = TREATMENTS[part.treatment].flat
    photo = _photo(part.photo, part.treatment)
    half = 0.75 * SIDE * scale
    left, top = max(0, int(x - half)), max(0, int(y - half))
    right, bottom = min(WIDTH, int(x + half) + 1), min(HEIGHT, int(y + half) + 1)
    if right <= left or bottom <= top:
        return
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), (6.0 if flat else 2.5) * np.sin(1.3 * at), scale)
    # A hand does not hold a picture square to the camera.
    if flat:
        turn[:, 0] = turn[:, 0] * (0.94 + 0.06 * np.cos(1.9 * at))
    turn[:, 2] += np.array([x - left, y - top]) - turn @ np.array([SIDE / 2, SIDE / 2, 1.0])
    size, how = (right - left, bottom - top), cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    if scale < 0.6:
        photo = np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.35 / scale), np.uint8)
    warped = cv2.warpAffine(photo, turn, size, flags=how).astype(np.float32)
    alpha = cv2.warpAffine(_mask(flat=flat), turn, size, flags=cv2.INTER_LINEAR)[..., None]
    behind = canvas[top:bottom, left:right]
    behind[:] = (behind * (1 - alpha) + warped * alpha).round().astype(np.uint8)
