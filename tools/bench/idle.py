"""Part d: what an empty porch costs, what a visit costs, and a day made of both."""

import itertools
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.bench.broker import RunningBroker, running_broker
from tools.bench.clips import demo_film
from tools.bench.daemons import RunningDaemon, Usage, enrol, running, save_film, write_config
from tools.bench.records import DayCase, IdleCase, IdleResult
from tools.bench.rounds import rounded, spread
from tools.bench.rtsp_camera import serving
from tools.bench.scenes import enrolled_photos, noisy, porch

FPS = 10
SIZES = ((640, 480), (1280, 720))
MEMORY, RTSP = "pictures in memory", "RTSP, H.264 decoded"
WINDOWS, WINDOW_S = 3, 12.0
SETTLE_S = 4.0
"""The first frames wake the detector, and the broker gets its retained messages."""
VISIT_FRAMES = (0, 120)
"""Which of the demo's clip: somebody comes, is named and goes."""
VISITS = 4
VISIT_GAP_S = 2.0
DAYS = (20, 100, 1000)
DAY_S = 86_400


class VisitCost(NamedTuple):
    """What one visit costs beyond an empty porch for as long."""

    cpu_s: float
    written: float


def measure() -> IdleResult:
    """Both sizes from memory and over RTSP, then visits."""
    cases = [_idle(width, height) for width, height in SIZES]
    cases += [case for width, height in SIZES if (case := _idle_rtsp(width, height))]
    small = cases[0]
    visit = _visit(small)
    return IdleResult(cases, rounded(visit.cpu_s), rounded(visit.written), [day(small, visit, n) for n in DAYS])


def day(idle: IdleCase, visit: VisitCost, visits: int) -> DayCase:
    """A day of 24 hours with so many visits."""
    cpu = DAY_S * idle.cpu_percent.median / 100 + visits * visit.cpu_s
    written = 24 * idle.written_bytes_per_h + visits * visit.written
    return DayCase(visits, rounded(cpu), rounded(written / 1e6))


def _idle(width: int, height: int) -> IdleCase:
    pictures = noisy(porch(width, height))
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name, running_broker() as broker:
        folder = Path(name)
        camera = {"source": save_film(folder, pictures, list(range(len(pictures)))), "fps": FPS}
        return summary(width, height, MEMORY, _watched(_config(folder, broker, camera)))


def _idle_rtsp(width: int, height: int) -> IdleCase | None:
    """None: GStreamer's RTSP server is not installed, or gave no picture."""
    pictures = noisy(porch(width, height))
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name, running_broker() as broker:
        folder = Path(name)
        with serving(folder, pictures, FPS) as address:
            if address is None:
                print(f"{RTSP}: not measured; needs GstRtspServer, see DEBIAN_PACKAGES in the Makefile", flush=True)
                return None
            return summary(width, height, RTSP, _watched(_config(folder, broker, {"source": address})))


def _watched(config: Path) -> list[Usage]:
    with running(config) as daemon:
        time.sleep(SETTLE_S)
        marks = [daemon.usage()]
        for _ in range(WINDOWS):
            time.sleep(WINDOW_S)
            marks.append(daemon.usage())
    return marks


def summary(width: int, height: int, source: str, marks: list[Usage]) -> IdleCase:
    """One window between each two marks."""
    pairs = list(itertools.pairwise(marks))
    seconds = marks[-1].at - marks[0].at
    switches = [(b.switches - a.switches) / (b.at - a.at) for a, b in pairs]
    others = (marks[-1].switches - marks[0].switches - marks[-1].camera_switches + marks[0].camera_switches) / seconds
    return IdleCase(
        width,
        height,
        source,
        FPS,
        round(seconds, 1),
        spread([100 * (b.cpu_s - a.cpu_s) / (b.at - a.at) for a, b in pairs]),
        spread(switches),
        rounded(3600 * (marks[-1].written - marks[0].written) / seconds),
        rounded(others),
    )


def _visit(idle: IdleCase) -> VisitCost:
    film = demo_film()
    pictures: NDArray[np.uint8] = np.stack(film.pictures[slice(*VISIT_FRAMES)])
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name, running_broker() as broker:
        folder = Path(name)
        camera = {"source": save_film(folder, pictures, list(range(len(pictures)))), "fps": FPS}
        with running(_config(folder, broker, camera)) as daemon:
            return _counted(daemon, idle)


def _counted(daemon: RunningDaemon, idle: IdleCase) -> VisitCost:
    before, visits = daemon.usage(), _visits(daemon)
    deadline = time.monotonic() + 2 * VISITS * (VISIT_FRAMES[1] - VISIT_FRAMES[0]) / FPS
    while _visits(daemon) - visits < VISITS and time.monotonic() < deadline:
        time.sleep(0.2)
    after, seen = daemon.usage(), _visits(daemon) - visits
    if not seen:
        raise SystemExit("the daemon saw no visit in the demo's clip")
    empty_s = (after.at - before.at) * idle.cpu_percent.median / 100
    return VisitCost((after.cpu_s - before.cpu_s - empty_s) / seen, (after.written - before.written) / seen)


def _visits(daemon: RunningDaemon) -> int:
    return daemon.link.status().health.visits


def _config(folder: Path, broker: RunningBroker, camera: dict[str, object]) -> Path:
    enrol(folder, enrolled_photos())
    return write_config(folder, broker, camera, visit={"gap_s": VISIT_GAP_S})
