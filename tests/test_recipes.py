"""The recipes of docs/61-recipes.md, run exactly as printed there."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.config.mqtt import MqttSettings, OutboxSettings, TlsSettings
from edge.events import EventKind, StrangerVisits
from edge.mqtt.payloads import DoorbellPayload, rfc3339
from edge.mqtt.probe import check_broker
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.visit_payloads import visit_payload
from edge.records import Outcome
from support import openhab
from support.broker import Broker, Listener, running_broker
from support.ports import free_port
from support.publishing import ORIGIN, ROOT, controls, event, match, publisher, recognized, settings, succeed, until

PAGE = (Path(__file__).parents[1] / "docs" / "61-recipes.md").read_text()
NODE_RED = os.environ.get("WHOSTHERE_NODE_RED")
"""Path of `node-red`, where there is one."""


AGAIN = "a stranger is at the door (stranger-3, visit 6)\n"


def block(begin: str) -> str:
    """The code block that starts with this."""
    found = [text for text in re.findall(r"```[a-z]*\n(.*?)```", PAGE, re.DOTALL) if begin in text[: len(begin) + 20]]
    assert len(found) == 1, begin
    return str(found[0])


@contextmanager
def started(command: list[str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.communicate()


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto-clients are not installed")
def test_the_shell_script(tmp_path: Path) -> None:
    script = tmp_path / "who-is-there.sh"
    script.write_text(block("#!/bin/sh\n# who-is-there.sh"))
    with running_broker(tmp_path / "broker") as broker:
        box = publisher(settings(broker, tmp_path))
        box.start()
        with started(["sh", str(script), broker.host, str(broker.port)]) as process:
            assert process.stdout
            heard: list[str] = []
            threading.Thread(target=heard.extend, args=(process.stdout,), daemon=True).start()
            # Nothing is kept for who subscribes later: people come until they are heard.
            visit = 0
            deadline = time.monotonic() + 240
            while len(set(heard)) < 4 and time.monotonic() < deadline:
                visit += 1
                box.publish(recognized(visit=f"v{visit}", provisional=True))
                box.publish(recognized(visit=f"v{visit}", sequence=2))
                box.publish(event(EventKind.UNKNOWN, visit=f"w{visit}"))
                box.publish(event(EventKind.UNCERTAIN, visit=f"u{visit}", match=match(Outcome.UNCERTAIN)))
                again = StrangerVisits(3, 6, 1e9, 1.1e9, 1.2e9)
                box.publish(event(EventKind.UNKNOWN, visit=f"x{visit}", match=match(Outcome.UNKNOWN), stranger=again))
                time.sleep(0.5)
        box.stop(5)
    print(f"\nthe shell script: {sorted(set(heard))}")
    assert set(heard) == {
        "Ada Lovelace is at the door\n",
        "a stranger is at the door\n",
        AGAIN,
        "one of Ada Lovelace/Grace Hopper is at the door\n",
    }
    assert heard.count("Ada Lovelace is at the door\n") <= visit, "provisional ones are not printed"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_broker_with_tls_users_and_acl(tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    mosquitto = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if mosquitto is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    port = free_port()
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {"dir": str(folder), "data": str(folder), "port": str(port)}
    environment["PATH"] = f"{bin_folder}:{environment['PATH']}"
    (tmp_path / "broker.sh").write_text(block("#!/bin/sh -e\n# broker.sh"))
    done = subprocess.run(
        ["sh", "-e", str(tmp_path / "broker.sh"), "localhost"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # mosquitto gives up root, and could then not read what is in a folder of root's.
    with (folder / "mosquitto.conf").open("a") as config:
        config.write("user root\n")
    with started([mosquitto, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL):
        until(lambda: _listens(port))
        mqtt = MqttSettings(
            host="localhost",
            port=port,
            username="front-door",
            password_file=str(folder / "front-door.password"),
            tls=TlsSettings(enabled=True, ca_file=str(folder / "ca.pem")),
            outbox=OutboxSettings(path=str(tmp_path / "outbox.sqlite3")),
        )
        said = check_broker(mqtt, "front-door")
        print(f"\nthe guarded broker: {said}")
        assert "TLS, user front-door" in said
        with pytest.raises(Exception, match="the broker's ACL denies it"):
            check_broker(mqtt, "garden")


def test_two_sites_bridged(tmp_path: Path) -> None:
    with running_broker(tmp_path / "home") as home:
        bridge = block("connection home").replace("home.example.org:8883", f"{home.host}:{home.port}")
        bridge = re.sub(r"remote_.*\n", "", bridge)
        with running_broker(tmp_path / "cottage", extra=bridge) as cottage, Listener(home) as listener:
            box = publisher(settings(cottage, tmp_path))
            box.people([("ada", "Ada Lovelace")])
            box.controls(controls())
            box.start()
            listener.wait_for(f"{ROOT}/person/ada", b"OFF")
            listener.wait_for("homeassistant/device/whosthere_front-door/config")
            box.publish(recognized())
            assert 0 < (listener.wait_for(f"{ROOT}/visit").expiry_s or 0) <= 60
            listener.publish(f"{ROOT}/command/pause", b'{"correlation_id": "from home"}')
            answer = json.loads(listener.wait_for(f"{ROOT}/command/result").payload)
            print(f"\nover the bridge: {answer}")
            assert (answer["ok"], answer["correlation_id"]) == (True, "from home")
            box.stop(5)
            listener.wait_for(f"{ROOT}/status", b"offline")


@pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto-clients are not installed")
def test_several_boxes_at_one_house(tmp_path: Path) -> None:
    """The command on the page, with Ada at one of two doors; each event names its box."""
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        boxes = []
        for name in ("front-door", "garden"):
            (tmp_path / name).mkdir()
            box = MqttPublisher(settings(broker, tmp_path / name), replace(ORIGIN, device_id=name), succeed)
            box.start()
            box.people([("ada", "Ada Lovelace")])
            listener.wait_for(f"whosthere/{name}/person/ada", b"OFF")
            boxes.append(box)
        boxes[0].publish(recognized())
        listener.wait_for("whosthere/front-door/person/ada", b"ON")
        visit = json.loads(listener.wait_for("whosthere/front-door/visit").payload)
        where = re.findall(r"\$ (mosquitto_sub .* -t '(whosthere/\+/person/ada)' -v)\n((?:    whosthere.*\n)+)", PAGE)
        ((_, topic, printed),) = where
        command = ["mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-t", topic, "-v", "-C", "2", "-W", "30"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for box in boxes:
            box.stop(5)
    print(f"\n{done.stdout}")
    assert sorted(done.stdout.splitlines()) == sorted(line.strip() for line in printed.splitlines())
    assert (visit["device_id"], listener.on("whosthere/garden/visit")) == ("front-door", [])


def test_openhab_reads_its_files(tmp_path: Path) -> None:
    """By its grammar and the parameters of its MQTT binding; all topics are in the contract, all items a channel."""
    bridge, thing = openhab.things(block("Bridge mqtt:broker"))
    assert (bridge.kind, thing.kind) == ("broker", "topic")
    kinds = {f"{thing.id}:{channel.id}": channel.kind for channel in thing.channels}
    for item in openhab.items(block("Switch Door_Ada")):
        assert item.kind == openhab.ITEMS[kinds[item.parameters["channel"]]], item
    (used,) = re.findall(r'Channel "(.*)" triggered', block('rule "Somebody'))
    assert kinds[used] == "trigger"
    _decides(block('rule "Somebody'))
    wanted = {"person/ada": b"OFF", "last_person": b"none", "controls": None, "visit": None, "doorbell": None}
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        box = publisher(settings(broker, tmp_path))
        box.people([("ada", "Ada Lovelace")])
        box.controls(controls())
        box.start()
        until(lambda: box.connected)
        box.publish(recognized())
        box.at_once(DoorbellPayload("ring", "1", "front-door", "button", None, rfc3339(0)))
        for topic, payload in wanted.items():
            listener.wait_for(f"{ROOT}/{topic}", payload)
        heard = {message.topic for message in listener.heard} | {f"{ROOT}/snapshot"}
        assert {channel.parameters["stateTopic"] for channel in thing.channels} <= heard
        assert listener.wait_for(thing.parameters["availabilityTopic"], thing.parameters["payloadAvailable"].encode())
        (paused,) = [channel.parameters for channel in thing.channels if "commandTopic" in channel.parameters]
        _switches(listener, paused)
        box.stop(5)


def _decides(rule: str) -> None:
    """The rule knows every decision, and each path and text that it looks for is in the events that it is for."""
    decisions = set(re.findall(r'decision == "(\w+)"', rule))
    assert decisions == {"recognized", "unknown", "uncertain"}
    sent = {kind: json.dumps(payload, separators=(",", ":")) for kind, payload in _decisions().items()}
    for path in re.findall(r'"\$\.([\w.\[\]]+)"', rule):
        assert any(_found(path, json.loads(text)) is not None for text in sent.values()), path
    (text,) = re.findall(r"contains\('(.*)'\)", rule)
    assert text in sent["recognized"] and text not in sent["correction"]


def _found(path: str, payload: Any) -> Any:
    """What JSONPath finds by names and numbers."""
    for part in re.findall(r"\w+", path):
        payload = payload[int(part) if part.isdigit() else part] if payload else None
    return payload


def _decisions() -> dict[str, dict[str, Any]]:
    """What a box publishes, by the kind of decision."""
    stranger = StrangerVisits(3, 6, 1e9, 1.1e9, 1.2e9)
    events = {
        "started": event(),
        "provisional": recognized(provisional=True),
        "recognized": recognized(),
        "correction": recognized(corrects=1),
        "unknown": event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)),
        "again": event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=stranger),
        "uncertain": event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN)),
        "ended": event(EventKind.ENDED, match=match()),
    }
    return {
        kind: msgspec.to_builtins(visit_payload(heard, wall_offset=0.0, origin=ORIGIN))
        for kind, heard in events.items()
    }


SAID = {
    "recognized": "Ada Lovelace is at front-door",
    "correction": "Correction: Ada Lovelace is at front-door",
    "unknown": "An unknown visitor is at front-door",
    "again": "An unknown visitor (stranger-3, visit 6) is at front-door",
    "uncertain": "Ada Lovelace or Grace Hopper is at front-door",
}
"""What Node-RED says of each decision; of the other events, nothing."""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_the_function_of_node_red_says() -> None:
    """In plain JavaScript, without Node-RED."""
    (function,) = [node["func"] for node in json.loads(block("[\n")) if node["type"] == "function"]
    script = f"const f = msg => {{ {function} }}; const all = JSON.parse(require('fs').readFileSync(0));"
    script += "for (const k in all) all[k] = (f({payload: all[k]}) || {payload: null}).payload;"
    script += "console.log(JSON.stringify(all))"
    events = _decisions() | {"delayed": _decisions()["recognized"] | {"delayed": True}}
    done = subprocess.run(["node", "-e", script], input=json.dumps(events), capture_output=True, text=True, check=True)
    assert {kind: text for kind, text in json.loads(done.stdout).items() if text} == SAID


def _switches(listener: Listener, channel: dict[str, str]) -> None:
    """What the binding's OnOffValue does: it reads and sends the values of `on` and `off`."""
    pattern, path = channel["transformationPattern"].split(":$.")
    assert pattern == "JSONPATH"
    value = json.loads(listener.on(channel["stateTopic"])[-1].payload)[path]
    assert json.dumps(value) in (channel["on"], channel["off"])
    for number, (word, answered) in enumerate((("on", "Pause done"), ("off", "Resume done")), 1):
        listener.publish(channel["commandTopic"], channel[word].encode())
        answer = json.loads(listener.wait_for(f"{ROOT}/command/result", count=number).payload)
        assert (answer["ok"], answer["message"]) == (True, answered)


