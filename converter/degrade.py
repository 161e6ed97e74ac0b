"""What bad pictures cost: blurred, shrunk or darkened faces against good pictures of the same people."""

import functools
import itertools
from collections.abc import Callable, Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import PicturePair
from converter.embeddings import CachingEmbedder, EmbeddedFaces, FaceRecord
from converter.verification import similarities
from edge.records import Image

USUAL_EYES_PX = 42.0
"""Median distance of the eyes in LFW's pictures."""
NOISE = 2.0
"""Standard deviation, in grey levels, of what a sensor adds to a dark picture."""
TURNS_DEG: tuple[float, ...] = (0, 10, 20, 30, 40, 90)

Change = Callable[[Image], Image]


class DegradeRow(msgspec.Struct, frozen=True):
    """Recognition at one degree of one kind of degradation."""

    harm: str
    degree: float
    pairs: int
    """Pairs of one person; there are as many of two people, if the list has any."""
    missed: int
    """Pictures in which no face was found; their pairs count as refused."""
    true_match_rate: float
    false_matches: int
    eye_distance_px: float
    """Median over the harmed pictures, as are the next three."""
    sharpness: float
    brightness: float
    off_axis: float
    refused: float
    """The share of degraded pictures that the default quality limits refuse."""


def blurred(sigma: float) -> Change:
    """Out of focus: Gaussian of `sigma` px, the eyes being 42 px apart."""
    return lambda image: _as_image(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma else image


def smeared(length: float, *, down: bool = False) -> Change:
    """Moving aside (or up and down) by `length` px while the shutter is open."""
    count = max(1, round(length))
    kernel = np.full((count, 1) if down else (1, count), 1 / count, np.float32)
    return lambda image: _as_image(cv2.filter2D(image, -1, kernel))


def shrunk(eyes_px: float) -> Change:
    """Further away: the eyes about `eyes_px` apart."""
    scale = eyes_px / USUAL_EYES_PX
    return lambda image: _as_image(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def exposed(gain: float) -> Change:
    """Darker (below 1) or clipped (above), with the noise of a sensor."""

    def change(image: Image) -> Image:
        noise = np.random.default_rng(0).normal(0, NOISE, image.shape)
        return _as_image(np.clip(np.round(image.astype(np.float32) * gain + noise), 0, 255))

    return change


HARMS: dict[str, tuple[Callable[[float], Change], tuple[float, ...]]] = {
    "blur, sigma px": (blurred, (1, 2, 3, 4, 5, 6)),
    "moving aside, px": (smeared, (5, 9, 13, 17)),
    "moving down, px": (functools.partial(smeared, down=True), (5, 9, 13, 17)),
    "eyes apart, px": (shrunk, (32, 24, 20, 16, 14, 12, 10, 8)),
    "exposure, gain": (exposed, (0.5, 0.25, 0.15, 0.1, 0.06, 1.5, 2, 3)),
}


def by_harm(embedder: CachingEmbedder, pairs: Sequence[PicturePair], threshold: float) -> list[DegradeRow]:
    """Degrade the second picture of every pair, by kind and degree; the first one stays good."""
    firsts, seconds = [p.first for p in pairs], [p.second for p in pairs]
    good = embedder.embed(firsts + seconds)
    rows = [_row("none", 0, pairs, good, good, threshold)]
    for harm, (change, degrees) in HARMS.items():
        for degree in degrees:
            harmed = embedder.embed(seconds, change(degree))
            rows.append(_row(harm, degree, pairs, good, harmed, threshold))
    return rows


def by_turn(embedder: CachingEmbedder, pairs: Sequence[PicturePair], threshold: float) -> list[DegradeRow]:
    """Group the pairs, unchanged, by the angle of the head that is turned further."""
    good = embedder.embed(picture for pair in pairs for picture in (pair.first, pair.second))
    turns = [max(good.records[p.first].off_axis, good.records[p.second].off_axis) for p in pairs]
    rows = []
    for low, high in itertools.pairwise(TURNS_DEG):
        some = [pair for pair, turn in zip(pairs, turns, strict=True) if low <= turn < high]
        if any(pair.same for pair in some):
            rows.append(_row("turned, degrees from", low, some, good, good, threshold))
    return rows


def _row(
    harm: str, degree: float, pairs: Sequence[PicturePair], good: EmbeddedFaces, harmed: EmbeddedFaces, threshold: float
) -> DegradeRow:
    scores = similarities(pairs, good, harmed)
    same = np.array([p.same for p in pairs])
    records = [harmed.records[p] for p in dict.fromkeys(p.second for p in pairs)]
    found = [face for face in records if face.vector]
    return DegradeRow(
        harm=harm,
        degree=degree,
        pairs=int(same.sum()),
        missed=len(records) - len(found),
        true_match_rate=float((scores[same] >= threshold).mean()),
        false_matches=int((scores[~same] >= threshold).sum()),
        eye_distance_px=_median(found, lambda face: face.eye_distance_px),
        sharpness=_median(found, lambda face: face.sharpness),
        brightness=_median(found, lambda face: face.brightness),
        off_axis=_median(found, lambda face: face.off_axis),
        refused=sum(face.problem is not None for face in found) / max(len(found), 1),
    )


def _median(records: Sequence[FaceRecord], value: Callable[[FaceRecord], float]) -> float:
    return float(np.median([value(face) for face in records])) if records else 0.0


def _as_image(pixels: NDArray[np.generic]) -> Image:
    return pixels.astype(np.uint8, copy=False)
