"""Who comes to the door when, and every frame of the clip as a function of its index."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.demo.expected import ClipScript, ExpectedVisit
from edge.records import Image
from tools.demo_clip import portraits, scene
from tools.demo_clip.motion import FigurePose, Visitor, gone_after, pose
from tools.demo_clip.sprites import CENTRE, UNIT, Layer, cut_out

FPS = 12
SECONDS = 42.5
SEED = 20


@dataclass(frozen=True, slots=True)
class ClipVisit:
    """People who come into view together."""

    at: float
    """Seconds from the beginning of the clip."""
    visitors: tuple[Visitor, ...]


OBAMA, STRANGER, BIDEN, HOPPER = "Barack Obama", "Eileen Collins", "Joe Biden", "Grace Hopper"
VISITS = (
    ClipVisit(1.5, (Visitor(OBAMA, "barack-obama", portraits.OBAMA_2009, -1, 330, 150, 1),)),
    ClipVisit(11.6, (Visitor(STRANGER, None, portraits.COLLINS, 1, 300, 138, -1, short=0.08),)),
    ClipVisit(21.7, (Visitor(BIDEN, "joe-biden", portraits.BIDEN, 1, 318, 145, 1, short=-0.05),)),
    ClipVisit(
        31.8,
        (
            Visitor(HOPPER, "grace-hopper", portraits.HOPPER, -1, 190, 112, -1, short=0.3),
            Visitor(OBAMA, "barack-obama", portraits.OBAMA_2010, 1, 432, 116, 1, late_s=0.4),
        ),
    ),
)

_SHUTTER_S = 1 / 30
_EXPOSURES = 5
"""Moments of an open shutter that are averaged into motion blur."""
_NOISE = 1.0
"""Standard deviation at middle grey; more of it and the clip no longer fits into 3 MB."""


class PaintedClip:
    """The clip's frames, each a function of its index alone."""

    def __init__(self) -> None:
        self._scene = scene.paint(SEED)
        shown = {visitor.portrait.photo: visitor.portrait for visit in VISITS for visitor in visit.visitors}
        self._sprites = {photo: _pyramid(cut_out(portrait)) for photo, portrait in shown.items()}

    def frame(self, index: int) -> Image:
        """Frame `index`, from 0."""
        t = index / FPS
        picture = self._exposed(t) * np.float32(_light(t))
        rng = np.random.default_rng((SEED, index))
        grey = rng.standard_normal((scene.HEIGHT, scene.WIDTH, 1), dtype=np.float32)
        colour = rng.standard_normal((scene.HEIGHT // 2, scene.WIDTH // 2, 3), dtype=np.float32)
        noise = grey + 0.5 * cv2.resize(colour, (scene.WIDTH, scene.HEIGHT), interpolation=cv2.INTER_LINEAR)
        # Sensors are noisier in the shadows.
        noisy = picture + noise * (_NOISE * (1.35 - 0.5 * picture / 255))
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)

    def _exposed(self, t: float) -> scene.Colour:
        moments = np.linspace(t, t + _SHUTTER_S, _EXPOSURES) if present(t) else [t]
        instants = [self._instant(float(moment)) for moment in moments]
        return np.asarray(np.mean(instants, axis=0), dtype=np.float32)

    def _instant(self, t: float) -> scene.Colour:
        poses = sorted(present(t), key=lambda shown: shown[1].width)
        picture = self._scene.background
        outside = [self._sprite(visitor, at) for visitor, at in poses if not at.passed_gate]
        for layer in [*outside, *([self._scene.hedge] if outside else [])]:
            picture = _over(picture, layer)
        for visitor, at in poses:
            if at.passed_gate:
                picture = _over(picture, self._sprite(visitor, at))
        return picture

    def _sprite(self, visitor: Visitor, at: FigurePose) -> Layer:
        pyramid = self._sprites[visitor.portrait.photo]
        level = max(0, min(int(np.log2(UNIT / at.width)), len(pyramid) - 1))
        centre = CENTRE[0] / 2**level, CENTRE[1] / 2**level
        move = cv2.getRotationMatrix2D(centre, -at.angle, at.width / UNIT * 2**level)
        move[:, 2] += (at.x - centre[0], at.y - centre[1])
        size = (scene.WIDTH, scene.HEIGHT)
        return cv2.warpAffine(pyramid[level], move, size, flags=cv2.INTER_LINEAR).astype(np.float32)


def present(t: float) -> list[tuple[Visitor, FigurePose]]:
    """Who is in the picture at a moment, and where."""
    there = ((visitor, pose(visitor, t - visit.at)) for visit in VISITS for visitor in visit.visitors)
    return [(visitor, at) for visitor, at in there if at is not None]


def script(clip: str) -> ClipScript:
    """What a perfect observer reports of the clip of that file name."""
    visits = [
        ExpectedVisit(
            shown=visitor.name,
            person_id=visitor.person_id,
            person_name=visitor.name if visitor.person_id else None,
            from_s=round(visit.at + visitor.late_s, 3),
            to_s=round(visit.at + gone_after(visitor), 3),
        )
        for visit in VISITS
        for visitor in visit.visitors
    ]
    return ClipScript(clip=clip, fps=FPS, frames=frame_count(), width=scene.WIDTH, height=scene.HEIGHT, visits=visits)


def frame_count() -> int:
    return round(SECONDS * FPS)


def _pyramid(sprite: Layer) -> list[Layer]:
    """The sprite at full size, a half, a quarter and an eighth."""
    levels = [sprite]
    for _ in range(3):
        halved = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], halved, interpolation=cv2.INTER_AREA).astype(np.float32))
    return levels


def _over(picture: scene.Colour, layer: Layer) -> scene.Colour:
    return np.asarray(layer[..., :3] + picture * (1 - layer[..., 3:]), dtype=np.float32)


def _light(t: float) -> float:
    """Clouds that pass, and an automatic exposure that opens, a little late, when somebody dark fills the picture."""
    clouds = 0.035 * np.sin(2 * np.pi * t / 17.0) + 0.015 * np.sin(2 * np.pi * t / 5.3 + 1)
    return float(1 + clouds + 0.08 * _filled(t))


def _filled(t: float) -> float:
    """How much of the picture people fill, 0..1, averaged over the second before `t`."""
    moments = np.linspace(t - 1.0, t, 7)
    areas = [sum((at.width / 150) ** 2 for _, at in present(float(moment))) for moment in moments]
    return float(np.clip(np.mean(areas), 0, 1))
