"""The box in a real Home Assistant. Slow: run by `make test-homeassistant`, which prints what it saw."""

import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Listener, running_broker
from daemon import Daemon, decoded, running, write_config
from home_assistant import HomeAssistant, running_home_assistant

from edge import typed_yaml
from edge.galleries.file import open_gallery, write_gallery

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(900)]

DOCS = Path(__file__).parents[1] / "docs"
COUNTERS = ("known", "obama", "stranger", "rang", "naive")
DEVICE_CLASSES = {"camera": "connectivity", "connection": "connectivity", "temperature": "temperature"}
ENTITIES = {
    "event": {"visit", "doorbell"},
    "sensor": {"last_person", "state", "frames_a_second", "latency", "temperature", "memory"}
    | {"events_waiting", "people_known", "gallery_version", "model"},
    "binary_sensor": {"camera", "connection", "barack_obama", "grace_hopper", "joe_biden"},
    "image": {"last_visit"},
    "switch": {"paused"},
    "button": {"reload", "restart", "take_a_picture"},
    "number": {"sensitivity"},
    "update": {"gallery", "software"},
}
ALL = {f"{platform}.front_door_{name}" for platform, names in ENTITIES.items() for name in names}
NO_AVAILABILITY = {"event.front_door_visit", "event.front_door_doorbell", "binary_sensor.front_door_connection"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker"), persistence=True) as running_one:
        yield running_one


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    folder = tmp_path_factory.mktemp("home") / "config"
    blueprints = folder / "blueprints" / "automation" / "whosthere"
    blueprints.mkdir(parents=True)
    shutil.copy(DOCS / "home-assistant" / "who-is-there.yaml", blueprints)
    with running_home_assistant(folder, broker, COUNTERS) as running_one:
        yield running_one
        assert running_one.complaints() == []


@pytest.fixture(scope="module")
def gallery(demo_gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copy(demo_gallery, tmp_path_factory.mktemp("people") / "gallery.whg"))


@pytest.fixture(scope="module")
def config(broker: Broker, gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(
        tmp_path_factory.mktemp("box"),
        broker,
        gallery,
        camera={"realtime": True, "loop": True},
        mqtt={"snapshot": {"enabled": True, "retain": True}, "home_assistant": {"birth_delay_s": 1.0}},
    )


def box(home: HomeAssistant) -> dict[str, dict[str, Any]]:
    return {name: entity for name, entity in home.states().items() if "front_door" in name}


def visits(home: HomeAssistant) -> tuple[str, str | None]:
    entity = home.states()["event.front_door_visit"]
    return str(entity["attributes"].get("event_type")), entity["attributes"].get("person_name")


def automate(home: HomeAssistant) -> None:
    device = home.render("{{ device_id('event.front_door_visit') }}")
    triggers = {"known": ("came", "a known person"), "obama": ("came", "Barack Obama")}
    triggers |= {"stranger": ("came", "a stranger"), "rang": ("rang", "the doorbell")}
    for counter, (kind, subtype) in triggers.items():
        by_device = {"trigger": "device", "domain": "mqtt", "device_id": device, "type": kind, "subtype": subtype}
        home.count_with(by_device, counter)
    home.count_with({"trigger": "state", "entity_id": "event.front_door_visit"}, "naive")
    _as_documented(home)


def _as_documented(home: HomeAssistant) -> None:
    """The automations of the page in docs, with scripts in place of a telephone and a loudspeaker."""
    blocks = re.findall(r"```yaml\n(alias: .*?)```", (DOCS / "60-home-assistant.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    for number, block in enumerate(blocks):
        text = block.replace("notify.mobile_app_phone", "script.phone").replace("tts.speak", "script.speaker")
        text = re.sub(r"    target:\n      entity_id: tts.*\n", "", text)
        path = home.folder / f"documented{number}.yaml"
        path.write_text(text)
        home.automate(f"documented{number}", typed_yaml.read(path) | {"alias": f"documented{number}"})


def counts(home: HomeAssistant) -> dict[str, int]:
    return {name: home.count(name) for name in COUNTERS}


def test_the_box_in_home_assistant(home: HomeAssistant, broker: Broker, config: Path, gallery: Path) -> None:
    with running(config):
        begun = time.monotonic()
        home.until(lambda: set(box(home)) >= ALL, "every entity")
        print(f"\nthe device is complete {time.monotonic() - begun:.1f} s after the daemon was started")
        assert set(box(home)) == ALL
        automate(home)
        _a_visit_arrives(home)
        _everything_has_a_state(home)
        _triggers_fire(home)
        _it_can_be_controlled(home)
        _people_come_and_go(home, gallery)
    _killed(home, config)
    _home_assistant_starts_anew(home, config)
    _the_broker_was_away(home, broker, config)


def _a_visit_arrives(home: HomeAssistant) -> None:
    home.until(lambda: visits(home) == ("recognized", "Barack Obama"), "somebody known")
    attributes = home.states()["event.front_door_visit"]["attributes"]
    assert attributes["event_types"][:2] == ["started", "recognized"]
    assert attributes["similarity"] > attributes["threshold"]
    assert home.state("binary_sensor.front_door_barack_obama") == "on"
    assert home.state("sensor.front_door_last_person") == "Barack Obama"
    home.until(lambda: home.state("image.front_door_last_visit") not in (None, "unknown"), "a picture")
    picture = home.states()["image.front_door_last_visit"]["attributes"]["entity_picture"]
    content = home.fetch(picture)
    assert content.startswith(b"\xff\xd8\xff")
    print(f"picture: {len(content)} bytes of JPEG")


def _everything_has_a_state(home: HomeAssistant) -> None:
    device = home.render("{{ device_id('event.front_door_visit') }}")
    for key in ("name", "manufacturer", "model", "sw_version"):
        value = home.render(f"{{{{ device_attr('{device}', '{key}') }}}}")
        print(f"device {key}: {value}")
    for name, entity in sorted(box(home).items()):
        attributes = {k: v for k, v in entity["attributes"].items() if k not in ("friendly_name", "icon")}
        print(f"{name:45} {entity['state']:32} {str(attributes)[:160]}")
        if "button" not in name and "temperature" not in name and "doorbell" not in name:
            assert entity["state"] not in ("unknown", "unavailable"), name
    for key, device_class in DEVICE_CLASSES.items():
        found = [e for name, e in box(home).items() if name.endswith(f"_{key}")]
        assert [e["attributes"]["device_class"] for e in found] == [device_class]


def _triggers_fire(home: HomeAssistant) -> None:
    before = counts(home)
    home.until(lambda: home.count("stranger") > before["stranger"], "a stranger")
    home.until(lambda: (home.state("input_text.phone") or "").startswith("A stranger is at the door|/api/"), "phone")
    print(f"the notification: {home.state('input_text.phone')}")
    home.until(lambda: (home.state("input_text.speaker") or "").endswith("is at the door"), "loudspeaker")
    print(f"the announcement: {home.state('input_text.speaker')}")
    home.until(lambda: home.count("obama") > before["obama"], "the next round of the clip")
    print(f"automations fired: {counts(home)}")
    known = home.render("{{ states.input_text.phone.state }}")
    home.until(lambda: home.state("input_text.phone") != known, "the blueprint tells of everybody")
    print(f"the blueprint's notification: {home.state('input_text.phone')}")
    assert home.count("known") >= home.count("obama") > 0
    assert home.count("naive") > home.count("known") + home.count("stranger"), "started and ended as well"


def _it_can_be_controlled(home: HomeAssistant) -> None:
    home.call("switch.turn_on", "switch.front_door_paused")
    home.until(lambda: home.state("switch.front_door_paused") == "on", "paused")
    home.until(lambda: home.state("sensor.front_door_state") == "paused", "paused, says health")
    home.call("switch.turn_off", "switch.front_door_paused")
    home.until(lambda: home.state("switch.front_door_paused") == "off", "resumed")
    number = home.states()["number.front_door_sensitivity"]
    print(f"sensitivity: {number['state']} % of {number['attributes']['min']} to {number['attributes']['max']}")
    home.call("number.set_value", "number.front_door_sensitivity", value=0.5)
    home.until(lambda: home.state("number.front_door_sensitivity") == "0.5", "sensitivity")
    before = home.state("image.front_door_last_visit")
    home.call("button.press", "button.front_door_take_a_picture")
    home.until(lambda: home.state("image.front_door_last_visit") != before, "another picture")


def _people_come_and_go(home: HomeAssistant, gallery: Path) -> None:
    good = gallery.read_bytes()
    write_gallery(open_gallery(gallery, None).without("joe-biden", "2025-01-01T00:00:00Z"), gallery)
    home.until(lambda: home.state("binary_sensor.front_door_joe_biden") is None, "he is gone")
    assert home.state("binary_sensor.front_door_grace_hopper") in ("on", "off")
    gallery.write_bytes(b"torn")
    home.until(lambda: home.state("update.front_door_gallery") == "off", "nothing to install")
    gallery.write_bytes(good)
    home.call("button.press", "button.front_door_reload")
    home.until(lambda: home.state("binary_sensor.front_door_joe_biden") == "off", "he is back")
    print("a person disappeared and came back while the daemon ran")


def _killed(home: HomeAssistant, config: Path) -> None:
    """`running` has killed it with -9. Nothing of before fires when it comes back."""
    begun = time.monotonic()
    home.until(lambda: home.state("switch.front_door_paused") == "unavailable", "unavailable", 10)
    print(f"unavailable {time.monotonic() - begun:.1f} s after kill -9")
    home.until(lambda: home.state("binary_sensor.front_door_connection") == "off", "no connection", 10)
    entities = box(home)
    assert {name for name, e in entities.items() if e["state"] == "unavailable"} == set(entities) - NO_AVAILABILITY
    before = counts(home)
    with running(_blind(config)) as daemon:
        home.until(lambda: home.state("switch.front_door_paused") == "off", "available again")
        time.sleep(5)
        assert counts(home) == before, "an event of before the outage has fired an automation"
        print(f"after kill -9 and a new start: {counts(home)}, the same")
        _rings(home, daemon)


def _rings(home: HomeAssistant, daemon: Daemon) -> None:
    home.post("/api/services/mqtt/publish", {"topic": "whosthere/front-door/command/ring", "payload": "{}"})
    home.until(lambda: home.count("rang") == 1, "the doorbell's trigger")
    assert home.states()["event.front_door_doorbell"]["attributes"]["event_type"] == "ring"
    home.call("button.press", "button.front_door_restart")
    daemon.wait_for_log("delivers frames", count=2)
    home.until(lambda: home.state("switch.front_door_paused") == "off", "restarted")
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.log


def _blind(config: Path) -> Path:
    """The same box, before a camera that shows nobody."""
    import cv2  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    folder = config.parent / "blank"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "0.png"), np.full((480, 640, 3), 90, np.uint8))
    text = config.read_text()
    source = next(line for line in text.splitlines() if "source:" in line)
    path = config.parent / "blind.yaml"
    path.write_text(text.replace(source, f"  source: {folder}"))
    return path


def _home_assistant_starts_anew(home: HomeAssistant, config: Path) -> None:
    """In the middle of a visit; and so does the daemon, a little later."""
    with running(config):
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "on", "somebody is there")
        before = counts(home)
        home.stop()
        home.start()
        home.until(lambda: set(box(home)) == ALL, "every entity again")
        home.until(lambda: home.state("switch.front_door_paused") == "off", "live")
        home.until(lambda: counts(home)["known"] > before["known"], "the next visit")
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "on", "somebody is there")
    with running(config):
        home.until(lambda: home.state("binary_sensor.front_door_barack_obama") == "off", "nobody is there")
        home.until(lambda: visits(home) == ("recognized", "Barack Obama"), "the next visit")
    print("a restart of Home Assistant and of the daemon in the middle of a visit: every entity is back")


