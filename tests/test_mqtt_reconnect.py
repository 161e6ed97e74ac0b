"""Staying connected, with time passed in: when it is tried again, what is logged, when a silent broker is given up."""

import logging
import socket
from pathlib import Path
from queue import SimpleQueue

import pytest

from edge.config.mqtt import MqttSettings
from edge.mqtt.client import Acknowledged, Connected, Lost, OutgoingMessage, Signal
from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_sender import OutboxSender, RefusedTopics
from edge.mqtt.outgoing import Outgoing
from edge.mqtt.queued_event import OutboxEntry, boot_clock
from edge.mqtt.reconnect import BrokerConnection
from edge.mqtt.retained import RetainedState
from edge.mqtt.topics import Topics
from support.broker import WAIT_S, running_broker
from support.publishing import ROOT, settings

TOPICS = Topics("whosthere", "front-door")


class Line:
    """A link, and what it signals."""

    def __init__(self, mqtt: MqttSettings) -> None:
        self.signals: SimpleQueue[Signal] = SimpleQueue()
        self.link = BrokerConnection(
            mqtt, "whosthere-front-door", self.signals.put, will=OutgoingMessage("will", b""), filters=()
        )

    def connect(self, now: float) -> None:
        self.link.tick(now)
        signal = self.signals.get(timeout=WAIT_S)
        assert isinstance(signal, Connected)
        assert self.link.on_connected(signal, now)

    def lose(self, now: float) -> None:
        while not isinstance(signal := self.signals.get(timeout=WAIT_S), Lost):
            pass
        self.link.on_lost(signal, now)


def test_it_is_tried_less_and_less_often_and_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        line = Line(MqttSettings(host="127.0.0.1", port=reserved.getsockname()[1]))
        attempts = []
        for now in range(200):
            line.link.tick(now)
            if line.link.connecting:
                attempts.append(now)
                line.lose(now)
    assert attempts == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "nothing listens at 127.0.0.1" in caplog.text


def test_a_steady_connection_that_breaks_is_tried_again_soon(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_broker(tmp_path / "broker") as broker:
        line = Line(settings(broker, tmp_path))
        now, waits = 0, []
        for lasts in (1, 1, 1, 1, 31, 1):
            begun = next(t for t in range(now, now + 100) if not line.link.tick(t) and line.link.connecting)
            waits.append(begun - now)
            line.connect(begun)
            now = begun + lasts
            broker.kill()
            line.lose(now)
            broker.start()
    assert waits == [0, 1, 2, 4, 8, 1]
    twins = [message for message in caplog.messages if "does another client use the id" in message]
    assert ["3 times in a row" in message for message in twins] == [True, False]


@pytest.mark.parametrize("what", ["event", "state"])
def test_a_broker_that_answers_nothing_is_given_up(tmp_path: Path, what: str) -> None:
    with running_broker(tmp_path / "broker") as broker:
        line = Line(settings(broker, tmp_path))
        backlog, board, stamp = Outbox(tmp_path / "outbox.sqlite3", 10), RetainedState(TOPICS), boot_clock()
        delivery = OutboxSender(backlog, TOPICS, 60, stamp, RefusedTopics())
        outgoing = Outgoing(line.link, delivery, board, RefusedTopics())
        line.connect(0)
        outgoing.tick(0)
        while outgoing.busy:
            signal = line.signals.get(timeout=WAIT_S)
            assert isinstance(signal, Acknowledged)
            outgoing.answered(signal, 0)

        broker.freeze()
        if what == "event":
            backlog.add([OutboxEntry("v/0", stamp(), b"{}")], 1)
        else:
            board.camera(online=True)
        outgoing.tick(1)
        outgoing.tick(30)
        assert line.link.connected
        outgoing.tick(32)
        assert not line.link.connected
        assert backlog.waiting == (what == "event")


def test_what_an_earlier_run_left_is_taken_back_once_the_people_are_known() -> None:
    board = RetainedState(TOPICS)
    said: dict[str, bytes] = {}

    def publish(message: OutgoingMessage) -> int:
        said[message.topic] = message.payload
        return len(said)

    board.found(TOPICS.person("ada"))
    board.found(TOPICS.person("gone"))
    board.tell(publish)
    assert TOPICS.person("gone") not in said
    board.people([("ada", "Ada")])
    board.tell(publish)
    assert said == {
        f"{ROOT}/status": b"online",
        f"{ROOT}/last_person": b"none",
        f"{ROOT}/person/ada": b"OFF",
        f"{ROOT}/person/gone": b"",
    }
