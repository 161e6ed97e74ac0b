"""`whosthere watch` and `whosthere broker-acl`, as commands, on a real broker."""

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import paho.mqtt.publish
import pytest
from click.testing import CliRunner
from msgspec import structs

from edge.__main__ import main
from edge.commands.watch_view import Boxes, panels, sentence, summary
from edge.config.mqtt import SnapshotSettings
from edge.events import EventKind, StrangerVisits
from edge.mqtt.visit_payloads import StrangerPayload, visit_payload
from edge.records import Doubt, Match, Outcome, Problem
from support.broker import Broker, Listener, running_broker
from support.publishing import ORIGIN, ROOT, controls, event, match, picture, publisher, recognized, settings

EVERYBODY = [("ada", "Ada Lovelace"), ("grace", "Grace Hopper")]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@contextlib.contextmanager
def watching(broker: Broker, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`whosthere watch`, once it listens."""
    command = [sys.executable, "-m", "edge", "watch", "--host", broker.host, "--port", str(broker.port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    paho.mqtt.publish.single("whosthere/hall/status", b"online", 1, retain=True, port=broker.port)
    try:
        assert process.stdout
        assert "hall" in process.stdout.readline(), "it listens: this is retained"
        yield process
    finally:
        process.kill()
        process.communicate()


def until_said(process: "subprocess.Popen[str]", last: str) -> list[str]:
    """The lines up to one that holds `last`; then ^C, which ends it well."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if last in line:
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 0
    return lines


def visit(broker: Broker, folder: Path) -> None:
    """A box that lives through a visit."""
    told = publisher(settings(broker, folder, snapshot=SnapshotSettings(enabled=True)))
    told.people(EVERYBODY)
    told.controls(controls())
    told.start()
    with Listener(broker) as listener:
        listener.wait_for(f"{ROOT}/person/ada", b"OFF")
        told.publish(event())
        told.publish(recognized(picture=picture()))
        told.publish(event(EventKind.UNKNOWN, visit="v2"))
        told.publish(event(EventKind.NO_USABLE_FACE, visit="v3", problem=Problem.TOO_DARK))
        listener.wait_for(f"{ROOT}/visit", count=4)
        told.controls(controls(paused=True))
        listener.wait_for(f"{ROOT}/controls", count=2)
        told.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")
    paho.mqtt.publish.single("whosthere/garden/visit", b"not JSON", 1, port=broker.port)
    paho.mqtt.publish.single("whosthere/garden/status", b"online", 1, port=broker.port)


def test_lines_for_people(broker: Broker, tmp_path: Path) -> None:
    with watching(broker) as process:
        visit(broker, tmp_path)
        out = until_said(process, "garden  status online")
    told = [line.partition(": ")[2] for line in out if "visit v" in line]
    assert told == [
        "started",
        "Ada Lovelace (0.7123, needed 0.42)",
        "a stranger",
        "no usable face: too_dark",
    ]
    for line in (
        "front-door  status online",
        "front-door  person/ada ON",
        "front-door  paused",
        "garden  status online",
    ):
        assert line in out
    assert any(line.startswith("garden  visit: unreadable: JSON is malformed") for line in out)


def test_a_stranger_with_a_number_is_told_by_it() -> None:
    came = StrangerVisits(3, 6, 1e9, 1.1e9, 1.2e9)
    payload = visit_payload(
        event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=came), wall_offset=0.0, origin=ORIGIN
    )
    assert sentence(payload) == "a stranger (stranger-3, came 6 times)"
    new = msgspec.structs.replace(payload, stranger=StrangerPayload("stranger-4", 1, "", None))
    assert sentence(new) == "a stranger (stranger-4, new)"


def test_json_for_scripts(broker: Broker, tmp_path: Path) -> None:
    with watching(broker, "--json", "front-door", "hall") as process:
        visit(broker, tmp_path)
        out = until_said(process, '"offline"')
    heard = [json.loads(line) for line in out]
    assert {message["device"] for message in heard} == {"front-door"}
    visits = [message["payload"]["event_type"] for message in heard if message["topic"] == "visit"]
    assert visits == ["started", "recognized", "unknown", "no_usable_face"]
    (shown,) = [message["payload"] for message in heard if message["topic"] == "snapshot"]
    assert shown["bytes"] > 1000
    assert {"device": "front-door", "topic": "status", "retained": False, "payload": "offline"} in heard


