"""A socket of the daemon with a stand-in for the box behind it, and raw clients."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge.config.faces import QualitySettings
from edge.errors import UsageError
from edge.frame import Frame
from edge.link.live_view import LiveView
from edge.link.protocol import AskGuide, GuideNews, Hello
from edge.link.server import LinkServer
from edge.link.socket_file import connected
from edge.metrics.snapshot import LatencyCounts, MetricsSnapshot
from edge.mqtt.command_payloads import Request
from edge.mqtt.commands import Reply
from edge.mqtt.payloads import (
    ControlsPayload,
    GalleryHealth,
    HealthPayload,
    ModelHealth,
    OutboxHealth,
    SoftwareHealth,
    State,
)
from edge.records import read_only
from edge.sightings import SeenFace

NOW = "2026-01-01T00:00:00.000Z"
LONG_S = 60.0


@dataclass
class StubBox:
    """Answers every command at once, unless `keep` is set."""

    state: State = "watching"
    commands: list[Request] = field(default_factory=list)
    keep: bool = False
    kept: list[Reply] = field(default_factory=list)
    paused: bool = False
    broken: bool = False
    refusal: str = ""
    """Why it refuses commands, if it does."""
    saying: Callable[[GuideNews, bytes], None] | None = None
    """Speaks to the client who is guided, if any."""

    def health(self) -> HealthPayload:
        if self.broken:
            raise RuntimeError("a bug in the health report")
        return HealthPayload(
            "door", NOW, 1, self.state, True, 9.9, 0.1, {}, 1, 0, 0, OutboxHealth(0, 0, 0, True), None, None, None, 1.0,
            None, 0.4, 0.001, GalleryHealth("1", 1, 1), ModelHealth("e", "d", "r", []), SoftwareHealth("1"), True,
        )  # fmt: skip

    def metrics(self) -> MetricsSnapshot:
        latency = LatencyCounts((0,) * 8, 0.0)
        return MetricsSnapshot(self.health(), True, {"recognized": 3}, 0, 1, latency, {}, {})

    def controls(self) -> ControlsPayload:
        return ControlsPayload("door", self.paused, None, 0.001, 1e-5, 0.1, 0.4)

    def guide(self, asked: AskGuide, say: Callable[[GuideNews, bytes], None]) -> Callable[[], None]:
        if self.saying is not None:
            raise UsageError("somebody else is being enrolled")
        self.saying = say
        return self.stop_saying

    def stop_saying(self) -> None:
        self.saying = None

    def command(self, command: Request, reply: Reply) -> None:
        self.commands.append(command)
        if self.keep:
            self.kept.append(reply)
        else:
            reply(not self.refusal, self.refusal or "done")


@dataclass
class Linked:
    path: Path
    server: LinkServer
    view: LiveView
    box: StubBox

    def frame(self, *faces: SeenFace, width: int = 640) -> None:
        """The camera delivers a frame."""
        image = read_only(np.full((width * 3 // 4, width, 3), 90, np.uint8))
        self.view.offer(Frame(image, image, 0.0), faces)


@contextmanager
def linked(folder: Path, name: str = "link.sock") -> Iterator[Linked]:
    view, box = LiveView(QualitySettings(), recording=True), StubBox()
    server = LinkServer(folder / name, Hello("door", "0"), view, box)
    server.start()
    try:
        yield Linked(folder / name, server, view, box)
    finally:
        server.stop(LONG_S)


class RawClient:
    """Says anything."""

    def __init__(self, path: Path) -> None:
        self.socket = connected(path)
        self.socket.settimeout(LONG_S)
        self._file = self.socket.makefile("rb")

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> dict[str, Any]:
        """The next line; ConnectionError at the end."""
        text = self._file.readline()
        if not text:
            raise ConnectionError
        document: dict[str, Any] = json.loads(text)
        return document

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def alive(path: Path) -> bool:
    """Whether a new client gets an answer."""
    with RawClient(path) as client:
        client.say(b'{"request": "status"}\n')
        return client.hear()["message"] == "hello" and client.hear()["message"] == "status"


def listens(path: Path) -> bool:
    try:
        connected(path).close()
    except Exception:  # noqa: BLE001  (not yet)
        return False
    return True
