"""The real daemon as a process, on bundled input."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from edge.config import typed_yaml
from edge.demo.box import FOLDER, SCRIPT
from edge.demo.expected import ClipScript, read_script
from support.broker import Broker, Heard, Listener
from support.one_thread import SETTINGS

WAIT_S = 600.0
"""Long enough for a busy machine; everything that waits returns as soon as it can."""
DEVICE = "front-door"
TOPIC = f"whosthere/{DEVICE}"


def clip() -> ClipScript:
    """Who appears in the bundled clip."""
    return read_script(SCRIPT)


def visitors(path: Path, *numbers: int, stay_s: float = 4.0) -> Path:
    """Make a shorter clip: these visits of the bundled one, counted from 0, without what follows `stay_s`.

    Three seconds of nobody precede each.
    """
    told = clip()
    capture = cv2.VideoCapture(str(FOLDER / told.clip))
    nobody = [capture.read()[1]] * round(3 * told.fps)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), told.fps, (told.width, told.height))
    for number in numbers:
        capture.set(cv2.CAP_PROP_POS_FRAMES, round(told.visits[number].from_s * told.fps))
        for picture in [*nobody, *(capture.read()[1] for _ in range(round(stay_s * told.fps)))]:
            writer.write(picture)
    writer.release()
    return path


def write_config(folder: Path, broker: Broker, known: Path, /, **sections: dict[str, Any]) -> Path:
    """A config.yaml for the bundled clip, read without losing a frame; `sections` are merged over it."""
    document: dict[str, Any] = {
        "device_id": DEVICE,
        "camera": {"source": str(FOLDER / clip().clip), "name": "clip", "realtime": False},
        "gallery": {"path": str(known)},
        "models": dict(SETTINGS),
        "visit": {"gap_s": 2.0},
        "mqtt": {
            "host": broker.host,
            "port": broker.port,
            "health_interval_s": 1.0,
            "outbox": {"path": "outbox.sqlite3"},
        },
        "diary": {"path": "diary.sqlite3"},
        "link": {"path": "link.sock"},
    }
    for name, values in sections.items():
        document[name] = {**document.get(name, {}), **values}
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document))
    return path


class Daemon:
    """`whosthere run`, with its log."""

    def __init__(
        self, config: Path, environment: dict[str, str] | None = None, program: list[str] | None = None
    ) -> None:
        command = program or [sys.executable, "-P", "-m", "edge"]
        self._process = subprocess.Popen(
            [*command, "run", "--config", str(config)], stderr=subprocess.PIPE, text=True, env=environment
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Its exit code."""
        code = self._process.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def wait_for_log(self, text: str, count: int = 1, timeout_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while self.log.count(text) < count:
            assert time.monotonic() < deadline, f"{text!r} was not logged {count} times:\n{self.log}"
            assert self._process.poll() is None or self.log.count(text) >= count, f"the daemon ended:\n{self.log}"
            time.sleep(0.02)

    @property
    def log(self) -> str:
        return "".join(self._lines)

    def _read(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self._lines.append(line)


@contextmanager
def running(config: Path, **options: Any) -> Iterator[Daemon]:
    """A daemon that is gone at the end, whatever happens."""
    daemon = Daemon(config, **options)
    try:
        yield daemon
    finally:
        daemon.send(signal.SIGKILL)
        daemon.wait()


def visits(listener: Listener) -> list[dict[str, Any]]:
    """The payloads on the visit topic, in order."""
    return [decoded(message) for message in listener.on(f"{TOPIC}/visit")]


def decoded(message: Heard) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(message.payload)
    return payload


def visit_events(listener: Listener) -> list[tuple[str, str | None]]:
    """(event type, person id) of every visit event, in order."""
    return [(payload["event_type"], payload["person_id"]) for payload in visits(listener)]


def events_by_visit(listener: Listener) -> list[list[tuple[str, str | None]]]:
    """The same per visit, in the order in which the visits began."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for payload in visits(listener):
        found.setdefault(payload["visit_id"], []).append((payload["event_type"], payload["person_id"]))
    return list(found.values())