def _the_broker_was_away(home: HomeAssistant, broker: Broker, config: Path) -> None:
    """Who came meanwhile is told, but as late: no automation hears of them.

    But one that is triggered by nothing but a change of the event entity's state: Home Assistant makes every MQTT
    entity unavailable while it has no broker, and its return is a change too. The page in docs warns of it.
    """
    once = config.parent / "once.yaml"
    once.write_text(config.read_text().replace("loop: true", "loop: false") + "\n")
    text = once.read_text().replace("mqtt:\n", "mqtt:\n  event_expiry_s: 5\n")
    once.write_text(text)
    with running(once) as daemon:
        home.until(lambda: home.state("switch.front_door_paused") == "off", "there")
        broker.stop()
        before = counts(home)
        said = home.state("input_text.phone"), home.state("input_text.speaker")
        assert daemon.wait(120) == 0, daemon.log
        assert daemon.log.count(": recognized") >= 2
    time.sleep(5)
    broker.start()
    with Listener(broker, "whosthere/#") as listener, running(_blind(once)):
        listener.wait(lambda: len(listener.on("whosthere/front-door/visit/late")) >= 6)
        home.until(lambda: home.state("switch.front_door_paused") == "off", "available again")
        time.sleep(5)
        late = [decoded(m)["event_type"] for m in listener.on("whosthere/front-door/visit/late")]
    assert late.count("recognized") >= 2
    after = counts(home)
    assert after | {"naive": 0} == before | {"naive": 0}, "an event of the outage has fired an automation"
    assert (home.state("input_text.phone"), home.state("input_text.speaker")) == said
    print(f"the broker was away while {late.count('recognized')} people were recognized; told as late: {after}")
