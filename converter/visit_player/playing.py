"""Scenes through the daemon's own loop, and what came of it beside what was true."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgspec

from converter.visit_player.painting import frames, part_at, place
from converter.visit_player.script import Actor, VisitScene
from edge.capture import geometry
from edge.config.camera import CameraSettings
from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.events import Event
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.roi_detect import RoiDetector
from edge.records import Box, Face, Image
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds

T = TypeVar("T")


class Memory:
    """What the networks answered for each frame, so that a second run of the same scenes costs nothing."""

    def __init__(self, analyser: Analyser) -> None:
        self.analyser = analyser
        self.key: tuple[object, ...] = ()
        """The frame being processed."""
        self.answers: dict[tuple[object, ...], object] = {}

    def ask(self, what: str, detail: object, compute: Callable[[], T]) -> T:
        """The answer given before to the same question about the same frame, else what `compute` finds."""
        key = (*self.key, what, detail)
        if key not in self.answers:
            self.answers[key] = compute()
        return cast("T", self.answers[key])


def _rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(v, 2) for v in (box.left, box.top, box.right, box.bottom))


class _Detector:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def detect(self, image: Image) -> list[Face]:
        return self._memory.ask("detect", None, lambda: self._memory.analyser.detector.detect(image))


class _RoiDetector:
    def __init__(self, memory: Memory, roi: RoiDetector) -> None:
        self._memory = memory
        self._roi = roi

    def detect(self, image: Image, places: list[Box]) -> list[Face]:
        return self._memory.ask("roi", tuple(map(_rounded, places)), lambda: self._roi.detect(image, places))


class RememberingAnalyser:
    """An Analyser with a memory in front of its networks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.detector = _Detector(memory)
        near = memory.analyser.near
        self.near = None if near is None else _RoiDetector(memory, near)
        self.embedder = memory.analyser.embedder
        self.networks = ()
        self.limits = memory.analyser.limits

    def look(self, image: Image, face: Face) -> AnalysedFace:
        return self._memory.ask("look", _rounded(face.box), lambda: self._memory.analyser.look(image, face))

    def embed(self, face: AnalysedFace) -> AnalysedFace:
        return self._memory.ask("embed", _rounded(face.face.box), lambda: self._memory.analyser.embed(face))


@dataclass
class PlayedScene:
    """What the box said of a scene."""

    scene: VisitScene
    events: list[tuple[Event, Actor | None]] = field(default_factory=list)
    """Each event, with the actor who stood where and when it was caused."""
    labels: list[tuple[Actor, str | None]] = field(default_factory=list)
    """(actor, name shown) for every followed face that is an actor's, frame by frame."""
    usable: dict[str, float] = field(default_factory=dict)
    """Actor -> when their first usable face was seen."""
    looks: int = 0


def actor_at(scene: VisitScene, at: float, box: Box | None) -> Actor | None:
    """Whose face lies under the middle of a box."""
    if box is None:
        return None
    x, y = box.centre
    best, nearest = None, 90.0
    for actor in scene.actors:
        part = part_at(actor, at)
        if part is not None:
            px, py, scale = place(part, at)
            off = ((px - x) ** 2 + (py - y) ** 2) ** 0.5 / max(scale, 0.3)
            if off < nearest:
                best, nearest = actor, off
    return best


def play(scene: VisitScene, matcher: Matcher, memory: Memory, config: Config) -> PlayedScene:
    """Every frame in order; nothing depends on the clock."""
    analyser = RememberingAnalyser(memory)
    numbers = itertools.count(1)
    processor = FrameProcessor(
        analyser, matcher, linking_thresholds(analyser.embedder.calibration),  # type: ignore[arg-type]
        msgspec.structs.replace(config, motion=msgspec.structs.replace(config.motion, enabled=False)),
        lambda: f"{scene.kind}-{scene.number}-{next(numbers)}", Timings(),
    )  # fmt: skip
    settings, found, at = CameraSettings(), PlayedScene(scene), 0.0
    for index, (at, image) in enumerate(frames(scene)):
        memory.key = (scene.kind, scene.number, index)
        step = processor.process(geometry.frame(image, settings, at))
        for event in step.events:
            found.events.append((event, actor_at(scene, at, event.box)))
        for seen in step.seen:
            actor = actor_at(scene, at, seen.box)
            if actor is None:
                continue
            if seen.quality is not None:
                found.looks += 1
                if seen.quality.usable:
                    found.usable.setdefault(actor.person, at)
            if seen.visit_id is not None:
                person = seen.match.person if seen.match else None
                found.labels.append((actor, person.name if person else None))
    for event in processor.flush(at + 0.1):
        found.events.append((event, None))
    return found