@pytest.mark.skipif(NODE_RED is None, reason="no Node-RED: WHOSTHERE_NODE_RED does not name one")
def test_node_red(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        flow = block("[\n").replace('"broker": "localhost", "port": "1883"', _at(broker))
        assert str(broker.port) in flow
        assert json.loads(flow)
        (tmp_path / "flows.json").write_text(flow)
        command = [str(NODE_RED), "--userDir", str(tmp_path), "--port", str(free_port()), str(tmp_path / "flows.json")]
        with started(command), Listener(broker) as listener:
            box = publisher(settings(broker, tmp_path))
            box.start()
            # It takes its time to start, and nothing is kept for it: people come until it speaks.
            deadline = time.monotonic() + 240
            visit = 0
            while len(set(_announced(listener))) < 3 and time.monotonic() < deadline:
                visit += 1
                box.publish(recognized(visit=f"v{visit}", provisional=True))
                box.publish(event(EventKind.UNKNOWN, visit=f"w{visit}", match=match(Outcome.UNKNOWN)))
                box.publish(recognized(visit=f"w{visit}", sequence=2, corrects=0))
                box.publish(recognized(visit=f"v{visit}", sequence=2))
                time.sleep(1)
            box.stop(5)
        said = _announced(listener)
        print(f"\nNode-RED: {set(said)}")
        assert set(said) == {SAID["recognized"], SAID["correction"], SAID["unknown"]}
        assert len(said) <= 3 * visit


def _announced(listener: Listener) -> list[str]:
    return [message.payload.decode() for message in listener.on("home/announce")]


def _at(broker: Broker) -> str:
    return f'"broker": "{broker.host}", "port": "{broker.port}"'


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
