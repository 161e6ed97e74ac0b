"""Clips of living people and of fakes through the box's own loop, and what their visits score."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.capture import geometry
from edge.capture.clip import open_clip
from edge.config.camera import CameraSettings
from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.events import EventKind
from edge.faces.analyser import Analyser
from edge.galleries.gallery import Gallery
from edge.records import Image
from edge.sightings import SPOOF_BELOW, LivenessScore
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds, similarity_scale

MIN_FACES = 3
"""A visit with fewer usable faces is not counted: it would hardly have been named."""


@dataclass(frozen=True, slots=True)
class ScoredVisit:
    """One visit of a clip."""

    clip: str
    usable_faces: int
    score: LivenessScore | None
    """None: nothing could be measured."""

    @property
    def living(self) -> float:
        """A visit without any sign is one half."""
        return 0.5 if self.score is None else self.score.living


class KindResult(msgspec.Struct, frozen=True):
    """The visits of one kind: living people, or one kind of fake."""

    kind: str
    clips: int
    visits: int
    measured: int
    """Visits in which a sign for or against was found."""
    spoof: int
    """Visits that are called a spoof."""
    scores: list[float]
    cues: dict[str, tuple[int, int]]
    """Visits that each cue spoke against, and in favour of."""


class Trade(msgspec.Struct, frozen=True):
    """What a limit would refuse."""

    below: float
    living_refused: int
    living_refused_at_most: float
    """The upper end of the 95 % interval of the share (Clopper and Pearson, 1934)."""
    fakes_noticed: int


def visits(name: str, frames: Iterable[tuple[float, Image]], analyser: Analyser, config: Config) -> list[ScoredVisit]:
    """Every visit of a clip with enough usable faces. `frames` are (seconds, BGR picture)."""
    embedder = analyser.embedder
    nobody = Matcher(Gallery.empty(embedder.id, embedder.dimensions), 0.5, 0.05, embedder.calibration)
    numbers = itertools.count(1)
    awake = msgspec.structs.replace(config.motion, enabled=False)
    settings = msgspec.structs.replace(config, motion=awake, liveness="advise")
    linking = linking_thresholds(similarity_scale(config.match, embedder.card))
    loop = FrameProcessor(analyser, nobody, linking, settings, lambda: str(next(numbers)), Timings())
    events, at = [], 0.0
    for at, image in frames:
        events += loop.process(geometry.frame(image, CameraSettings(), at)).events
    ended = [event for event in events + loop.flush(at) if event.kind is EventKind.ENDED]
    return [ScoredVisit(name, e.usable_faces, e.liveness) for e in ended if e.usable_faces >= MIN_FACES]


def clip_frames(path: Path, fps: float) -> Iterator[tuple[float, Image]]:
    """The frames of a clip, at most so many a second. Raises CameraError."""
    clip, shown = open_clip(path, fps), float("-inf")
    try:
        while (at := clip.grab()) is not None:
            if at - shown >= 0.9 / fps:
                shown = at
                yield at, clip.picture()
    finally:
        clip.close()


def summary(kind: str, clips: int, found: Sequence[ScoredVisit]) -> KindResult:
    cues: dict[str, tuple[int, int]] = {}
    for visit in found:
        for name, value in (visit.score.cues if visit.score else {}).items():
            against, favour = cues.get(name, (0, 0))
            cues[name] = (against + (value < 0), favour + (value > 0))
    return KindResult(
        kind=kind,
        clips=clips,
        visits=len(found),
        measured=sum(visit.score is not None and any(visit.score.cues.values()) for visit in found),
        spoof=sum(visit.living < SPOOF_BELOW for visit in found),
        scores=[round(visit.living, 3) for visit in found],
        cues=cues,
    )


def trades(living: Sequence[float], fakes: Sequence[float]) -> list[Trade]:
    """What each limit refuses, from the strictest that refuses no living visit; both are scores."""
    limits = sorted({SPOOF_BELOW, *(score + 1e-9 for score in fakes if score <= max([*living, 0.5]))})
    return [
        Trade(
            below=round(limit, 3),
            living_refused=(refused := sum(score < limit for score in living)),
            living_refused_at_most=upper_bound(refused, len(living)),
            fakes_noticed=sum(score < limit for score in fakes),
        )
        for limit in limits
    ]


def upper_bound(hits: int, trials: int) -> float:
    """The largest share that would still give so few hits once in 40 times; 1 without trials."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        chance = sum(math.comb(trials, k) * middle**k * (1 - middle) ** (trials - k) for k in range(hits + 1))
        low, high = (middle, high) if chance > 0.025 else (low, middle)
    return high
