"""Events and settings for the tests of edge.mqtt; also runs as a process of its own, which tests kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.config.mqtt import MqttSettings, OutboxSettings
from edge.events import Event, EventKind
from edge.mqtt.command_payloads import Request
from edge.mqtt.commands import Reply
from edge.mqtt.payloads import ControlsPayload
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.visit_payloads import EventOrigin
from edge.records import Box, Candidate, Image, Match, Outcome, Pose, Quality, read_only
from support.broker import WAIT_S, Broker

ORIGIN = EventOrigin("front-door", "porch", "mobilefacenet", "2025-06-01/3")
ADA = Candidate("ada", "Ada Lovelace", 0.71234567)
GRACE = Candidate("grace", "Grace Hopper", 0.31)
EVERYBODY = [(each.person_id, each.name) for each in (ADA, GRACE)]
ROOT = "whosthere/front-door"


def match(outcome: Outcome = Outcome.RECOGNIZED, best: Candidate = ADA, runner_up: Candidate = GRACE) -> Match:
    return Match(outcome, best, runner_up, threshold=0.42, false_match_rate=0.000123456)


def quality(score: float = 0.87654) -> Quality:
    return Quality(score, 61.0, 220.0, 120.0, Pose(3.0, -4.0, 1.0), 0.99, None)


def event(kind: EventKind = EventKind.STARTED, visit: str = "v1", sequence: int = 0, **fields: Any) -> Event:
    now = time.monotonic()
    values: dict[str, Any] = {"at": now, "started_at": now - 1.5, "latency_s": 0.2504, "box": Box(10.4, 20.6, 110, 140)}
    return Event(kind, visit, sequence, **(values | fields))


def recognized(visit: str = "v1", sequence: int = 1, **fields: Any) -> Event:
    values: dict[str, Any] = {"match": match(), "quality": quality(), "usable_faces": 5}
    return event(EventKind.RECOGNIZED, visit, sequence, **(values | fields))


def picture(level: int = 90, width: int = 800) -> Image:
    return read_only(np.full((600, width, 3), level, np.uint8))


def controls(**changes: Any) -> ControlsPayload:
    values = ControlsPayload("front-door", False, None, 0.001, 0.00001, 0.27, 0.42)
    return msgspec.structs.replace(values, **changes)


def settings(broker: Broker, folder: Path, **changes: Any) -> MqttSettings:
    outbox = OutboxSettings(path=str(folder / "outbox.sqlite3"))
    mqtt = MqttSettings(host=broker.host, port=broker.port, outbox=outbox)
    return msgspec.structs.replace(mqtt, **changes)


def publisher(mqtt: MqttSettings) -> MqttPublisher:
    return MqttPublisher(mqtt, ORIGIN, succeed)


def succeed(request: Request, reply: Reply) -> None:
    """Reply at once that a command has succeeded."""
    reply(True, f"{type(request).__name__} done")


def until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds; fails when it takes too long."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def publishing_process(mqtt: MqttSettings, visit: str, count: int, waiting: int = 0) -> "subprocess.Popen[str]":
    """A publisher in a process of its own: see `main`."""
    here = Path(__file__)
    return subprocess.Popen(
        [sys.executable, str(here), msgspec.json.encode(mqtt).decode(), visit, str(count), str(waiting)],
        env=os.environ | {"PYTHONPATH": f"{here.parents[2]}:{here.parents[1]}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def main(config: str, visit: str, count: int, waiting: int) -> None:
    """Publish `count` events, print `ready` once `waiting` are in the outbox, and go on until killed.

    A line on its standard input stops it as a signal stops the daemon.
    """
    box = publisher(msgspec.json.decode(config, type=MqttSettings))
    box.start()
    for sequence in range(count):
        box.publish(event(visit=visit, sequence=sequence))
        # A visit has four events; the inbox is not made for thousands at once.
        time.sleep(0.001)
    until(lambda: box.outbox_health.waiting >= waiting)
    print("ready", flush=True)
    sys.stdin.readline()
    box.stop(WAIT_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
