"""Events go to every subscriber; none can harm another, the inference thread or the door."""

import sys
import threading
from pathlib import Path

import pytest

from edge.daemon.subscribers import WAITING, Background, Subscribers
from edge.events import Event
from support.broker import Listener, running_broker
from support.daemon import TOPIC, events_by_visit, running, write_config
from support.publishing import event, until

LONG_S = 60


def visits(events: list[Event]) -> list[str]:
    return [heard.visit_id for heard in events]


def test_a_subscriber_that_raises_costs_the_others_nothing_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    before: list[Event] = []
    after: list[Event] = []
    broken = True

    def fails(heard: Event) -> None:
        if broken:
            raise RuntimeError("the disk is on fire")

    subscribers = Subscribers([before.append, fails, after.append])
    for name in ("v1", "v2"):
        subscribers.on_event(event(visit=name))
    assert visits(before) == visits(after) == ["v1", "v2"]
    [record] = caplog.records
    assert record.levelname == "ERROR" and "fails" in record.message and "on fire" in caplog.text
    broken = False
    subscribers.on_event(event(visit="v3"))
    broken = True
    subscribers.on_event(event(visit="v4"))
    assert visits(after) == ["v1", "v2", "v3", "v4"]
    assert len(caplog.records) == 2, "it had worked in between"


def test_in_the_background_events_are_handled_in_order_on_another_thread() -> None:
    handled: list[tuple[str, str]] = []
    tidied: list[str] = []
    background = Background(
        "slow",
        lambda heard: handled.append((heard.visit_id, threading.current_thread().name)),
        wants=lambda heard: heard.visit_id != "v2",
        tidy=lambda: tidied.append(threading.current_thread().name),
        tidy_s=1e6,
    )
    background.start()
    for name in ("v1", "v2", "v3"):
        background.on_event(event(visit=name))
    background.stop(LONG_S)
    assert handled == [("v1", "slow"), ("v3", "slow")]
    assert tidied == ["slow"]


def test_who_cannot_keep_up_loses_events_and_the_sender_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    begun, go_on, handled = threading.Event(), threading.Event(), list[Event]()

    def handle(heard: Event) -> None:
        begun.set()
        go_on.wait(LONG_S)
        handled.append(heard)

    background = Background("slow", handle, wants=lambda _: True, tidy=lambda: None, tidy_s=1e6)
    background.start()
    background.on_event(event(visit="first"))
    assert begun.wait(LONG_S)
    for number in range(WAITING + 5):
        background.on_event(event(visit=f"v{number}"))
    go_on.set()
    background.stop(LONG_S)
    assert visits(handled) == ["first", *(f"v{number}" for number in range(WAITING))]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_mistake_in_the_background_does_not_end_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    tidied: list[int] = []

    def handle(heard: Event) -> None:
        raise RuntimeError("no space left")

    def tidy() -> None:
        tidied.append(1)
        raise RuntimeError("read-only")

    background = Background("slow", handle, wants=lambda _: True, tidy=tidy, tidy_s=0.01)
    background.start()
    background.on_event(event())
    until(lambda: len(tidied) > 3)
    background.stop(LONG_S)
    assert caplog.records[0].levelname == "ERROR"


@pytest.mark.slow
@pytest.mark.parametrize("slow", ["take", "tidy"])
def test_a_disk_that_hangs_holds_up_neither_visits_nor_the_watchdog(
    tmp_path: Path, demo_gallery: Path, slow: str
) -> None:
    """The real daemon, whose pictures of unknown visitors cannot be written or scanned."""
    program = tmp_path / "hangs.py"
    program.write_text(
        "import time\n"
        "from edge.__main__ import main\n"
        "from edge.visits.unknown_faces import UnknownFaces\n"
        f"UnknownFaces.{slow} = lambda *_: time.sleep(3600)\n"
        "main()\n"
    )
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(
            tmp_path,
            broker,
            demo_gallery,
            runtime={"stall_s": 30},
            strangers={"keep": 3, "path": str(tmp_path / "strangers")},
        )
        with running(config, program=[sys.executable, str(program)]) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        ended = [visit for visit in events_by_visit(listener) if visit[-1][0] == "ended"]
    assert len(ended) == 5
