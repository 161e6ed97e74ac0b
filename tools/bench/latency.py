"""Part c: from the taking of a frame to the MQTT message at a subscriber of a real broker."""

import tempfile
import time
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.demo.box import DEVICE
from edge.demo.subscriber import subscriber
from tools.bench.broker import RunningBroker, running_broker
from tools.bench.clips import DemoBox
from tools.bench.daemons import enrol, running, save_film, write_config
from tools.bench.records import LatencyCase, LatencyResult
from tools.bench.rounds import rounded
from tools.bench.scenes import crowd, enrolled_photos, noisy, porch, portraits

SIZE = (640, 480)
RATES = (10, 15, 30)
FACES = (1, 3, 8)
ON_S, OFF_S = 1.2, 2.0
"""How long people are there, and gone: each time they come is another visit."""
SECONDS = {1: 45.0, 3: 22.0, 8: 22.0}
GAP_S = 0.5
LEAST = 5
"""With fewer messages there is nothing to say about percentiles."""


class _Event(msgspec.Struct):
    """What this part needs of a visit event."""

    event_type: str
    started_at: str
    decided_at: str
    delayed: bool = False


class HeardEvents:
    """Keeps the moment at which each message arrives."""

    def __init__(self) -> None:
        self.events: list[tuple[float, _Event]] = []

    def message(self, topic: str, payload: bytes) -> None:
        now = time.time()
        if topic.endswith("/visit"):
            self.events.append((now, msgspec.json.decode(payload, type=_Event)))


def measure() -> LatencyResult:
    """Every frame rate with every number of faces."""
    faces = portraits(DemoBox.load().analyser)
    background = porch(*SIZE)
    with running_broker() as broker:
        cases = []
        for count in FACES:
            film = np.concatenate([noisy(background, 4), noisy(crowd(background, faces[:count]), 4, seed=2)])
            cases += [_case(broker, film, fps, count) for fps in RATES]
        return LatencyResult(broker.name, cases)


def _case(broker: RunningBroker, film: NDArray[np.uint8], fps: int, count: int) -> LatencyCase:
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name:
        folder, heard = Path(name), HeardEvents()
        off, on = round(OFF_S * fps), round(ON_S * fps)
        order = [n % 4 for n in range(off)] + [4 + n % 4 for n in range(on)]
        camera = {"source": save_film(folder, film, order), "fps": fps}
        enrol(folder, enrolled_photos())
        config = write_config(
            folder, broker, camera, visit={"gap_s": GAP_S}, track={"lost_after_s": 0.5}, runtime={"max_fps": fps}
        )
        with subscriber(broker.port, DEVICE, heard.message), running(config) as daemon:
            first, began = daemon.link.status().health.frames, time.monotonic()
            time.sleep(SECONDS[count])
            analysed, took = daemon.link.status().health.frames - first, time.monotonic() - began
        return summary(heard.events, fps, count, analysed, round(took * fps))


def summary(events: list[tuple[float, _Event]], fps: float, faces: int, analysed: int, taken: int) -> LatencyCase:
    """Percentiles over the messages that arrived."""
    fresh = [(at, event) for at, event in events if not event.delayed]
    if len(fresh) < LEAST:
        raise SystemExit(f"{fps} frames per second, {faces} faces: {len(fresh)} messages; needed: {LEAST}")
    waits = [1000 * (at - _seconds(event.decided_at)) for at, event in fresh]
    names = [1000 * (at - _seconds(event.started_at)) for at, event in fresh if event.event_type == "recognized"]
    p50, p95, p99 = (rounded(float(value)) for value in np.percentile(waits, [50, 95, 99]))
    name50, name95 = [rounded(float(v)) for v in np.percentile(names, [50, 95])] if names else [None, None]
    return LatencyCase(fps, faces, len(fresh), p50, p95, p99, len(names), name50, name95, analysed, taken)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
