"""Times are marked until the clock is set."""

import os
from pathlib import Path

import msgspec
import pytest

from edge.mqtt.clock import TIMESYNCD, WallClock
from edge.mqtt.visit_payloads import VisitPayload
from support.broker import Listener, running_broker
from support.publishing import ROOT, event, publisher, settings

LONG_AGO, NOW = 1_000_000_000.0, 1_750_000_000.0


def test_timesyncd_knows(tmp_path: Path) -> None:
    clock = WallClock([], tmp_path)
    assert not clock.is_set(NOW)
    (tmp_path / "synchronized").touch()
    assert clock.is_set(NOW)
    (tmp_path / "synchronized").unlink()
    assert clock.is_set(NOW), "once set, it stays so"


def test_a_clock_behind_what_was_already_written_is_not_set(tmp_path: Path) -> None:
    written = tmp_path / "outbox"
    written.touch()
    os.utime(written, (NOW, NOW))
    clock = WallClock([written, tmp_path / "missing"], tmp_path / "no timesyncd")
    assert [clock.is_set(at) for at in (0.0, LONG_AGO, NOW - 61, NOW, LONG_AGO)] == [False, False, False, True, True]


@pytest.mark.skipif(TIMESYNCD.is_dir(), reason="systemd-timesyncd runs here, and knows better")
def test_events_from_before_the_clock_was_set_are_marked(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        mqtt = settings(broker, tmp_path)
        box = publisher(mqtt)
        future = Path(mqtt.outbox.path)
        future.touch()
        os.utime(future, (4e9, 4e9))
        box.publish(event())
        future.unlink()
        box.publish(event(sequence=1))
        box.start()
        listener.wait_for(f"{ROOT}/visit", count=2)
        box.stop(5)
    heard = [msgspec.json.decode(m.payload, type=VisitPayload).clock_set for m in listener.on(f"{ROOT}/visit")]
    assert heard == [False, True]
