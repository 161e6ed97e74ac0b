"""Scenes and films through several engines, frame by frame, and what each said beside what was true."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from converter.visit_player.script import Actor
from edge.capture import geometry
from edge.config.camera import CameraSettings
from edge.frame import Frame
from edge.records import Box, Image


class Take(Protocol):
    """Frames with a known truth."""

    @property
    def kind(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def actors(self) -> tuple[Actor, ...]: ...
    @property
    def enrolled(self) -> Mapping[str, Sequence[Path]]:
        """Person -> the photos of their templates."""

    def frames(self) -> Iterator[tuple[float, Image]]:
        """(seconds, BGR frame), the same pixels each time."""

    def actor_at(self, at: float, box: Box | None) -> Actor | None:
        """Whose face lies under a box."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that an engine announced about a face."""

    at: float
    box: Box | None
    name: str | None = None
    """The person that it names; None: nobody."""
    started: bool = False
    """A visit begins. Otherwise it is a decision: that name, or none."""
    corrects: bool = False
    """It replaces an earlier decision of the same visit."""
    spoof: bool = False
    """It says that this is no living person."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine made of one frame."""

    said: list[Said]
    labels: list[tuple[Box, str | None]]
    """(face, the name shown with it) for every face that is followed."""
    usable: list[Box] = field(default_factory=list)
    """Faces that were good enough to decide by."""
    looks: int = 0
    """How many faces were analysed closely."""


class EngineRun(Protocol):
    """An engine at work on one take."""

    def frame(self, frame: Frame) -> Told: ...
    def end(self, at: float) -> list[Said]:
        """There will be no more frames."""


class NamingEngine(Protocol):
    """Something that names people on video."""

    @property
    def name(self) -> str: ...
    def start(self, enrolled: Mapping[str, Sequence[Path]]) -> EngineRun: ...


@dataclass
class Played:
    """What one engine said of one take."""

    engine: str
    kind: str
    actors: tuple[Actor, ...]
    said: list[tuple[Said, Actor | None]] = field(default_factory=list)
    """Each announcement, with the actor who stood where and when it was caused."""
    labels: list[tuple[Actor, str | None]] = field(default_factory=list)
    """(actor, name shown) for every followed face that is an actor's, frame by frame."""
    usable: dict[str, float] = field(default_factory=dict)
    """Person -> when the first engine saw their first usable face; all engines' times count from there."""
    looks: int = 0
    number: int = 0
    """The take's among its kind."""


def play(take: Take, engines: Sequence[NamingEngine]) -> list[Played]:
    """Every frame in order through every engine; nothing depends on the clock."""
    settings, at = CameraSettings(), 0.0
    runs = [engine.start(take.enrolled) for engine in engines]
    usable: dict[str, float] = {}
    found = [Played(engine.name, take.kind, take.actors, usable=usable, number=take.number) for engine in engines]
    for at, image in take.frames():
        frame = geometry.frame(image, settings, at)
        for number, (run, played) in enumerate(zip(runs, found, strict=True)):
            told = run.frame(frame)
            _note(take, at, told, played)
            for box in told.usable if number == 0 else ():
                actor = take.actor_at(at, box)
                if actor is not None:
                    usable.setdefault(actor.person, at)
    for run, played in zip(runs, found, strict=True):
        played.said += [(said, None) for said in run.end(at + 0.1)]
    return found


def _note(take: Take, at: float, told: Told, played: Played) -> None:
    played.said += [(said, take.actor_at(said.at, said.box)) for said in told.said]
    labels = ((take.actor_at(at, box), name) for box, name in told.labels)
    played.labels += [(actor, name) for actor, name in labels if actor is not None]
    played.looks += told.looks
