"""Faults of a network camera: how long until they are noticed, and until frames return.

Run by WHOSTHERE_FULL=1 alone: it measures with the time-outs that ship, and takes a quarter of an hour.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge.capture.registry import open_camera
from edge.capture.reopening import ReopeningCamera
from edge.config.camera import CameraSettings
from edge.frame import Frame
from support.rtsp import Line, RtspServer

pytestmark = [
    pytest.mark.skipif(os.environ.get("WHOSTHERE_FULL") != "1", reason="a table that takes long: WHOSTHERE_FULL=1"),
    pytest.mark.timeout(1800),
]
LAST_S = 6.0
"""How long a fault lasts beyond its being noticed."""
WAIT_S = 90.0
DAMAGES = 6
RECONNECTS = 120
"""One every thirty seconds makes 120 an hour."""
Server = Callable[..., RtspServer]


def settings(port: int, **more: Any) -> CameraSettings:
    return CameraSettings(source=f"rtsp://127.0.0.1:{port}/door", **more)


@dataclass
class Watched:
    """A camera whose frames are taken by a thread, as the daemon does."""

    settings: CameraSettings
    states: list[tuple[bool, str]] = field(default_factory=list)
    lost_at: float = 0.0
    last: Frame | None = None
    frames: int = 0
    frame_at: float = 0.0
    changed: threading.Condition = field(default_factory=threading.Condition)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        steady = ReopeningCamera(lambda: open_camera(self.settings), self.settings, self._on_state)
        for frame in steady.frames(self.stop):
            with self.changed:
                self.last, self.frame_at = frame, time.monotonic()
                self.frames += 1
                self.changed.notify_all()

    def _on_state(self, online: bool, reason: str) -> None:
        with self.changed:
            self.states.append((online, reason))
            self.lost_at = self.lost_at if online else time.monotonic()
            self.changed.notify_all()

    def wait(self, until: Callable[[], bool]) -> float:
        """Seconds until it holds."""
        began = time.monotonic()
        with self.changed:
            assert self.changed.wait_for(until, WAIT_S), self.states
        return time.monotonic() - began

    def noticed(self, count: int = 1) -> float:
        return self.wait(lambda: sum(not online for online, _ in self.states) >= count)

    def back(self) -> float:
        """Seconds until the next frame."""
        since = time.monotonic()
        return self.wait(lambda: self.frame_at > since)


@pytest.fixture
def watch() -> Iterator[Callable[[CameraSettings], Watched]]:
    watched: list[tuple[Watched, threading.Thread]] = []

    def begin(asked: CameraSettings) -> Watched:
        one = Watched(asked)
        thread = threading.Thread(target=one.run)
        watched.append((one, thread))
        thread.start()
        one.back()
        return one

    yield begin
    for one, thread in watched:
        one.stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def tell(fault: str, noticed_s: float | None, again_s: float) -> None:
    noticed = "not noticed" if noticed_s is None else f"{noticed_s:.1f} s"
    print(f"| {fault} | {noticed} | {again_s:.1f} s |")


def test_a_server_that_freezes(rtsp: Server, watch: Callable[[CameraSettings], Watched]) -> None:
    server = rtsp()
    camera = watch(settings(server.port))
    server.process.send_signal(signal.SIGSTOP)
    noticed = camera.noticed()
    time.sleep(LAST_S)
    server.process.send_signal(signal.SIGCONT)
    again = camera.back()
    tell("server frozen", noticed, again)
    assert "delivered no frame for" in camera.states[1][1]


def test_a_server_that_is_killed(rtsp: Server, watch: Callable[[CameraSettings], Watched]) -> None:
    server = rtsp()
    camera = watch(settings(server.port))
    server.stop()
    noticed = camera.noticed()
    time.sleep(LAST_S)
    server.start()
    tell("server killed, started again", noticed, camera.back())


def test_a_password_that_is_changed(
    rtsp: Server, watch: Callable[[CameraSettings], Watched], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "whosthere")
    secret = tmp_path / "password"
    secret.write_text("seven ravens\n")
    server = rtsp("bob", "seven ravens")
    camera = watch(settings(server.port, username="bob", password_file=str(secret)))
    server.stop()
    server.start("bob", "three spinners")
    noticed = camera.noticed()
    camera.wait(lambda: "refuses the login" in caplog.text)
    time.sleep(LAST_S)
    secret.write_text("three spinners\n")
    tell("password changed at the camera, then in its file", noticed, camera.back())
    assert "ravens" not in caplog.text
    assert "spinners" not in caplog.text


def test_a_stream_that_changes_its_size(rtsp: Server, watch: Callable[[CameraSettings], Watched]) -> None:
    server = rtsp()
    camera = watch(settings(server.port))
    server.resize("480x360")
    time.sleep(LAST_S)
    again = camera.back()
    tell("size changed within the stream (pictures keep the size of before)", None, again)
    assert [online for online, _ in camera.states] == [True]
    server.stop()
    server.start(size="480x360")
    noticed = camera.noticed()
    tell("size changed by a camera that begins anew", noticed, camera.back())
    assert camera.last is not None
    assert camera.last.image.shape == (360, 480, 3)


def test_packets_that_arrive_damaged(rtsp: Server, watch: Callable[[CameraSettings], Watched]) -> None:
    line = Line(rtsp().port)
    camera = watch(settings(line.port))
    for count in range(1, DAMAGES + 1):
        began, frames = time.monotonic(), camera.frames
        line.bad = True
        time.sleep(2 * LAST_S)
        line.bad = False
        meanwhile = camera.frames - frames
        noticed = camera.lost_at - began if camera.lost_at > began else None
        tell(f"2 % of all bytes damaged, time {count}, {meanwhile} frames meanwhile", noticed, camera.back())
        time.sleep(LAST_S)
    line.close()


def test_an_hour_of_reconnects_grows_nothing(rtsp: Server, watch: Callable[[CameraSettings], Watched]) -> None:
    line = Line(rtsp().port)
    camera = watch(settings(line.port, reopen_min_s=0.01, reopen_max_s=0.02, read_timeout_s=1.0))
    held: list[tuple[int, int, int]] = []
    for count in range(1, RECONNECTS + 1):
        line.cut()
        camera.noticed(count)
        camera.back()
        if count % (RECONNECTS // 4) == 0:
            held.append(holding())
            print(f"{count} reconnects: %d kB, %d descriptors, %d threads" % held[-1])
    (memory, descriptors, threads), last = held[1], held[-1]
    assert last[0] <= memory + 20_000
    assert last[1] <= descriptors + 4
    assert last[2] <= threads + 4
    line.close()


def holding() -> tuple[int, int, int]:
    """Memory in kB, descriptors and threads of this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]), len(list(Path("/proc/self/fd").iterdir())), int(status["Threads"])
