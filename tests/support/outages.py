"""Outages around a box in a real Home Assistant: no event from before one fires an automation."""

import signal
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from support.broker import Broker, Listener
from support.daemon import Daemon, decoded, running
from support.home_assistant import HomeAssistant

COUNTERS = ("known", "obama", "stranger", "again", "rang", "naive")
"""Automations that count how often they ran; `naive` is triggered by any change of the event entity's state."""
NO_AVAILABILITY = {"event.front_door_visit", "event.front_door_doorbell", "binary_sensor.front_door_connection"}


def box(home: HomeAssistant) -> dict[str, dict[str, Any]]:
    return {name: entity for name, entity in home.states().items() if "front_door" in name}


def visits(home: HomeAssistant) -> tuple[str, str | None]:
    entity = home.states()["event.front_door_visit"]
    return str(entity["attributes"].get("event_type")), entity["attributes"].get("person_name")


def counts(home: HomeAssistant) -> dict[str, int]:
    return {name: home.count(name) for name in COUNTERS}


def killed(home: HomeAssistant, config: Path) -> None:
    """`running` has killed it with -9. No earlier event fires an automation when it comes back."""
    begun = time.monotonic()
    home.until(lambda: home.state("switch.front_door_paused") == "unavailable", "unavailable", 10)
    print(f"unavailable {time.monotonic() - begun:.1f} s after kill -9")
    home.until(lambda: home.state("binary_sensor.front_door_connection") == "off", "no connection", 10)
    entities = box(home)
    assert {name for name, e in entities.items() if e["state"] == "unavailable"} == set(entities) - NO_AVAILABILITY
    before = counts(home)
    with running(blind(config)) as daemon:
        home.until(lambda: home.state("switch.front_door_paused") == "off", "available again")
        time.sleep(5)
        assert counts(home) == before, "an event of before the outage has fired an automation"
        print(f"after kill -9 and a new start: {counts(home)}, the same")
        rings(home, daemon)


def rings(home: HomeAssistant, daemon: Daemon) -> None:
    home.post("/api/services/mqtt/publish", {"topic": "whosthere/front-door/command/ring", "payload": "{}"})
    home.until(lambda: home.count("rang") == 1, "the doorbell's trigger")
    assert home.states()["event.front_door_doorbell"]["attributes"]["event_type"] == "ring"
    home.call("button.press", "button.front_door_restart")
    daemon.wait_for_log("delivers frames", count=2)
    home.until(lambda: home.state("switch.front_door_paused") == "off", "restarted")
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.log


def blind(config: Path) -> Path:
    """The same box, before a camera that shows nobody."""
    folder = config.parent / "blank"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "0.png"), np.full((480, 640, 3), 90, np.uint8))
    text = config.read_text()
    source = next(line for line in text.splitlines() if "source:" in line)
    path = config.parent / "blind.yaml"
    path.write_text(text.replace(source, f"  source: {folder}"))
    return path


def home_assistant_starts_anew(home: HomeAssistant, config: Path) -> None:
    """In the middle of a visit; and so does the daemon, a little later."""
    with running(config):
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "on", "somebody is there")
        before, entities = counts(home), set(box(home))
        home.stop()
        home.start()
        home.until(lambda: set(box(home)) == entities, "every entity again")
        home.until(lambda: home.state("switch.front_door_paused") == "off", "live")
        home.until(lambda: counts(home)["known"] > before["known"], "the next visit")
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "on", "somebody is there")
    with running(config):
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "off", "nobody is there")
        home.until(lambda: visits(home) == ("recognized", "Barack Obama"), "the next visit")
    print("a restart of Home Assistant and of the daemon in the middle of a visit: every entity is back")


def the_broker_was_away(home: HomeAssistant, broker: Broker, config: Path, expiry_s: int) -> None:
    """Events from the outage arrive as late, or as delayed if they are young enough: no automation acts on them.

    But one that is triggered by nothing but a change of the event entity's state: Home Assistant makes every MQTT
    entity unavailable while it has no broker, and its return is a change too. The page in docs warns of it.
    """
    once = config.parent / "once.yaml"
    text = config.read_text().replace("loop: true", "loop: false")
    once.write_text(text.replace("mqtt:\n", f"mqtt:\n  event_expiry_s: {expiry_s}\n"))
    with running(once) as daemon:
        home.until(lambda: home.state("switch.front_door_paused") == "off", "there")
        broker.stop()
        before = counts(home)
        said = home.state("input_text.phone"), home.state("input_text.speaker")
        assert daemon.wait(120) == 0, daemon.log
        assert daemon.log.count(": recognized") >= 2
    time.sleep(5)
    broker.start()
    # Home Assistant is there before the box is: it hears all that the box says.
    home.until(lambda: home.state("event.front_door_visit") != "unavailable", "Home Assistant is connected")
    topic = "whosthere/front-door/visit" + ("/late" if expiry_s < 60 else "")
    with Listener(broker, "whosthere/#") as listener, running(blind(once)):
        listener.wait(lambda: len(listener.on(topic)) >= 6)
        home.until(lambda: home.state("switch.front_door_paused") == "off", "available again")
        time.sleep(5)
        published = [decoded(m) for m in listener.on(topic)]
    recognized = [event for event in published if event["event_type"] == "recognized"]
    assert len(recognized) >= 2
    assert all(event["late"] or event["delayed"] for event in published)
    after = counts(home)
    assert after | {"naive": 0} == before | {"naive": 0}, "an event of the outage has fired an automation"
    assert (home.state("input_text.phone"), home.state("input_text.speaker")) == said
    kind = "late" if expiry_s < 60 else "delayed"
    print(f"the broker was away while {len(recognized)} people were recognized; published as {kind}: {after}")
