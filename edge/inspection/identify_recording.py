"""The visits in a recording, each with its decision, exactly as the daemon would decide."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.capture import geometry
from edge.capture.clip import Clip, open_clip
from edge.config.camera import CameraSettings
from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.errors import CameraError
from edge.events import Event, EventKind
from edge.faces.analyser import Analyser
from edge.frame import Frame
from edge.sightings import SeenFace
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds, similarity_scale


@dataclass(frozen=True, slots=True, eq=False)
class FoundVisit:
    """One visit in a recording; times are seconds from its beginning."""

    start_s: float
    end_s: float
    """When the visitor was last seen."""
    decision: Event
    """The final one: recognized, unknown, uncertain or no_usable_face."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Everything that a recording showed."""

    visits: list[FoundVisit]
    error: str | None
    """Why it could not be read to its end; None: it was."""
    frames: int
    """How many could be read."""


OnFrame = Callable[[Frame, list[SeenFace], float], object]
"""Called with every frame, the faces seen in it, and the duration of a frame in seconds."""


def identify_video(
    analyser: Analyser, matcher: Matcher, config: Config, path: Path, on_frame: OnFrame | None = None
) -> Recorded:
    """Every frame of a video or GIF through the daemon's own loop, as fast as it goes.

    A recording that breaks off gives its visits until then, with the error. Raises CameraError when it cannot be
    opened at all.
    """
    processor = _processor(analyser, matcher, config)
    log = VisitLog()
    error, now, frames = None, 0.0, 0
    clip = open_clip(path, config.camera.fps)
    try:
        for frame in _frames(clip, config.camera.preview_width):
            processed = processor.process(frame)
            now, frames = frame.captured_at, frames + 1
            log.update(processed.events, processed.seen, now)
            if on_frame is not None:
                on_frame(frame, processed.seen, clip.interval_s)
    except CameraError as failure:
        error = str(failure)
    finally:
        clip.close()
    log.update(processor.flush(now), [], now)
    return Recorded(log.visits(), error, frames)


class VisitLog:
    """Events and sightings over time -> visits."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._decisions: dict[str, Event] = {}

    def update(self, events: list[Event], seen: list[SeenFace], now: float) -> None:
        """Apply the events and faces of one frame."""
        self._seen.update({face.visit_id: now for face in seen if face.visit_id is not None})
        for event in events:
            self._started.setdefault(event.visit_id, event.started_at)
            if event.kind not in (EventKind.STARTED, EventKind.ENDED) and not event.provisional:
                self._decisions[event.visit_id] = event

    def visits(self) -> list[FoundVisit]:
        """The decided visits in the order in which they began."""
        found = [
            FoundVisit(start, self._seen.get(visit_id, start), self._decisions[visit_id])
            for visit_id, start in self._started.items()
            if visit_id in self._decisions
        ]
        return sorted(found, key=lambda visit: visit.start_s)


def _processor(analyser: Analyser, matcher: Matcher, config: Config) -> FrameProcessor:
    """The daemon's loop without the motion gate: a batch has no power to save."""
    awake = msgspec.structs.replace(config.motion, enabled=False)
    counted = (str(n) for n in itertools.count(1))
    settings = msgspec.structs.replace(config, motion=awake)
    embedder = analyser.embedder
    linking = linking_thresholds(similarity_scale(config.match, embedder.card), embedder.infrared_calibration)
    return FrameProcessor(analyser, matcher, linking, settings, lambda: next(counted), Timings())


def _frames(clip: Clip, preview_width: int) -> Iterator[Frame]:
    # The box's camera settings say nothing about a recording from elsewhere, so it is not rotated.
    settings = CameraSettings(preview_width=preview_width)
    while (at := clip.grab()) is not None:
        yield geometry.frame(clip.picture(), settings, at)
