"""The publisher on a real broker: what is retained, what is late, what survives, what is answered."""

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import paho.mqtt.publish
import pytest

from edge.config.mqtt import MqttSettings
from edge.errors import GalleryError
from edge.events import EventKind
from edge.mqtt.command_payloads import Pause, Reload, Request, Resume, Ring
from edge.mqtt.commands import Reply
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.payloads import CommandResult, OutboxHealth
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.queued_event import OutboxEntry, boot_clock
from edge.mqtt.visit_payloads import EventOrigin, VisitPayload
from edge.records import Match, Outcome
from support.broker import Broker, Listener, retained
from support.publishing import ADA, EVERYBODY, GRACE, ROOT, event, match, publisher, quality, recognized, succeed, until


@pytest.fixture
def box(mqtt: MqttSettings) -> Iterator[MqttPublisher]:
    """A publisher that has not been started."""
    made = publisher(mqtt)
    yield made
    made.stop(5)


def visits(listener: Listener, topic: str = "visit") -> list[str]:
    return [msgspec.json.decode(message.payload)["event_id"] for message in listener.on(f"{ROOT}/{topic}")]


def decoded(payload: bytes) -> VisitPayload:
    return msgspec.json.decode(payload, type=VisitPayload)


def test_a_visit_from_start_to_end(broker: Broker, box: MqttPublisher) -> None:
    steps = [
        event(),
        recognized(provisional=True),
        recognized(sequence=2),
        event(EventKind.ENDED, sequence=3, match=match()),
    ]
    with Listener(broker) as listener:
        box.start()
        box.people(EVERYBODY)
        box.camera_state(online=True)
        listener.wait_for(f"{ROOT}/person/grace", b"OFF")
        for step in steps:
            box.publish(step)
        listener.wait_for(f"{ROOT}/person/ada", b"OFF", count=2)
        listener.wait_for(f"{ROOT}/visit", count=4)
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")

    assert visits(listener) == ["v1/0", "v1/1", "v1/2", "v1/3"]
    assert [m.payload for m in listener.on(f"{ROOT}/person/ada")] == [b"OFF", b"ON", b"OFF"]
    assert [m.payload for m in listener.on(f"{ROOT}/last_person")] == [b"none", b"Ada Lovelace"]
    assert [m.payload for m in listener.on(f"{ROOT}/status")] == [b"online", b"offline"]
    for message in listener.on(f"{ROOT}/visit"):
        assert (message.retained, message.qos) == (False, 1)
        assert message.expiry_s
        assert 55 <= message.expiry_s <= 60
    assert retained(broker) == {
        f"{ROOT}/status": b"offline",
        f"{ROOT}/camera": b"online",
        f"{ROOT}/last_person": b"Ada Lovelace",
        f"{ROOT}/person/ada": b"OFF",
        f"{ROOT}/person/grace": b"OFF",
    }


def test_an_event_names_the_gallery_at_the_time_it_happened(broker: Broker, box: MqttPublisher) -> None:
    box.publish(event())
    box.origin = EventOrigin("front-door", "porch", "mobilefacenet", "newer")
    box.publish(event(sequence=1))
    with Listener(broker) as listener:
        box.start()
        listener.wait_for(f"{ROOT}/visit", count=2)
    versions = [decoded(m.payload).gallery_version for m in listener.on(f"{ROOT}/visit")]
    assert versions == ["2025-06-01/3", "newer"]


