"""The discovery message against what Home Assistant accepts, and when it is sent."""

import json
import re
from pathlib import Path
from typing import Any

import paho.mqtt.publish
import pytest

from edge.config.mqtt import HomeAssistantSettings
from edge.mqtt.home_assistant.discovery import DiscoveryAnnouncer, announced, discovery, display_name
from edge.mqtt.home_assistant.entities import components
from edge.mqtt.home_assistant.entity import Box
from edge.mqtt.presence import HOUSEHOLD
from edge.mqtt.topics import Topics
from edge.records import EventKind
from support.broker import Broker, Listener, retained
from support.publishing import ROOT, controls, publisher, settings

ADA, GRACE = ("ada", "Ada Lovelace"), ("grace-hopper", "Grace Hopper")
TOPIC = "homeassistant/device/whosthere_front-door/config"
OURS = {"qos", "platform", "unique_id", "default_entity_id", "name", "icon", "entity_category", "device_class"} | {
    "availability",
    "availability_mode",
}
FIELDS = {
    "event": {"state_topic", "event_types"},
    "sensor": {"state_topic", "value_template", "options", "unit_of_measurement", "state_class"},
    "binary_sensor": {"state_topic", "payload_on", "payload_off"},
    "image": {"image_topic", "content_type"},
    "switch": {"state_topic", "command_topic", "value_template"},
    "button": {"command_topic", "payload_press"},
    "update": {"state_topic", "command_topic", "value_template", "payload_install"},
    "number": {"state_topic", "command_topic", "value_template", "command_template", "min", "max", "step", "mode"}
    | {"unit_of_measurement"},
    "device_automation": {"automation_type", "type", "subtype", "topic", "payload", "value_template"},
}
"""What each platform's schema knows (Home Assistant 2025.4), of what we use."""


def box(*, snapshots: bool = True) -> Box:
    return Box(Topics("whosthere", "front-door"), "front-door", "Front door", None, "mobilefacenet", snapshots)


