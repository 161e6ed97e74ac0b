"""A slow link, and a full outbox behind it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from edge.config.mqtt import OutboxSettings
from edge.mqtt.visit_payloads import VisitPayload
from support.broker import Broker, Listener, running_broker
from support.publishing import ROOT, event, publisher, settings, until


@contextmanager
def slow_link(
    broker: Broker, delay_s: float, bytes_per_s: int, is_open: threading.Event | None = None
) -> Iterator[int]:
    """The port of a line to the broker that takes its time, both ways, and carries nothing unless `is_open` is set."""
    door = socket.create_server(("127.0.0.1", 0))
    open_lines: list[socket.socket] = [door]

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1024):
                time.sleep(delay_s + len(data) / bytes_per_s)
                if is_open:
                    is_open.wait()
                target.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection((broker.host, broker.port))
                open_lines.extend((near, far))
                for line in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=line, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(door.getsockname()[1])
    finally:
        for line in open_lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()


def test_over_a_slow_link_everything_arrives_in_order_and_nothing_blocks(tmp_path: Path) -> None:
    is_open = threading.Event()
    is_open.set()
    with (
        running_broker(tmp_path / "broker") as broker,
        slow_link(broker, delay_s=0.05, bytes_per_s=20_000, is_open=is_open) as port,
        Listener(broker) as listener,
    ):
        box = publisher(settings(broker, tmp_path, port=port))
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        # A loop that waited for the link would not get past this.
        is_open.clear()
        for sequence in range(30):
            box.publish(event(sequence=sequence))
        beat = box.heartbeat
        until(lambda: box.heartbeat > beat)
        assert listener.on(f"{ROOT}/visit") == []
        is_open.set()
        listener.wait_for(f"{ROOT}/visit", count=30)
        box.stop(10)
    sequences = [msgspec.json.decode(m.payload, type=VisitPayload).sequence for m in listener.on(f"{ROOT}/visit")]
    assert sequences == list(range(30))


def test_when_more_happens_than_the_link_carries_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    with (
        running_broker(tmp_path / "broker") as broker,
        slow_link(broker, delay_s=0.3, bytes_per_s=20_000) as port,
        Listener(broker) as listener,
    ):
        outbox = OutboxSettings(path=str(tmp_path / "outbox.sqlite3"), max_events=10)
        box = publisher(settings(broker, tmp_path, port=port, outbox=outbox))
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        for sequence in range(60):
            box.publish(event(sequence=sequence))
        listener.wait(lambda: any(b'"event_id":"v1/59"' in m.payload for m in listener.on(f"{ROOT}/visit")))
        until(lambda: box.outbox_health.waiting == 0)
        health = box.outbox_health
        box.stop(10)
    sequences = [msgspec.json.decode(m.payload, type=VisitPayload).sequence for m in listener.on(f"{ROOT}/visit")]
    assert health.dropped >= 40
    assert len(sequences) == 60 - health.dropped, "the event under way is not the one that gives way"
    assert sequences == sorted(sequences)
    assert sequences[-1] == 59
