"""Makes the demo's clip: people come to a door one after another. Needs numpy and OpenCV only.

    python -m edge.demo.make_clip OUT.mp4

writes the clip and, beside it, OUT.json: who is to be seen in it, and when.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np

from edge.demo import people, porch
from edge.demo.cutout import CENTRE, UNIT, Layer, cut_out
from edge.demo.expected import ClipScript, ExpectedVisit
from edge.demo.motion import Pose, Visitor, gone_after, pose
from edge.errors import UsageError, WhosthereError
from edge.records import Image

FPS = 12
SECONDS = 42.5
SEED = 20
CODEC = "mp4v"


@dataclass(frozen=True, slots=True)
class Visit:
    """People who come into view together."""

    at: float
    """Seconds from the beginning of the clip."""
    visitors: tuple[Visitor, ...]


OBAMA, STRANGER, BIDEN, HOPPER = "Barack Obama", "Eileen Collins", "Joe Biden", "Grace Hopper"
VISITS = (
    Visit(1.5, (Visitor(OBAMA, "barack-obama", people.OBAMA_2009, -1, 330, 150, 1),)),
    Visit(11.6, (Visitor(STRANGER, None, people.COLLINS, 1, 300, 138, -1, short=0.08),)),
    Visit(21.7, (Visitor(BIDEN, "joe-biden", people.BIDEN, 1, 318, 145, 1, short=-0.05),)),
    Visit(
        31.8,
        (
            Visitor(HOPPER, "grace-hopper", people.HOPPER, -1, 190, 112, -1, short=0.3),
            Visitor(OBAMA, "barack-obama", people.OBAMA_2010, 1, 432, 116, 1, late_s=0.4),
        ),
    ),
)

_SHUTTER_S = 1 / 30
_EXPOSURES = 5
"""Moments of an open shutter that are averaged into motion blur."""
_NOISE = 1.0
"""Standard deviation at middle grey; more of it and the clip no longer fits into 3 MB."""


class Clip:
    """The clip's frames, each a function of its index alone."""

    def __init__(self) -> None:
        self._porch = porch.paint(SEED)
        shown = {visitor.portrait.photo: visitor.portrait for visit in VISITS for visitor in visit.visitors}
        self._sprites = {photo: _pyramid(cut_out(portrait)) for photo, portrait in shown.items()}

    def frame(self, index: int) -> Image:
        """Frame `index`, from 0."""
        t = index / FPS
        picture = self._exposed(t) * np.float32(_light(t))
        rng = np.random.default_rng((SEED, index))
        grey = rng.standard_normal((porch.HEIGHT, porch.WIDTH, 1), dtype=np.float32)
        colour = rng.standard_normal((porch.HEIGHT // 2, porch.WIDTH // 2, 3), dtype=np.float32)
        noise = grey + 0.5 * cv2.resize(colour, (porch.WIDTH, porch.HEIGHT), interpolation=cv2.INTER_LINEAR)
        # Sensors are noisier in the shadows.
        noisy = picture + noise * (_NOISE * (1.35 - 0.5 * picture / 255))
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)

    def _exposed(self, t: float) -> porch.Colour:
        moments = np.linspace(t, t + _SHUTTER_S, _EXPOSURES) if present(t) else [t]
        instants = [self._instant(float(moment)) for moment in moments]
        return np.asarray(np.mean(instants, axis=0), dtype=np.float32)

    def _instant(self, t: float) -> porch.Colour:
        poses = sorted(present(t), key=lambda shown: shown[1].width)
        picture = self._porch.behind
        outside = [self._sprite(visitor, at) for visitor, at in poses if not at.passed_gate]
        for layer in [*outside, *([self._porch.hedge] if outside else [])]:
            picture = _over(picture, layer)
        for visitor, at in poses:
            if at.passed_gate:
                picture = _over(picture, self._sprite(visitor, at))
        return picture

    def _sprite(self, visitor: Visitor, at: Pose) -> Layer:
        pyramid = self._sprites[visitor.portrait.photo]
        level = max(0, min(int(np.log2(UNIT / at.width)), len(pyramid) - 1))
        centre = CENTRE[0] / 2**level, CENTRE[1] / 2**level
        move = cv2.getRotationMatrix2D(centre, -at.angle, at.width / UNIT * 2**level)
        move[:, 2] += (at.x - centre[0], at.y - centre[1])
        size = (porch.WIDTH, porch.HEIGHT)
        return cv2.warpAffine(pyramid[level], move, size, flags=cv2.INTER_LINEAR).astype(np.float32)


def present(t: float) -> list[tuple[Visitor, Pose]]:
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
    return ClipScript(clip=clip, fps=FPS, frames=frame_count(), width=porch.WIDTH, height=porch.HEIGHT, visits=visits)


def frame_count() -> int:
    return round(SECONDS * FPS)


def write(out: Path, frames: Iterator[Image]) -> None:
    """Frames as a video, and the script beside it. Raises UsageError when OpenCV cannot write there."""
    writer = cv2.VideoWriter(str(out), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*CODEC), FPS, (porch.WIDTH, porch.HEIGHT))
    if not writer.isOpened():
        raise UsageError(
            f"{out}: OpenCV cannot write a video there; give a path that ends in .mp4 in a folder that exists"
        )
    for frame in frames:
        writer.write(frame)
    writer.release()
    out.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(script(out.name)), indent=2) + b"\n")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m edge.demo.make_clip OUT.mp4", file=sys.stderr)
        return UsageError.exit_code
    out = Path(arguments[0])
    try:
        write(out, _with_progress(Clip()))
    except WhosthereError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"\n{out}: {frame_count()} frames, {out.stat().st_size / 1e6:.1f} MB; {out.with_suffix('.json')}")
    return 0


def _with_progress(clip: Clip) -> Iterator[Image]:
    for index in range(frame_count()):
        print(f"\rframe {index + 1} of {frame_count()}", end="", flush=True)
        yield clip.frame(index)


def _pyramid(sprite: Layer) -> list[Layer]:
    """The sprite at full size, a half, a quarter and an eighth."""
    levels = [sprite]
    for _ in range(3):
        halved = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(cv2.resize(levels[-1], halved, interpolation=cv2.INTER_AREA).astype(np.float32))
    return levels


def _over(picture: porch.Colour, layer: Layer) -> porch.Colour:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