def test_it_ends_when_its_time_is_over(broker: Broker) -> None:
    done = CliRunner().invoke(main, ["watch", "--host", broker.host, "--port", str(broker.port), "--for", "0.5"])
    assert (done.exit_code, done.output) == (0, "")


def test_no_broker_is_said_with_its_exit_code(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["watch", "--host", "127.0.0.1", "--port", "1"])
    assert done.exit_code == 6
    assert "nothing listens at 127.0.0.1:1" in done.output
    assert CliRunner().invoke(main, ["watch", "front/door"]).exit_code == 2


def test_a_box_in_one_line() -> None:
    house = Boxes("whosthere")
    for topic, payload in (("status", b"online"), ("camera", b"offline"), ("person/ada", b"ON"), ("person/bo", b"OFF")):
        house.message(f"whosthere/garden/{topic}", payload)
    assert summary(house.boxes["garden"]) == "online, camera offline; here now: ada"
    assert house.message("other/garden/status", b"online") is None
    assert "unreadable" in (house.message("whosthere/garden/last_person", b"\xff") or "")


def test_the_live_view() -> None:
    rich = pytest.importorskip("rich.console")
    house = Boxes("whosthere")
    console = rich.Console(width=100, record=True, file=io.StringIO())
    console.print(panels(house))
    for device in ("garden", "front-door"):
        house.message(f"whosthere/{device}/status", b"online")
        house.message(f"whosthere/{device}/controls", msgspec.json.encode(controls(paused=device == "garden")))
    payload = visit_payload(recognized(), wall_offset=1_748_800_000.0, origin=ORIGIN)
    house.message("whosthere/front-door/visit", msgspec.json.encode(payload))
    console.print(panels(house))
    shown = console.export_text()
    assert "no message yet" in shown
    assert shown.index("front-door") < shown.index("Ada Lovelace (0.7123, needed 0.42)") < shown.index("garden")
    assert "online, camera ?, PAUSED" in shown


def test_the_printed_acl_lets_a_box_write_its_own_topics_only(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["broker-acl", "front-door", "b=garden", "--home", "home", "--watcher", "eve"])
    assert printed.exit_code == 0
    users = {"front-door": "f", "b": "b", "home": "h", "eve": "e"}
    with running_broker(tmp_path / "broker", users=users, acl=printed.output) as broker:
        (tmp_path / "password").write_text("f\n")
        mqtt = settings(broker, tmp_path, username="front-door", password_file=str(tmp_path / "password"))
        told = publisher(mqtt)
        told.people(EVERYBODY)
        told.controls(controls())
        with (
            Listener(broker, "whosthere/#", "homeassistant/#", user=("home", "h")) as home,
            Listener(broker, "whosthere/#", client_id="eve", user=("eve", "e")) as eve,
            Listener(broker, "whosthere/#", client_id="b", user=("b", "b")) as other,
        ):
            told.start()
            home.wait_for("homeassistant/device/whosthere_front-door/config")
            told.publish(recognized())
            home.wait_for(f"{ROOT}/visit")
            eve.publish(f"{ROOT}/command/pause", b'{"correlation_id": "eve"}')
            other.publish(f"{ROOT}/command/pause", b'{"correlation_id": "b"}')
            other.publish(f"{ROOT}/visit", b"forged")
            home.publish(f"{ROOT}/visit", b"forged")
            home.publish(f"{ROOT}/command/pause", b'{"correlation_id": "home"}')
            answer = home.wait_for(f"{ROOT}/command/result")
            eve.wait_for(f"{ROOT}/command/result")
            told.stop(5)
        assert json.loads(answer.payload)["correlation_id"] == "home"
        assert len(home.on(f"{ROOT}/command/result")) == len(home.on(f"{ROOT}/visit")) == 1
        assert other.heard == []
        assert "Denied PUBLISH" in broker.log


def test_an_acl_for_what_is_not_a_name_is_refused() -> None:
    assert CliRunner().invoke(main, ["broker-acl", "front/door"]).exit_code == 2


def test_an_uncertain_visitor_is_named_by_everybody_whom_it_may_be() -> None:
    def said(found: Match) -> str:
        happened = event(EventKind.UNCERTAIN, match=found)
        return sentence(visit_payload(happened, wall_offset=0.0, origin=ORIGIN))

    assert said(match(Outcome.UNCERTAIN)) == "either Ada Lovelace or Grace Hopper"
    assert said(structs.replace(match(Outcome.UNCERTAIN), doubt=Doubt.FEW_FACES)) == "perhaps Ada Lovelace, not certain"
