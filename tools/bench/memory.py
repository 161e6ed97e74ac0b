"""Part e: the daemon's memory at four moments, its time to READY, and what an installation takes on disk."""

import importlib.metadata
import re
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from edge.demo.box import FOLDER, SCRIPT
from edge.demo.expected import read_script
from edge.web.password import set_password
from tools.bench.broker import running_broker
from tools.bench.daemons import RunningDaemon, enrol, memory_mb, running, write_config
from tools.bench.records import MemoryResult, ProcessState
from tools.bench.rounds import spread
from tools.bench.scenes import enrolled_photos
from tools.web_process import WebProcess

STARTS = 5
VISITS = 1000
LONGEST_S = 90.0
"""For the thousand visits: a slow machine reaches fewer, and the report says how many."""
GAP_S = 2.0
PASSWORD = "measured by make bench"  # noqa: S105  (of a page that lives as long as this)
EXTRAS = ("litert", "systemd", "web")
"""What `systemd/install.sh` installs on a box."""
MB = 1e6


def measure() -> MemoryResult:
    """One daemon through its moments, then a few more starts."""
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name, running_broker() as broker:
        folder = Path(name)
        # Every frame of the clip, as fast as it can be read: pictures in memory would be counted as the daemon's.
        camera = {"source": str(FOLDER / read_script(SCRIPT).clip), "realtime": False, "loop": True}
        enrol(folder, enrolled_photos())
        config = write_config(folder, broker, camera, visit={"gap_s": GAP_S})
        starts = []
        for _ in range(STARTS - 1):
            with running(config) as daemon:
                starts.append((daemon.ready_s, daemon.ready_cpu_s))
        with running(config) as daemon:
            starts.append((daemon.ready_s, daemon.ready_cpu_s))
            states, page = _moments(daemon, config)
    return MemoryResult(
        spread([wall for wall, _ in starts]), spread([cpu for _, cpu in starts]), states, page, installed()
    )


def _moments(daemon: RunningDaemon, config: Path) -> tuple[list[ProcessState], float | None]:
    states = [_state("at READY", daemon)]
    _wait_for_visits(daemon, 1, LONGEST_S)
    states.append(_state("during the first visits", daemon))
    _wait_for_visits(daemon, VISITS, LONGEST_S)
    states.append(_state("after many visits", daemon))
    if find_spec("uvicorn") is None:
        return states, None
    set_password(config.parent / "web", PASSWORD)
    web = WebProcess(config)
    web.read("/login")
    time.sleep(1.0)
    own = memory_mb(web.process.pid)[1]
    states.append(_state("with the page open", daemon))
    web.end()
    return states, own


def _state(when: str, daemon: RunningDaemon) -> ProcessState:
    rss, own = daemon.memory_mb()
    return ProcessState(when, rss, own, daemon.link.status().health.visits)


def _wait_for_visits(daemon: RunningDaemon, visits: int, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while daemon.link.status().health.visits < visits and time.monotonic() < deadline:
        time.sleep(0.2)


def installed() -> dict[str, float]:
    """What whosthere and everything that it needs on a box take on disk, in MB, largest first."""
    sizes = {name: _size_mb(name) for name in needed("whosthere", EXTRAS)}
    return dict(sorted(((name, size) for name, size in sizes.items() if size), key=lambda item: -item[1]))


def needed(package: str, extras: tuple[str, ...] = ()) -> list[str]:
    """A package and all that it requires, with these extras of its own; those that are not installed are left out."""
    found: dict[str, None] = {}
    waiting = [(package, extras)]
    while waiting:
        name, wanted = waiting.pop()
        if name in found:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = None
        waiting += [(_plain(text), ()) for text in requirements if _applies(text, wanted)]
    return list(found)


def _applies(requirement: str, extras: tuple[str, ...]) -> bool:
    """Whether a requirement is unconditional, or of one of the extras."""
    _, _, condition = requirement.partition(";")
    of = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", condition)
    return of[1] in extras if of else "sys_platform" not in condition and "python_version" not in condition


def _plain(requirement: str) -> str:
    return re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0].lower()


def _size_mb(name: str) -> float:
    files = importlib.metadata.files(name) or []
    if name == "whosthere":
        # In a checkout it is installed as a reference to the tree.
        root = Path(__file__).parents[2] / "edge"
        paths = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    else:
        paths = [Path(str(file.locate())) for file in files]
    return round(sum(path.stat().st_size for path in paths if path.exists()) / MB, 1)
