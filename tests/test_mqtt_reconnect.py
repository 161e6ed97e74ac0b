"""Staying connected, with time passed in: when to retry, what to log, when to give a silent broker up."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from edge.config.mqtt import MqttSettings
from edge.mqtt.client import Lost, OutgoingMessage, Signal
from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_sender import AGAIN_S, OutboxSender
from edge.mqtt.queued_event import OutboxEntry, boot_clock
from edge.mqtt.reconnect import BrokerConnection, Delivery
from edge.mqtt.retained import RetainedState, RetainedTopics
from edge.mqtt.topics import Topics
from support.broker import WAIT_S, Broker, Listener, running_broker
from support.publishing import ROOT, settings

TOPICS = Topics("whosthere", "front-door")


class Line:
    """A connection, and what it signals."""

    def __init__(self, mqtt: MqttSettings) -> None:
        self.signals: SimpleQueue[Signal] = SimpleQueue()
        self.connection = BrokerConnection(
            mqtt,
            "whosthere-front-door",
            self.signals.put,
            will=OutgoingMessage("will", b""),
            filters=(),
            on_connected=lambda _now: None,
            on_message=lambda _message, _now: None,
        )

    def connect(self, now: float) -> None:
        self.connection.tick(now)
        self.connection.handle(self.signals.get(timeout=WAIT_S), now)
        assert self.connection.connected

    def lose(self, now: float) -> None:
        while not isinstance(signal := self.signals.get(timeout=WAIT_S), Lost):
            pass
        self.connection.handle(signal, now)


def test_retries_become_rarer_and_the_outage_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        line = Line(MqttSettings(host="127.0.0.1", port=reserved.getsockname()[1]))
        attempts = []
        for now in range(200):
            line.connection.tick(now)
            if not line.connection.closed:
                attempts.append(now)
                line.lose(now)
    assert attempts == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "nothing listens at 127.0.0.1" in caplog.text


def test_a_steady_connection_that_breaks_is_retried_soon(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_broker(tmp_path / "broker") as broker:
        line = Line(settings(broker, tmp_path))
        now, waits = 0, []
        for lasts in (1, 1, 1, 1, 31, 1):
            begun = next(t for t in range(now, now + 100) if not line.connection.tick(t) and not line.connection.closed)
            waits.append(begun - now)
            line.connect(begun)
            now = begun + lasts
            broker.kill()
            line.lose(now)
            broker.start()
    assert waits == [0, 1, 2, 4, 8, 1]
    twins = [message for message in caplog.messages if "if another client uses the id" in message]
    assert ["3 times in a row" in message for message in twins] == [True, False]


def test_a_broker_that_acknowledges_nothing_is_given_up(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        line = Line(settings(broker, tmp_path))
        deliveries: list[tuple[Delivery, float]] = []

        def publish(now: float) -> None:
            message = OutgoingMessage("topic", b"")
            assert line.connection.publish(message, now, lambda *delivery: deliveries.append(delivery))

        line.connect(0)
        publish(0)
        assert line.connection.busy
        line.connection.handle(line.signals.get(timeout=WAIT_S), 1)
        assert (deliveries, line.connection.busy) == ([(Delivery.ACCEPTED, 1)], False)

        broker.freeze()
        publish(2)
        line.connection.tick(32)
        assert line.connection.connected
        line.connection.tick(33)
        assert not line.connection.connected
        assert deliveries[1:] == [(Delivery.UNKNOWN, 33)]
        assert not line.connection.publish(OutgoingMessage("topic", b""), 34)


def test_an_event_that_was_not_acknowledged_is_sent_again_as_delayed(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker, contract=False) as listener:
        line = Line(settings(broker, tmp_path))
        outbox, clock = Outbox(tmp_path / "outbox.sqlite3", 10), boot_clock()
        sender = OutboxSender(outbox, line.connection, TOPICS, 60, clock)
        line.connect(0)
        sender.connected()
        outbox.add([OutboxEntry("v/0", clock(), b"{}")], 0)
        sender.tick(0)
        listener.wait_for(TOPICS.visit)
        assert outbox.waiting == 1, "it stays until it is acknowledged"
        broker.kill()
        line.lose(1)
        broker.start()
        with Listener(broker, contract=False) as again:
            line.connect(10)
            sender.connected()
            sender.tick(10)
            assert again.wait_for(TOPICS.visit).payload == b'{"delayed":true}'
            line.connection.handle(line.signals.get(timeout=WAIT_S), 11)
        assert outbox.waiting == 0


class Sending:
    """A sender over a real broker, with time passed in."""

    def __init__(self, broker: Broker, folder: Path, stack: ExitStack) -> None:
        self.broker, self.line, self.stack = broker, Line(settings(broker, folder)), stack
        self.listener = stack.enter_context(Listener(broker, contract=False))
        self.outbox, self.clock = Outbox(folder / "outbox.sqlite3", 100), boot_clock()
        self.sender = OutboxSender(self.outbox, self.line.connection, TOPICS, 60, self.clock)
        self.connect(0)

    def connect(self, now: float) -> None:
        self.line.connect(now)
        self.sender.connected()

    def break_connection(self, now: float, until: float) -> None:
        self.broker.kill()
        self.line.lose(now)
        self.broker.start()
        self.listener = self.stack.enter_context(Listener(self.broker, client_id=f"at-{until}", contract=False))
        self.connect(until)

    def add(self, *names: str) -> None:
        self.outbox.add([OutboxEntry(name, self.clock(), b'{"event_id":"%s"}' % name.encode()) for name in names], 0)

    def send(self, count: int, now: float) -> list[tuple[str, bool]]:
        """Let so many events be sent and acknowledged: their ids, and whether they are marked as delayed."""
        found = []
        for _ in range(count):
            before = len(self.listener.on(TOPICS.visit))
            self.sender.tick(now)
            message = json.loads(self.listener.wait_for(TOPICS.visit, count=before + 1).payload)
            found.append((message["event_id"], message.get("delayed", False)))
            self.line.connection.handle(self.line.signals.get(timeout=WAIT_S), now)
        return found

    @property
    def all_sent(self) -> bool:
        return self.sender.idle


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    with ExitStack() as stack:
        yield Sending(stack.enter_context(running_broker(tmp_path / "broker")), tmp_path, stack)


def test_what_was_accepted_just_before_the_connection_broke_is_sent_again_in_order(sending: Sending) -> None:
    sending.add("old", "a", "b", "c")
    assert sending.send(1, 0) == [("old", False)]
    assert sending.send(2, AGAIN_S + 1) == [("a", False), ("b", False)]
    sending.break_connection(AGAIN_S + 2, AGAIN_S + 30)
    assert not sending.all_sent
    assert sending.send(1, AGAIN_S + 30) == [("a", True)]
    # It breaks again before all is sent once more.
    sending.break_connection(AGAIN_S + 31, AGAIN_S + 60)
    sending.add("d")

    assert sending.send(4, AGAIN_S + 60) == [("a", True), ("b", True), ("c", True), ("d", False)]
    assert sending.all_sent
    sending.sender.tick(2 * AGAIN_S + 61)
    sending.break_connection(2 * AGAIN_S + 62, 2 * AGAIN_S + 90)
    assert sending.all_sent, "what was accepted long ago is safe"


def test_nobody_who_was_removed_is_sent_again(sending: Sending) -> None:
    sending.add("ada", "ben", "cy")
    sending.send(3, 0)
    sending.sender.forget(lambda entry: entry.event_id == "ada", 1)
    sending.break_connection(1, 2)
    sending.sender.forget(lambda entry: entry.event_id == "ben", 2)

    assert sending.send(1, 2) == [("cy", True)]
    assert sending.all_sent


def test_what_an_earlier_run_left_is_cleared_once_the_people_are_known() -> None:
    retained = RetainedTopics()
    state = RetainedState(TOPICS, retained)
    published: dict[str, bytes] = {}

    def publish(message: OutgoingMessage) -> bool:
        published[message.topic] = message.payload
        return True

    state.found(TOPICS.person("ada"))
    state.found(TOPICS.person("gone"))
    retained.publish_changes(publish)
    assert TOPICS.person("gone") not in published
    state.people([("ada", "Ada")])
    retained.publish_changes(publish)
    assert published == {
        f"{ROOT}/status": b"online",
        f"{ROOT}/last_person": b"none",
        f"{ROOT}/person/ada": b"OFF",
        f"{ROOT}/person/gone": b"",
    }
