"""`kill -9` of the daemon and of the broker during visits: nothing is lost, and what comes twice says so.

A few kills each, or with WHOSTHERE_FULL=1 in the environment 100: `make test-kills` shows the figures.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, WAIT_S, Daemon, decoded, running, write_config
from support.deliveries import Deliveries, in_a_visit
from support.film import film

KILLS = 100 if os.environ.get("WHOSTHERE_FULL") == "1" else 3
PATIENCE_S = 60 * KILLS + 900
DAEMON_RUNS = 5
"""Kills of the broker per run of the daemon, which waits twice as long after each of them: 1 s, 2, 4, 8, 16."""
LASTING = "autosave_interval 1\nautosave_on_changes true\nmax_inflight_messages 0"
"""A subscriber's session, and what is queued for it, outlive the broker's process."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker", persistence=True, extra=LASTING) as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, broker: Broker, demo_gallery: Path) -> Path:
    """Five visitors in turn, over and over, as fast as they can be analysed: several events a second."""
    return write_config(
        tmp_path,
        broker,
        demo_gallery,
        camera={"source": str(film(tmp_path / "film", 40)), "fps": 1.0, "loop": True, "preview_width": 320},
        visit={"gap_s": 15.0},
        detect={"squares": False},
        track={"lost_after_s": 3.0},
    )


class Moments:
    """When to kill: after somebody has come, at random, as the next event arrives, and as it is logged, by turns.

    The last two are the moments at which an event is about to be removed from the outbox, and about to be sent.
    """

    def __init__(self, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        self._turn = 0

    def pause(self, longest_s: float) -> None:
        time.sleep(self._chance.uniform(0, longest_s))

    def wait(self, listener: Listener, daemon: Daemon) -> None:
        daemon.wait_for_log(": started", daemon.log.count(": started") + 1)
        match self._turn % 3:
            case 0:
                self.pause(1)
            case 1:
                heard = len(listener.on(f"{TOPIC}/visit"))
                listener.wait(lambda: len(listener.on(f"{TOPIC}/visit")) > heard)
            case 2:
                daemon.wait_for_log("visit ", daemon.log.count("visit ") + 1)
        self._turn += 1


def healthy(listener: Listener, daemon: Daemon) -> int:
    """Return once a new health message has come from the box through the broker: its number of waiting events."""
    topic = f"{TOPIC}/health"
    before, deadline = len(listener.on(topic)), time.monotonic() + WAIT_S
    while len(listener.on(topic)) == before:
        assert daemon.ended is None and time.monotonic() < deadline, daemon.log
        time.sleep(0.05)
    waiting: int = decoded(listener.on(topic)[-1])["outbox"]["waiting"]
    return waiting


def deliver_the_rest(folder: Path, broker: Broker, gallery: Path, listener: Listener) -> None:
    """The box runs before an empty porch until its outbox is empty, and is stopped."""
    (folder / "porch").mkdir()
    cv2.imwrite(str(folder / "porch/1.png"), np.full((480, 640, 3), 90, np.uint8))
    porch = {"source": str(folder / "porch"), "realtime": True, "loop": True}
    with running(write_config(folder, broker, gallery, camera=porch)) as daemon:
        while healthy(listener, daemon):
            pass
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log
    listener.settle()


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S)
def test_a_daemon_that_is_killed_loses_no_event(
    tmp_path: Path, broker: Broker, config: Path, demo_gallery: Path
) -> None:
    """After every fourth time it is killed at the next start too, while it sends what waits."""
    moments, log, during = Moments(12), "", 0
    with Listener(broker, persistent=True) as listener:
        for n in range(KILLS + KILLS // 4):
            with running(config) as daemon:
                if n % 5 == 4:
                    daemon.wait_for_log("connected to the broker")
                    moments.pause(0.3)
                else:
                    moments.wait(listener, daemon)
                daemon.send(signal.SIGKILL)
                assert daemon.wait() == -signal.SIGKILL, daemon.log
            assert "Traceback" not in daemon.log, daemon.log
            during += in_a_visit(daemon.log)
            log += daemon.log
        deliver_the_rest(tmp_path, broker, demo_gallery, listener)
        found = Deliveries.of(log, listener)
    print(f"\n{KILLS + KILLS // 4} times kill -9 of the daemon, {during} of them during a visit: {found}")
    found.check()
    assert during >= KILLS // 2


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S)
def test_a_broker_that_is_killed_loses_no_event_of_the_box(
    tmp_path: Path, broker: Broker, config: Path, demo_gallery: Path
) -> None:
    moments, log, during = Moments(13), "", 0
    with Listener(broker, persistent=True) as listener:
        for first in range(0, KILLS, DAEMON_RUNS):
            with running(config) as daemon:
                for _ in range(min(DAEMON_RUNS, KILLS - first)):
                    healthy(listener, daemon)
                    moments.wait(listener, daemon)
                    broker.kill()
                    during += in_a_visit(daemon.log)
                    moments.pause(1)
                    broker.start()
                healthy(listener, daemon)
                daemon.send(signal.SIGTERM)
                assert daemon.wait() == 0 and "Traceback" not in daemon.log, daemon.log
            log += daemon.log
        deliver_the_rest(tmp_path, broker, demo_gallery, listener)
        found = Deliveries.of(log, listener)
    print(f"\n{KILLS} times kill -9 of the broker, {during} of them during a visit: {found}")
    found.check()
    assert during >= KILLS // 2
