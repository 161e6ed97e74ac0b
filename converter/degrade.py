"""What bad pictures cost: blurred, shrunk or darkened faces against good pictures of the same people."""

import functools
import itertools
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from converter.changes import INFRARED, Change, blurred, exposed, flat, grey, infrared, shrunk, smeared
from converter.datasets import PicturePair
from converter.embeddings import CachingEmbedder, EmbeddedFaces, FaceRecord
from converter.verification import similarities

TURNS_DEG: tuple[float, ...] = (0, 10, 20, 30, 40, 90)


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
    refused_in_vain: float
    """The share of the pairs of one person that are refused though they would have matched."""


HARMS: dict[str, tuple[Callable[[float], Change], tuple[float, ...]]] = {
    "blur, sigma px": (blurred, (1, 2, 3, 4, 5, 6)),
    "moving aside, px": (smeared, (5, 9, 13, 17)),
    "moving down, px": (functools.partial(smeared, down=True), (5, 9, 13, 17)),
    "eyes apart, px": (shrunk, (32, 24, 20, 16, 14, 12, 10, 8)),
    "exposure, gain": (exposed, (0.5, 0.25, 0.15, 0.1, 0.06, 0.04, 1.5, 2, 2.5, 3, 4)),
    "grey, noise in levels": (grey, (0, 8, 16)),
    "grey, contrast times": (flat, (0.5, 0.25, 0.12)),
    INFRARED: (lambda _: infrared, (0,)),
}


def by_harm(
    embedder: CachingEmbedder, pairs: Sequence[PicturePair], threshold: float, harms: Sequence[str] = tuple(HARMS)
) -> list[DegradeRow]:
    """Degrade the second picture of every pair, by kind (of HARMS) and degree; the first one stays good."""
    firsts, seconds = [p.first for p in pairs], [p.second for p in pairs]
    good = embedder.embed(firsts + seconds)
    rows = [_row("none", 0, pairs, good, good, threshold)]
    for harm in harms:
        change, degrees = HARMS[harm]
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
    matched = scores >= threshold
    refused = np.array([harmed.records[p.second].problem is not None for p in pairs])
    same = np.array([p.same for p in pairs])
    records = [harmed.records[p] for p in dict.fromkeys(p.second for p in pairs)]
    found = [face for face in records if face.vector]
    return DegradeRow(
        harm=harm,
        degree=degree,
        pairs=int(same.sum()),
        missed=len(records) - len(found),
        true_match_rate=float(matched[same].mean()),
        false_matches=int(matched[~same].sum()),
        eye_distance_px=_median(found, lambda face: face.eye_distance_px),
        sharpness=_median(found, lambda face: face.sharpness),
        brightness=_median(found, lambda face: face.brightness),
        off_axis=_median(found, lambda face: face.off_axis),
        refused=sum(face.problem is not None for face in found) / max(len(found), 1),
        refused_in_vain=float((matched & refused)[same].mean()),
    )


def _median(records: Sequence[FaceRecord], value: Callable[[FaceRecord], float]) -> float:
    return float(np.median([value(face) for face in records])) if records else 0.0