def message(*people: tuple[str, str], gone: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    found = components(box(), people, controls(**changes))
    document: dict[str, Any] = json.loads(discovery(box(), found, gone or {}))
    return document


def test_the_root_holds_nothing_that_home_assistant_would_refuse() -> None:
    document = message(ADA)

    assert set(document) == {"device", "origin", "components"}
    assert set(document["device"]) == {"identifiers", "name", "manufacturer", "model", "sw_version"}
    assert set(document["origin"]) == {"name", "sw_version"}


def test_every_component_is_complete_and_unique() -> None:
    parts = message(ADA, GRACE)["components"]

    for key, part in parts.items():
        assert set(part) <= OURS | FIELDS[part["platform"]], key
        assert all(value not in (None, "") for value in part.values()), key
        for name in ("state_topic", "command_topic", "image_topic", "topic"):
            assert name not in part or part[name].startswith(f"{ROOT}/"), key
    entities = {key: part for key, part in parts.items() if part["platform"] != "device_automation"}
    for name in ("unique_id", "default_entity_id", "name"):
        assert len({part[name] for part in entities.values()}) == len(entities), name
    for part in entities.values():
        assert re.fullmatch(part["platform"] + r"\.[a-z0-9]+(_[a-z0-9]+)*", part["default_entity_id"])
    triggers = [(part["type"], part["subtype"]) for part in parts.values() if part not in entities.values()]
    assert sorted(triggers) == sorted(
        [
            ("came", "a known person"),
            ("came", "a stranger"),
            ("came", "Ada Lovelace"),
            ("came", "Grace Hopper"),
            ("rang", "the doorbell"),
        ]
    )


def test_events_have_no_availability_lest_an_old_one_looks_new() -> None:
    parts = message(ADA)["components"]

    without = {key for key, part in parts.items() if "availability" not in part}
    assert without == {"visit", "doorbell", "connection", "came_known", "came_stranger", "rang", "came_ada"}
    assert parts["visit"]["event_types"] == [kind.value for kind in EventKind]
    assert "device_class" not in parts["visit"]
    assert (parts["doorbell"]["device_class"], parts["doorbell"]["event_types"]) == ("doorbell", ["ring"])
    assert [a["topic"] for a in parts["person_ada"]["availability"]] == [f"{ROOT}/status", f"{ROOT}/camera"]


def test_pictures_and_sensitivity_only_where_there_are_any() -> None:
    without = components(box(snapshots=False), [], controls(false_alarm_min=None, false_alarm_max=None))
    assert not {"picture", "snapshot", "sensitivity"} & set(without)
    assert {"picture", "snapshot", "sensitivity"} <= set(components(box(), [], controls()))


@pytest.mark.parametrize("target", [0.0000001, 0.001, 0.5])
def test_the_value_in_force_is_always_within_the_bounds_of_the_number(target: float) -> None:
    number = message(false_alarm_target=target)["components"]["sensitivity"]

    assert number["min"] <= target * 100 <= number["max"]
    assert number["step"] >= 0.001


def test_what_is_gone_is_named_once_more_by_its_platform() -> None:
    document = message(gone={"person_grace": "binary_sensor"})

    assert document["components"]["person_grace"] == {"platform": "binary_sensor"}
    assert announced(json.dumps(document).encode())["person_grace"] == "binary_sensor"
    assert announced(b'{"components": 3}') == announced(b"\xff") == announced(b"[" * 100_000) == {}


def announcer(**options: Any) -> DiscoveryAnnouncer:
    made = DiscoveryAnnouncer(HomeAssistantSettings(**options), box(), delay_s=lambda longest: longest / 2)
    made.controls(controls())
    return made


def parts(payload: bytes | None) -> dict[str, Any]:
    assert payload is not None
    found: dict[str, Any] = json.loads(payload)["components"]
    return found


def test_nothing_is_announced_before_everything_is_known() -> None:
    home = announcer()
    assert home.payload(0.0) is None
    home.people([ADA])
    assert home.payload(0.0) is None
    home.connected(10.0)
    assert home.payload(10.5) is None
    assert "person_ada" in parts(home.payload(11.0))


def test_people_come_and_go() -> None:
    home = announcer()
    home.people([ADA, GRACE])
    home.connected(0.0)
    both = home.payload(1.0)
    assert both
    home.accepted(both)
    home.people([ADA])
    removing = home.payload(2.0)
    assert parts(removing)["person_grace-hopper"] == {"platform": "binary_sensor"}
    assert parts(removing)["came_grace-hopper"] == {"platform": "device_automation"}
    assert home.payload(2.5) == removing, "named until the broker has taken it"
    home.accepted(removing or b"")
    assert not [key for key in parts(home.payload(3.0)) if "grace" in key]
    home.people([ADA, GRACE])
    assert parts(home.payload(4.0)) == parts(both)


def test_who_left_while_the_box_was_off_is_removed_too() -> None:
    earlier = json.dumps(message(ADA, GRACE)).encode()
    home = announcer()
    home.people([ADA])
    home.connected(0.0)
    home.found(earlier)
    assert parts(home.payload(0.1))["person_grace-hopper"] == {"platform": "binary_sensor"}


def test_a_birth_is_answered_once_after_a_delay() -> None:
    home = announcer(birth_delay_s=8)
    home.born(100.0)
    assert [home.due(now) for now in (103.9, 104.0, 104.1)] == [False, True, False]


def test_names_of_devices() -> None:
    assert [display_name(name) for name in ("front-door", "Pi_4", "-")] == ["Front door", "Pi 4", "-"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_over_a_broker(broker: Broker, tmp_path: Path, protocol: str) -> None:
    mqtt = settings(broker, tmp_path, protocol=protocol, home_assistant=HomeAssistantSettings(birth_delay_s=0.1))
    earlier = json.dumps(message(GRACE)).encode()
    paho.mqtt.publish.single(TOPIC, earlier, 1, retain=True, port=broker.port)
    told = publisher(mqtt)
    with Listener(broker) as listener:
        told.start()
        told.people([ADA])
        told.controls(controls())
        listener.wait(lambda: len(listener.on(TOPIC)) == 3)
        first, second = (parts(m.payload) for m in listener.on(TOPIC)[1:])
        assert first["person_grace-hopper"] == {"platform": "binary_sensor"}
        assert [key for key in second if "grace" in key] == []
        assert "person_ada" in second
        listener.publish("homeassistant/status", b"offline")
        listener.publish("homeassistant/status", b"online")
        listener.wait_for(TOPIC, count=4)
        assert parts(listener.on(TOPIC)[3].payload) == second
        told.stop(5)
    assert parts(retained(broker)[TOPIC]) == second


def test_a_box_that_is_to_be_left_alone_disappears(broker: Broker, tmp_path: Path) -> None:
    paho.mqtt.publish.single(TOPIC, json.dumps(message(ADA)).encode(), 1, retain=True, port=broker.port)
    mqtt = settings(broker, tmp_path, home_assistant=HomeAssistantSettings(enabled=False))
    told = publisher(mqtt)
    with Listener(broker) as listener:
        told.start()
        told.people([ADA])
        told.controls(controls())
        listener.wait_for(TOPIC, b"")
        told.stop(5)
    assert TOPIC not in retained(broker)


CROWD = [(f"person-{n}", f"A person of a long name {n}") for n in range(HOUSEHOLD)]


def test_a_household_fits() -> None:
    assert len(discovery(box(), components(box(), CROWD, controls()), {})) < 300_000


def test_of_a_crowd_nobody_has_entities_and_triggers_stay_for_all(broker: Broker, tmp_path: Path) -> None:
    """A gallery that outgrows a household takes its people's entities back, and one that shrinks brings them again."""
    told = publisher(settings(broker, tmp_path))
    with Listener(broker, TOPIC) as listener:
        told.start()
        told.controls(controls())
        told.people([ADA, GRACE])
        listener.wait(lambda: bool(listener.on(TOPIC)) and "person_ada" in parts(listener.on(TOPIC)[-1].payload))
        told.people([*CROWD, ADA])
        listener.wait(lambda: _keys_of_people(listener) == [])
        removing = parts(listener.on(TOPIC)[-2].payload)
        assert removing["person_ada"] == {"platform": "binary_sensor"}
        assert removing["came_grace-hopper"] == {"platform": "device_automation"}
        crowded = parts(listener.on(TOPIC)[-1].payload)
        assert {"visit", "last_person", "came_known", "came_stranger"} <= set(crowded)
        told.people(CROWD)
        listener.wait(lambda: len(_keys_of_people(listener)) == 2 * HOUSEHOLD)
        told.stop(5)


def _keys_of_people(listener: Listener) -> list[str]:
    ours = ("person_", "came_")
    found = {key for key in parts(listener.on(TOPIC)[-1].payload) if key.startswith(ours)}
    return sorted(found - {"came_known", "came_stranger"})