def test_after_an_outage_the_broker_gets_every_event_in_order_and_the_last_ones_again(
    broker: Broker, box: MqttPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whosthere")
    with Listener(broker, persistent=True) as listener:
        box.start()
        box.people(EVERYBODY)
        until(lambda: box.connected)
        for sequence in range(5):
            box.publish(event(sequence=sequence))
        listener.wait_for(f"{ROOT}/visit", count=5)
        listener.settle()

        broker.stop()
        until(lambda: not box.connected)
        for sequence in range(5, 60):
            box.publish(event(sequence=sequence))
        until(lambda: box.outbox_health.waiting == 55)
        broker.start()

        listener.wait_for(f"{ROOT}/visit", count=65)
        listener.wait_for(f"{ROOT}/status", b"online", count=2)
        listener.wait_for(f"{ROOT}/person/ada", b"OFF", count=2)
    # It was accepted less than AGAIN_S ago, and a broker that was killed would have lost it.
    repeated = [f"v1/{n}" for n in range(5)]
    assert visits(listener) == repeated + [f"v1/{n}" for n in range(60)]
    assert [decoded(m.payload).delayed for m in listener.on(f"{ROOT}/visit")] == [False] * 5 + [True] * 60
    until(lambda: box.outbox_health == OutboxHealth(waiting=0, dropped=0, late=0, on_disk=True))
    levels = [record.levelname for record in caplog.records if "127.0.0.1" in record.message]
    assert levels == ["INFO", "WARNING", "INFO"], caplog.messages


def test_what_waited_before_a_restart_goes_first(broker: Broker, mqtt: MqttSettings) -> None:
    waiting = publisher(msgspec.structs.replace(mqtt, port=1))
    waiting.start()
    for sequence in range(3):
        waiting.publish(event(sequence=sequence))
    waiting.stop(0.1)

    again = publisher(mqtt)
    again.publish(event(visit="v2"))
    with Listener(broker) as listener:
        again.start()
        listener.wait_for(f"{ROOT}/visit", count=4)
        again.stop(5)
    assert visits(listener) == ["v1/0", "v1/1", "v1/2", "v2/0"]


def test_who_left_the_gallery_while_the_box_was_off_is_in_nothing_that_waited(
    broker: Broker, mqtt: MqttSettings
) -> None:
    waiting = publisher(msgspec.structs.replace(mqtt, port=1))
    waiting.people(EVERYBODY)
    waiting.start()
    alone = Match(Outcome.RECOGNIZED, GRACE, None, 0.3, None)
    waiting.publish(event())
    waiting.publish(recognized())
    waiting.publish(event(EventKind.ENDED, sequence=2, match=match(), quality=quality(), usable_faces=5))
    waiting.publish(event(EventKind.UNCERTAIN, "v2", 1, match=match(Outcome.UNCERTAIN, GRACE, ADA), usable_faces=5))
    waiting.publish(recognized(visit="v3", match=alone))
    until(lambda: waiting.outbox_health.waiting == 5)
    waiting.stop(0.1)
    outbox = Path(mqtt.outbox.path)
    assert b"Ada Lovelace" in b"".join(path.read_bytes() for path in outbox.parent.glob("outbox.sqlite3*"))

    again = publisher(mqtt)
    again.people(EVERYBODY[1:])
    with Listener(broker) as listener:
        again.start()
        listener.wait_for(f"{ROOT}/visit", count=2)
        again.stop(5)
    assert visits(listener) == ["v1/0", "v3/1"]
    assert b"Lovelace" not in b"".join(path.read_bytes() for path in outbox.parent.glob("outbox.sqlite3*"))


def test_a_stale_event_never_reaches_the_visit_topic(broker: Broker, mqtt: MqttSettings, box: MqttPublisher) -> None:
    now = boot_clock()()
    entries = [
        OutboxEntry("old/0", now.earlier(61), msgspec.json.encode({"event_id": "old/0"})),
        OutboxEntry("another boot/0", type(now)("another boot", now.seconds), msgspec.json.encode({"event_id": "x"})),
        OutboxEntry("fresh/0", now.earlier(10), msgspec.json.encode({"event_id": "fresh/0"})),
    ]
    outbox = OutboxFile(Path(mqtt.outbox.path), 100)
    outbox.put_many(entries)
    outbox.close()
    with Listener(broker, contract=False) as listener:
        box.start()
        box.publish(event(at=time.monotonic() - 100))
        late = listener.wait_for(f"{ROOT}/visit/late", count=3)
        fresh = listener.wait_for(f"{ROOT}/visit")
        until(lambda: box.outbox_health.waiting == 0)

    assert (decoded(late.payload).late, late.retained, late.expiry_s) == (True, False, None)
    assert visits(listener, "visit/late") == ["old/0", "x", "v1/0"]
    assert fresh.expiry_s
    assert 40 <= fresh.expiry_s <= 50
    assert len(listener.on(f"{ROOT}/visit")) == 1
    assert box.outbox_health.late == 3


def test_events_of_a_recording_with_its_own_time_happen_now(broker: Broker, mqtt: MqttSettings) -> None:
    replayed = MqttPublisher(mqtt, EventOrigin("front-door", "c", "m", "g"), succeed, clock=None)
    with Listener(broker) as listener:
        replayed.start()
        before = datetime.now(UTC).replace(microsecond=0)
        replayed.publish(event(at=3.0, started_at=1.0))
        heard = decoded(listener.wait_for(f"{ROOT}/visit").payload)
        replayed.stop(5)
    assert before <= datetime.fromisoformat(heard.decided_at) <= datetime.now(UTC)


def test_the_outbox_is_bounded_and_counts_what_it_drops(broker: Broker, mqtt: MqttSettings) -> None:
    small = msgspec.structs.replace(mqtt.outbox, max_events=10)
    box = publisher(msgspec.structs.replace(mqtt, outbox=small))
    broker.stop()
    box.start()
    for sequence in range(35):
        box.publish(event(sequence=sequence))
    until(lambda: box.outbox_health.dropped == 25)
    broker.start()
    with Listener(broker) as listener:
        listener.wait_for(f"{ROOT}/visit", count=10)
        box.stop(5)
    assert visits(listener) == [f"v1/{n}" for n in range(25, 35)]


def test_the_topics_of_people_who_left_the_gallery_are_cleared(broker: Broker, box: MqttPublisher) -> None:
    leftover = f"{ROOT}/person/of-an-earlier-run"
    paho.mqtt.publish.single(leftover, "ON", 1, retain=True, port=broker.port)
    with Listener(broker) as listener:
        box.start()
        box.people(EVERYBODY)
        listener.wait_for(leftover, b"")
        box.people(EVERYBODY[:1])
        listener.wait_for(f"{ROOT}/person/grace", b"")
        box.people(EVERYBODY)
        listener.wait_for(f"{ROOT}/person/grace", b"OFF", count=2)
    assert [m.payload for m in listener.on(f"{ROOT}/person/ada")] == [b"OFF"]


COMMANDS: list[tuple[str, bytes, str, bytes, str | None, str | None]] = [
    ("pause", b'{"for_s": 600}', "home/answers", b"id-1", "id-1", None),
    ("reload", b"", f"{ROOT}/visit", b"\x00\xff", "00ff", "family.gallery: damaged; the old one stays in force"),
    ("paused", b"OFF", "", b"", None, None),
    ("ring", b'{"correlation_id": "42"}', "", b"", "42", None),
    (
        *("open_door", b"", "", b"", None),
        "no such command; allowed: pause, resume, reload, restart, snapshot, sensitivity, ring, challenge, paused",
    ),
    (
        *("pause", b"10 min", "", b"", None),
        (
            "the payload is not valid: Expected `object`, got `int`; "
            "allowed: nothing, or a JSON object with for_s, correlation_id"
        ),
    ),
    (
        *("sensitivity", b'{"false_alarm_target": 2}', "", b"", None),
        (
            "the payload is not valid: Expected `float` <= 0.5 - at `$.false_alarm_target`; "
            "allowed: nothing, or a JSON object with correlation_id, false_alarm_target"
        ),
    ),
    ("pause", b"x" * 4097, "home/+/answers", b"", None, "the payload is too large; allowed: 4096 bytes"),
]
"""Command, payload, where the answer is to go and with which correlation; the correlation answered, and the refusal."""


def test_commands_are_carried_out_and_answered(broker: Broker, mqtt: MqttSettings) -> None:
    asked: list[Request] = []

    def on_command(request: Request, reply: Reply) -> None:
        asked.append(request)
        if isinstance(request, Reload):
            raise GalleryError("family.gallery: damaged; the old one stays in force")
        reply(True, "paused")

    box = MqttPublisher(mqtt, EventOrigin("front-door", "c", "m", "g"), on_command)
    paho.mqtt.publish.single(f"{ROOT}/command/resume", b"replayed", 1, retain=True, port=broker.port)
    with Listener(broker) as listener:
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        listener.wait_for(f"{ROOT}/last_person")
        for count, (name, payload, response_topic, correlation, *_) in enumerate(COMMANDS, 1):
            listener.publish(f"{ROOT}/command/{name}", payload, response_topic=response_topic, correlation=correlation)
            listener.wait_for(f"{ROOT}/command/result", count=count)
        box.stop(5)

    answers = [msgspec.json.decode(m.payload, type=CommandResult) for m in listener.on(f"{ROOT}/command/result")]
    assert [(a.command, a.correlation_id, None if a.ok else a.message) for a in answers] == [
        (name, correlation_id, refusal) for name, *_, correlation_id, refusal in COMMANDS
    ]
    assert asked == [Pause(for_s=600), Reload(), Resume(), Ring(correlation_id="42")]
    (elsewhere,) = listener.on("home/answers")
    assert elsewhere.correlation == b"id-1"
    assert listener.on(f"{ROOT}/visit") == []


def test_the_heartbeat_goes_on_without_a_broker_and_stopping_does_not_wait_for_one(
    broker: Broker, box: MqttPublisher
) -> None:
    broker.stop()
    box.start()
    box.publish(event())
    until(lambda: box.outbox_health.waiting == 1)
    before = box.heartbeat
    until(lambda: box.heartbeat > before + 1)
    # It returns: the time-out of the test would end one that waits.
    box.stop(1e6)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_both_protocols_work(broker: Broker, mqtt: MqttSettings, protocol: str) -> None:
    box = publisher(msgspec.structs.replace(mqtt, protocol=protocol))
    with Listener(broker) as listener:
        box.start()
        box.people(EVERYBODY)
        listener.wait_for(f"{ROOT}/person/ada")
        box.publish(event())
        listener.wait_for(f"{ROOT}/visit")
        listener.publish(f"{ROOT}/command/pause", b"")
        assert b'"ok":true' in listener.wait_for(f"{ROOT}/command/result").payload
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")
    assert (listener.on(f"{ROOT}/visit")[0].expiry_s is None) is (protocol == "3.1.1")
