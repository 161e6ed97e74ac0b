"""The publisher's process killed with `kill -9`: nothing is lost, nothing is out of order."""

from pathlib import Path

import msgspec
import pytest

from edge.config.mqtt import MqttSettings
from edge.events import Event
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.queued_event import OutboxEntry, boot_clock
from edge.mqtt.visit_payloads import visit_payload
from support.broker import Listener, running_broker
from support.publishing import ORIGIN, ROOT, event, publishing_process, settings, succeed, until


def heard(listener: Listener) -> list[str]:
    return [msgspec.json.decode(message.payload)["event_id"] for message in listener.on(f"{ROOT}/visit")]


def on_disk(mqtt: MqttSettings) -> int:
    outbox = OutboxFile(Path(mqtt.outbox.path), mqtt.outbox.max_events)
    waiting = outbox.waiting
    outbox.close()
    return waiting


def test_killed_while_events_wait_each_arrives_once_and_in_order(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker", persistence=True) as broker, Listener(broker, persistent=True) as listener:
        mqtt = settings(broker, tmp_path)
        broker.stop()
        for visit, waiting in (("v1", 30), ("v2", 60)):
            with publishing_process(mqtt, visit, 30, waiting) as process:
                assert process.stdout
                assert process.stdout.readline() == "ready\n"
                process.kill()
        assert on_disk(mqtt) == 60

        broker.start()
        with publishing_process(mqtt, "v3", 1) as process:
            listener.wait_for(f"{ROOT}/visit", count=61)
            process.communicate("stop\n")
    assert heard(listener) == [f"{visit}/{n}" for visit in ("v1", "v2") for n in range(30)] + ["v3/0"]
    assert on_disk(mqtt) == 0


def fill(mqtt: MqttSettings, visit: str, count: int) -> None:
    """Leave events in the outbox, as an earlier run does."""
    outbox = OutboxFile(Path(mqtt.outbox.path), mqtt.outbox.max_events)
    payloads = [visit_payload(event(visit=visit, sequence=n), wall_offset=0.0, origin=ORIGIN) for n in range(count)]
    outbox.put_many(
        [OutboxEntry(payload.event_id, boot_clock()(), msgspec.json.encode(payload)) for payload in payloads]
    )
    outbox.close()


@pytest.mark.slow
@pytest.mark.parametrize("after", [20, 90, 170])
def test_killed_while_sending_at_most_the_one_under_way_arrives_twice(tmp_path: Path, after: int) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        mqtt = settings(broker, tmp_path)
        fill(mqtt, "v1", 200)
        with publishing_process(mqtt, "v2", 0) as process:
            listener.wait_for(f"{ROOT}/visit", count=after)
            process.kill()
        with publishing_process(mqtt, "v3", 1) as process:
            listener.wait(lambda: "v3/0" in heard(listener))
            process.communicate("stop\n")

    arrived = heard(listener)
    once = list(dict.fromkeys(arrived))
    assert once == [f"v1/{n}" for n in range(200)] + ["v3/0"]
    assert len(arrived) - len(once) <= 1
    assert on_disk(mqtt) == 0


def test_an_event_is_reported_only_once_it_is_on_disk(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        mqtt = settings(broker, tmp_path)
    found: list[tuple[int, bool]] = []

    def on_stored(_: Event) -> None:
        found.append((box.outbox_health.waiting, box.outbox_health.on_disk))

    box = MqttPublisher(mqtt, ORIGIN, succeed, on_stored=on_stored)
    box.publish(event())
    assert found == []
    box.start()
    until(lambda: bool(found))
    box.stop(1)
    assert found == [(1, True)]
