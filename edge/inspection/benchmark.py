"""How fast this box is: a recording goes through the daemon's own loop, each stage beside its bare network.

A stage and its network are measured one right after the other, so other load on the machine falls on both.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from edge.capture.camera import EndOfRecording
from edge.capture.registry import open_camera
from edge.config.loading import LoadedConfig
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.faces.loading import Networks, assemble, load_networks
from edge.frame import Frame
from edge.galleries.gallery import Gallery
from edge.models.similarity import BUNDLED_SAME, assumed
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds

WARM_UP = 3


class Lap(NamedTuple):
    """One run of a stage."""

    stage: str
    seconds: float
    network: str | None
    """The network that it ran; None: none."""
    runs: int
    """How often it ran."""


class StagePair(NamedTuple):
    """A stage and its bare network, one right after the other."""

    stage_s: float
    bare_s: float
    """One run of the network alone."""
    runs: int
    """Runs of the network within the stage."""


class Laps(Timings):
    """Timings that keep every lap, and count the runs of networks within each stage."""

    def __init__(self, networks: Networks, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._networks = {role.name: network for role, network in networks.items()}
        self._frame: list[Lap] = []

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        before = {name: network.runs for name, network in self._networks.items()}
        began = self._clock()
        yield
        seconds = self._clock() - began
        asked = {name: network.runs - before[name] for name, network in self._networks.items()}
        name = next((name for name, runs in asked.items() if runs), None)
        self._frame.append(Lap(stage, seconds, name, asked[name] if name else 0))

    def take(self) -> list[Lap]:
        """The laps since the last call."""
        laps, self._frame = self._frame, []
        return laps


@dataclass
class Measured:
    """All raw figures, in seconds."""

    width: int = 0
    height: int = 0
    reading_s: list[float] = field(default_factory=list)
    """For each frame: reading it, with decoding and rotation."""
    watching_s: list[float] = field(default_factory=list)
    """For each frame: everything else."""
    rest_s: list[float] = field(default_factory=list)
    """For each frame: the part of that which lies between the stages."""
    awake: list[bool] = field(default_factory=list)
    """For each frame: whether the detector ran."""
    cpu_reading_s: float = 0.0
    cpu_watching_s: float = 0.0
    laps: list[Lap] = field(default_factory=list)
    pairs: dict[str, list[StagePair]] = field(default_factory=dict)
    """By stage."""


class Bench:
    """One run through a recording."""

    def __init__(self, loaded: LoadedConfig, source: Path) -> None:
        """Load the networks and warm them up. Raises ModelError."""
        config = loaded.config
        self._camera = replace(config.camera, source=str(source), realtime=False, loop=False)
        networks = load_networks(config.models, loaded.base)
        self._networks = {role.name: network for role, network in networks.items()}
        for network in networks.values():
            blank = np.zeros((*network.card.input.shape[1:3], 3), np.uint8)
            for _ in range(WARM_UP):
                network.run([blank])
        analyser = assemble(networks, config.detect, config.quality)
        embedder = analyser.embedder
        # Time does not depend on it, so an embedder without a calibration can be timed too.
        scale = embedder.calibration or assumed(BUNDLED_SAME)
        nobody = Gallery.empty(embedder.id, embedder.dimensions)
        matcher = Matcher(nobody, 1.0, config.match.min_margin, embedder.calibration)
        numbers = itertools.count()
        self._laps = Laps(networks)
        self._processor = FrameProcessor(
            analyser,
            matcher,
            linking_thresholds(scale, embedder.infrared_calibration),
            config,
            lambda: f"visit-{next(numbers)}",
            self._laps,
        )
        self._measured = Measured()

    def run(self, frames: int, on_frame: Callable[[], None] = lambda: None) -> Measured:
        """Measure up to that many frames of the recording, each once. Raises CameraError."""
        measured = self._measured
        with closing(open_camera(self._camera)) as camera:
            for _ in range(frames):
                cpu, began = time.process_time(), time.perf_counter()
                try:
                    frame = camera.read()
                except EndOfRecording:
                    break
                measured.reading_s.append(time.perf_counter() - began)
                measured.cpu_reading_s += time.process_time() - cpu
                measured.height, measured.width = frame.image.shape[:2]
                self._watch(frame)
                self._compare()
                on_frame()
        return measured

    def _watch(self, frame: Frame) -> None:
        measured = self._measured
        cpu, began = time.process_time(), time.perf_counter()
        processed = self._processor.process(frame)
        measured.watching_s.append(time.perf_counter() - began)
        measured.cpu_watching_s += time.process_time() - cpu
        measured.awake.append(processed.detector_ran)

    def _compare(self) -> None:
        """Measure the other side of each pair, right after its stage."""
        measured, laps = self._measured, self._laps.take()
        measured.laps += laps
        measured.rest_s.append(measured.watching_s[-1] - sum(lap.seconds for lap in laps))
        for lap in laps:
            if lap.network is not None:
                bare_s = _timed(self._networks[lap.network].run_again)
                measured.pairs.setdefault(lap.stage, []).append(StagePair(lap.seconds, bare_s, lap.runs))


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
