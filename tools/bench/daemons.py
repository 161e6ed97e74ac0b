"""The real daemon as a process: started, waited for, and read from /proc."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.config import typed_yaml
from edge.demo.box import DEVICE, whosthere
from edge.link.client import Link
from tools.bench.broker import RunningBroker
from tools.bench.machine import ROOT
from tools.bench.memory_camera import PREFIX, thread_of

READY_S = 300.0
POLL_S = 0.5
STOP_S = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1024
AS_ON_A_BOX = {"MALLOC_ARENA_MAX": "1"}
"""What the units in systemd/ set that memory depends on."""


class Usage(NamedTuple):
    """What a process has used since its start."""

    at: float
    cpu_s: float
    switches: int
    """Voluntary context switches of all threads: how often one of them went to sleep, and so was woken up."""
    camera_switches: int
    written: int
    """Bytes that reached the disk."""


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """A daemon that has reported READY."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    ready_s: float
    """From its start."""
    ready_cpu_s: float

    def usage(self) -> Usage:
        """What it has used so far."""
        root = Path(f"/proc/{self.process.pid}")
        tasks = {path.name: _switches(path / "status") for path in (root / "task").iterdir()}
        mark = thread_of(self.folder / "film.npz")
        camera = mark.read_text(encoding="ascii") if mark.exists() else ""
        written = int(re.findall(r"^write_bytes: (\d+)$", _text(root / "io"), re.MULTILINE)[0])
        return Usage(time.monotonic(), cpu_s(self.process.pid), sum(tasks.values()), tasks.get(camera, 0), written)

    def memory_mb(self) -> tuple[float, float]:
        """Resident, and what no other process shares."""
        return memory_mb(self.process.pid)

    @property
    def link(self) -> Link:
        return Link(self.folder / "link.sock")


def save_film(folder: Path, pictures: NDArray[np.uint8], order: list[int]) -> str:
    """Write a film for the memory camera; returns its `camera.source`."""
    path = folder / "film.npz"
    np.savez(path, pictures=pictures, order=np.array(order))
    return f"{PREFIX}{path}"


def write_config(folder: Path, broker: RunningBroker, camera: dict[str, Any], **sections: Any) -> Path:
    """Write a config.yaml whose files all lie in this folder."""
    document: dict[str, Any] = {
        "device_id": DEVICE,
        "camera": camera,
        "gallery": {"path": str(folder / "gallery.whg")},
        "models": {"threads": 1},
        "mqtt": broker.settings | {"outbox": {"path": str(folder / "outbox.sqlite3")}},
        "diary": {"path": str(folder / "diary.sqlite3")},
        "strangers": {"path": str(folder / "strangers")},
        "link": {"path": str(folder / "link.sock")},
        "web": {"path": str(folder / "web")},
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document), encoding="utf-8")
    return path


def enrol(folder: Path, photos: dict[str, Path]) -> None:
    """Make the gallery of a folder."""
    for name, photo in photos.items():
        whosthere(["enroll", "--gallery", str(folder / "gallery.whg"), "--person", name, str(photo)])


@contextmanager
def running(config: Path) -> Iterator[RunningDaemon]:
    """Run the daemon until the end of the body, which begins when it is ready."""
    folder = config.parent
    address = folder / "notify.sock"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, (folder / "daemon.log").open("wb") as log:
        notified.bind(str(address))
        notified.settimeout(POLL_S)
        paths = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
        surroundings = os.environ | AS_ON_A_BOX | {"NOTIFY_SOCKET": str(address), "PYTHONPATH": paths}
        words = [sys.executable, "-P", "-m", "tools.bench.memory_camera", "run", "--config", str(config)]
        began = time.monotonic()
        process = subprocess.Popen(words, env=surroundings, stdout=log, stderr=log)
        try:
            _wait_until_ready(notified, process, folder)
            ready_s = time.monotonic() - began
            threading.Thread(target=_drain, args=(notified, process), daemon=True).start()
            yield RunningDaemon(process, folder, ready_s, cpu_s(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(notified: socket.socket, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Read what the daemon tells systemd. Raises SystemExit with its log when it ends or does not get ready."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(TimeoutError):
            if b"READY=1" in notified.recv(4096):
                return
    log = _text(folder / "daemon.log")
    raise SystemExit(f"the daemon was not ready within {READY_S:.0f} s (exit code {process.poll()}):\n{log}")


def _drain(notified: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    """Read on, as systemd does: a daemon whose messages nobody reads waits a second for each."""
    with contextlib.suppress(OSError):
        while process.poll() is None:
            with contextlib.suppress(TimeoutError):
                notified.recv(4096)


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process so far."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of a process, and what no other process shares."""
    text = _text(Path(f"/proc/{pid}/smaps_rollup"))
    found = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    return round(found["Rss"] / MB, 1), round((found["Private_Clean"] + found["Private_Dirty"]) / MB, 1)


def _switches(status: Path) -> int:
    try:
        found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", _text(status), re.MULTILINE)
    except OSError:
        # The thread has ended since the folder was listed.
        return 0
    return int(found[1]) if found else 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
