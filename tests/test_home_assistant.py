"""The discovery message against what Home Assistant accepts, and when it is sent."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import paho.mqtt.publish
import pytest
import yaml

from edge.config.mqtt import HomeAssistantSettings, MqttSettings
from edge.events import Event, EventKind, StrangerVisits
from edge.mqtt.client import BrokerSession, IncomingMessage, OutgoingMessage
from edge.mqtt.command_payloads import Sensitivity, parse
from edge.mqtt.contract import channels
from edge.mqtt.home_assistant.abbreviations import abbreviated, in_full
from edge.mqtt.home_assistant.discovery import DiscoveryAnnouncer, announced, discovery
from edge.mqtt.home_assistant.entities import components
from edge.mqtt.home_assistant.entity import BoxFeatures, HomeAssistantDevice, display_name
from edge.mqtt.presence import HOUSEHOLD
from edge.mqtt.retained import RetainedTopics
from edge.mqtt.topics import Topics
from edge.mqtt.visit_payloads import visit_payload
from edge.records import Outcome
from support.broker import Broker, Listener, retained, running_broker
from support.publishing import ORIGIN, ROOT, controls, event, match, publisher, recognized, settings

DOCS = Path(__file__).parents[1] / "docs"
BLUEPRINT = DOCS / "home-assistant" / "who-is-there.yaml"
ADA, GRACE = ("ada", "Ada Lovelace"), ("grace-hopper", "Grace Hopper")
TOPIC = "homeassistant/device/whosthere_front-door/config"
OURS = {"qos", "platform", "unique_id", "default_entity_id", "name", "icon", "entity_category", "device_class"} | {
    "availability",
    "availability_mode",
}
FIELDS = {
    "event": {"state_topic", "event_types"},
    "sensor": {"state_topic", "value_template", "options", "unit_of_measurement", "state_class"}
    | {"expire_after", "json_attributes_topic"},
    "binary_sensor": {"state_topic", "payload_on", "payload_off"},
    "image": {"image_topic", "content_type"},
    "switch": {"state_topic", "command_topic", "value_template"},
    "button": {"command_topic", "payload_press"},
    "update": {"state_topic", "command_topic", "value_template", "payload_install"},
    "number": {"state_topic", "command_topic", "value_template", "command_template", "min", "max", "step", "mode"},
    "device_automation": {"automation_type", "type", "subtype", "topic", "payload", "value_template"},
}
"""The fields in each platform's schema (Home Assistant 2025.4), as far as we use them."""


def device(*, snapshots: bool = True, strangers: bool = True, page: str | None = None) -> HomeAssistantDevice:
    topics, features = Topics("whosthere", "front-door"), BoxFeatures(strangers, lambda: page)
    return HomeAssistantDevice(topics, "front-door", "Front door", None, "mobilefacenet", snapshots, features)


def message(*people: tuple[str, str], gone: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    found = components(device(), people, controls(**changes))
    return in_full(json.loads(discovery(device(), found, gone or {})))


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
            ("came again", "the same stranger"),
            ("came", "somebody uncertain"),
            ("came", "Ada Lovelace"),
            ("came", "Grace Hopper"),
            ("rang", "the doorbell"),
        ]
    )


def test_a_challenge_can_be_asked_for_and_its_result_is_soon_forgotten() -> None:
    parts = message(ADA)["components"]
    assert parts["challenge"]["command_topic"] == f"{ROOT}/command/challenge"
    state = parts["challenge_state"]
    assert state["state_topic"] == f"{ROOT}/challenge"
    assert state["options"] == ["face_camera", "turn_left", "turn_right", "passed", "failed"]
    assert state["expire_after"] == 90
    channel = next(channel for channel in channels() if channel.topic == "challenge")
    assert channel.retained is False


def test_event_entities_have_no_availability_so_that_an_old_event_never_looks_new() -> None:
    parts = message(ADA)["components"]

    without = {key for key, part in parts.items() if "availability" not in part}
    came = {"came_known", "came_stranger", "came_again", "came_uncertain", "came_ada"}
    assert without == {"visit", "doorbell", "connection", "rang"} | came
    assert parts["visit"]["event_types"] == [kind.value for kind in EventKind]
    assert "device_class" not in parts["visit"]
    assert (parts["doorbell"]["device_class"], parts["doorbell"]["event_types"]) == ("doorbell", ["ring"])
    assert [a["topic"] for a in parts["person_ada"]["availability"]] == [f"{ROOT}/status", f"{ROOT}/camera"]


def test_pictures_and_a_number_only_where_there_are_any() -> None:
    without = components(device(snapshots=False), [], controls(false_alarm_min=None, false_alarm_max=None))
    assert not {"picture", "snapshot", "strangers_named"} & set(without)
    assert {"picture", "snapshot", "strangers_named"} <= set(components(device(), [], controls()))


def test_the_device_links_to_the_page_where_there_is_one() -> None:
    parts = components(device(), [], controls())
    with_page = json.loads(discovery(device(page="https://door.local:8480"), parts, {}))
    assert with_page["dev"]["cu"] == in_full(with_page)["device"]["configuration_url"] == "https://door.local:8480"
    assert "configuration_url" not in in_full(json.loads(discovery(device(), parts, {})))["device"]


def test_a_trigger_for_strangers_who_come_again_only_where_they_are_grouped() -> None:
    assert "came_again" in components(device(), [], controls())
    assert "came_again" not in components(device(strangers=False), [], controls())


def rendered(template: str, **variables: Any) -> str:
    """As Home Assistant renders it."""
    return jinja2.Environment(autoescape=False).from_string(template).render(variables)  # noqa: S701  (no HTML)


@pytest.mark.parametrize("target", [0.0000001, 0.00001, 0.0012, 0.001, 0.1, 0.27, 0.5])
def test_strangers_called_by_a_name_are_one_in_a_number(target: float) -> None:
    """The current value is always one that Home Assistant may show, whatever the bounds."""
    current = controls(false_alarm_target=target)
    number = message(false_alarm_target=target)["components"]["strangers_named"]
    shown = int(rendered(number["value_template"], value_json=msgspec.to_builtins(current)))

    assert shown == round(1 / target)
    assert number["min"] <= shown <= number["max"]
    assert number["step"] == 1


@pytest.mark.parametrize("one_in", [4, 37, 1000, 100_000])
def test_what_is_set_is_what_is_shown(one_in: int) -> None:
    """The command carries the target; a larger number is stricter, and both bounds are the calibration's."""
    number = message()["components"]["strangers_named"]
    assert (number["min"], number["max"]) == (4, 100_000), "0.27 and 0.00001, both within what can be set"
    request = parse("sensitivity", rendered(number["command_template"], value=float(one_in)).encode())

    assert isinstance(request, Sensitivity)
    current = controls()
    assert current.false_alarm_min is not None is not current.false_alarm_max
    assert current.false_alarm_min <= request.false_alarm_target <= current.false_alarm_max
    assert rendered(number["value_template"], value_json=msgspec.to_builtins(request)) == str(one_in)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.3, 0.31), (0.00001, 1.0)])
def test_the_bounds_of_the_number_are_in_order(low: float, high: float) -> None:
    number = message(false_alarm_min=low, false_alarm_max=high, false_alarm_target=low)["components"]["strangers_named"]
    assert 2 <= number["min"] < number["max"]


def test_the_sensitivity_of_earlier_versions_disappears() -> None:
    home, retained_topics = announcer()
    home.people([])
    found(home, json.dumps({"components": {"sensitivity": {"platform": "number"}}}).encode())
    announced_now = parts(latest(home, retained_topics, 0.0))
    assert announced_now["sensitivity"] == {"platform": "number"}
    assert announced_now["strangers_named"]["platform"] == "number"


def encoded(happened: Event) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(visit_payload(happened, wall_offset=0.0, origin=ORIGIN))
    return found


HAPPENED = {
    "came_known": recognized(),
    "came_ada": recognized(),
    "came_stranger": event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)),
    "came_again": event(
        EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=StrangerVisits(3, 6, 1e9, 1.5e9, 1.6e9)
    ),
    "came_uncertain": event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN)),
}
"""An event that fires each trigger."""


@pytest.mark.parametrize("key", sorted(HAPPENED))
def test_a_trigger_fires_on_a_final_decision_that_is_happening_now(key: str) -> None:
    """Never on an event from before an outage: it would open today's door to yesterday's visitor."""
    trigger = message(ADA, GRACE)["components"][key]
    now = encoded(HAPPENED[key])

    def fires(**changes: Any) -> bool:
        return rendered(trigger["value_template"], value_json=now | changes) == trigger["payload"]

    assert fires()
    assert not fires(delayed=True)
    assert not fires(provisional=True)
    assert not fires(event_type="ended")


def test_a_stranger_who_comes_for_the_first_time_does_not_come_again() -> None:
    trigger = message()["components"]["came_again"]
    first = event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=StrangerVisits(3, 1, 1e9, None, 1e9))

    for happened in (first, HAPPENED["came_stranger"], HAPPENED["came_known"]):
        assert rendered(trigger["value_template"], value_json=encoded(happened)) != trigger["payload"]


def test_no_trigger_and_no_entity_acts_on_a_delayed_or_late_event() -> None:
    """Whatever the event. The event entities show every event; for those, see the automations in docs below."""
    components_ = message(ADA, GRACE)["components"]
    triggers = {key: part for key, part in components_.items() if part["platform"] == "device_automation"}
    assert set(triggers) == {*HAPPENED, "came_grace-hopper", "rang"}
    on_visit = [trigger for trigger in triggers.values() if trigger["topic"] == f"{ROOT}/visit"]
    for kind in EventKind:
        delayed = encoded(event(kind, match=match())) | {"delayed": True}
        for trigger in on_visit:
            assert rendered(trigger["value_template"], value_json=delayed) != trigger["payload"]
    topics = {part.get("topic", part.get("state_topic")) for part in components_.values()}
    assert f"{ROOT}/visit/late" not in topics


def conditions() -> dict[str, list[str]]:
    """Those of the automations in docs that are triggered by the event entity, and of the blueprint."""
    page = (DOCS / "60-home-assistant.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(alias: .*?)```", page, re.DOTALL)]
    found = {block["alias"]: block["conditions"] for block in blocks if "triggers" in block}
    blueprint = BLUEPRINT.read_text().replace("!input", "")
    return found | {"blueprint": yaml.safe_load(blueprint)["conditions"]}


@pytest.mark.parametrize("name", sorted(conditions()))
def test_the_automations_in_docs_leave_delayed_events_alone(name: str) -> None:
    """They are triggered by the state of the event entity, which shows every event."""

    def runs(happened: Event, **changes: Any) -> bool:
        state = {"state": "now", "attributes": encoded(happened) | changes}
        variables: dict[str, Any] = {"trigger": {"to_state": state}, "strangers": True, "corrections": True}
        variables["timedelta"] = timedelta
        moment = datetime(2025, 1, 1, tzinfo=UTC)
        variables |= {"now": lambda: moment, "as_datetime": lambda _: moment}
        return all(rendered(condition, **variables) == "True" for condition in conditions()[name])

    assert any(runs(each) for each in HAPPENED.values())
    assert not any(runs(each, delayed=True) for each in HAPPENED.values())


def test_the_blueprint_gives_both_names_between_look_alikes() -> None:
    blueprint = yaml.safe_load(BLUEPRINT.read_text().replace("!input", ""))
    who = blueprint["actions"][0]["variables"]["who"]
    said = {
        name: rendered(who, trigger={"to_state": {"attributes": encoded(HAPPENED[name])}})
        for name in ("came_known", "came_stranger", "came_uncertain")
    }
    assert said == {
        "came_known": "Ada Lovelace",
        "came_stranger": "A stranger",
        "came_uncertain": "Ada Lovelace or Grace Hopper",
    }
    state = {"state": "now", "attributes": encoded(HAPPENED["came_uncertain"])}
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    for wanted in (True, False):
        variables: dict[str, Any] = {"trigger": {"to_state": state}, "strangers": True, "corrections": True}
        variables |= {"timedelta": timedelta, "now": lambda: moment, "as_datetime": lambda _: moment}
        results = [rendered(one, **variables, uncertain=wanted) for one in conditions()["blueprint"]]
        assert all(result == "True" for result in results) is wanted


def test_the_blueprint_leaves_corrections_out_if_wanted() -> None:
    known = HAPPENED["came_known"]
    attributes = encoded(known)

    def runs(*, corrections: bool, corrects: str | None) -> bool:
        state = {"state": "now", "attributes": attributes | {"corrects": corrects}}
        moment = datetime(2025, 1, 1, tzinfo=UTC)
        variables: dict[str, Any] = {"trigger": {"to_state": state}, "strangers": True, "corrections": corrections}
        variables |= {"timedelta": timedelta, "now": lambda: moment, "as_datetime": lambda _: moment}
        return all(rendered(condition, **variables) == "True" for condition in conditions()["blueprint"])

    assert runs(corrections=True, corrects="v/1")
    assert not runs(corrections=False, corrects="v/1")
    assert runs(corrections=False, corrects=None)


def test_the_blueprint_and_the_automation_leave_strangers_out_who_come_for_the_first_time() -> None:
    first = event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=StrangerVisits(3, 1, 1e9, None, 1e9))

    def runs(name: str, happened: Event, *, again_only: bool = True) -> bool:
        moment = datetime(2025, 1, 1, tzinfo=UTC)
        variables: dict[str, Any] = {"trigger": {"to_state": {"state": "now", "attributes": encoded(happened)}}}
        variables |= {"strangers": True, "corrections": True, "again_only": again_only, "timedelta": timedelta}
        variables |= {"now": lambda: moment, "as_datetime": lambda _: moment}
        return all(rendered(condition, **variables) == "True" for condition in conditions()[name])

    for name in ("blueprint", "The same stranger is at the door"):
        assert runs(name, HAPPENED["came_again"])
        assert not runs(name, first) and not runs(name, HAPPENED["came_stranger"])
    assert runs("blueprint", first, again_only=False) and runs("blueprint", HAPPENED["came_known"])


def test_what_is_gone_is_named_once_more_by_its_platform() -> None:
    document = message(gone={"person_grace": "binary_sensor"})

    assert document["components"]["person_grace"] == {"platform": "binary_sensor"}
    assert announced(json.dumps(document).encode())["person_grace"] == "binary_sensor"
    assert announced(json.dumps(abbreviated(document)).encode()) == announced(json.dumps(document).encode())


@pytest.mark.parametrize(
    "payload",
    [b'{"components": 3}', b'{"cmps": {"a": 1}}', b'{"cmps": {"a": {"p": 1}}}', b"3", b"\xff", b"[" * 100_000],
)
def test_a_message_that_is_not_ours_announces_nothing(payload: bytes) -> None:
    assert announced(payload) == {}


def test_keys_are_sent_in_short_and_read_in_both_forms() -> None:
    """`model` and `state` are keys of components too, and stay."""
    sent = json.loads(discovery(device(), components(device(), [ADA], controls()), {}))

    assert set(sent) == {"dev", "o", "cmps"}
    assert set(sent["dev"]) == {"ids", "name", "mf", "mdl", "sw"}
    assert {"model", "state", "camera", "person_ada"} <= set(sent["cmps"])
    assert sent["cmps"]["person_ada"]["avty"] == [{"t": f"{ROOT}/status"}, {"t": f"{ROOT}/camera"}]
    long = in_full(sent)
    assert in_full(long) == long
    assert abbreviated(long) == sent == abbreviated(sent)


def test_the_message_of_a_family_passes_a_broker_that_would_refuse_long_keys(tmp_path: Path) -> None:
    family = [ADA, GRACE, ("joe-biden", "Joe Biden")]
    in_short = discovery(device(), components(device(), family, controls()), {})
    assert len(msgspec.json.encode(in_full(json.loads(in_short)))) > 12_000

    with running_broker(tmp_path / "broker", extra="max_packet_size 12000") as broker, Listener(broker) as listener:
        box = publisher(settings(broker, tmp_path))
        box.people(family)
        box.controls(controls())
        box.start()
        listener.wait_for(TOPIC)
        box.stop(5)
    assert "person_joe-biden" in parts(listener.on(TOPIC)[-1].payload)


def announcer(**options: Any) -> tuple[DiscoveryAnnouncer, RetainedTopics]:
    topics = RetainedTopics()
    made = DiscoveryAnnouncer(HomeAssistantSettings(**options), device(), topics, delay_s=lambda longest: longest / 2)
    made.controls(controls())
    return made, topics


def test_a_page_that_is_switched_on_moved_and_switched_off_is_announced_at_once() -> None:
    now: list[str | None] = [None]
    topics, features = Topics("whosthere", "front-door"), BoxFeatures(page=lambda: now[0])
    box = HomeAssistantDevice(topics, "front-door", "Front door", None, "mobilefacenet", True, features)
    retained = RetainedTopics()
    home = DiscoveryAnnouncer(HomeAssistantSettings(), box, retained)
    home.controls(controls())
    home.people([])
    home.connected(0.0)
    for at, page in enumerate([None, "https://a.example", "https://b.example", None], 10):
        now[0] = page
        about = in_full(json.loads(latest(home, retained, float(at))))["device"]
        assert about.get("configuration_url") == page


def incoming(topic: str, payload: bytes, *, is_retained: bool) -> IncomingMessage:
    session = BrokerSession(MqttSettings(), "client", lambda _: None)
    return IncomingMessage(session, topic, payload, is_retained, None, None)


def found(home: DiscoveryAnnouncer, payload: bytes, now: float = 0.0) -> None:
    """The broker retains this message."""
    assert home.receive(incoming(TOPIC, payload, is_retained=True), now)


def latest(home: DiscoveryAnnouncer, topics: RetainedTopics, now: float) -> bytes:
    """The message as it stands after a turn; empty when there is none yet."""
    home.tick(now)
    return topics.value(TOPIC)


def accepted(home: DiscoveryAnnouncer, payload: bytes) -> None:
    home.accepted(OutgoingMessage(TOPIC, payload, retain=True))


def parts(payload: bytes | None) -> dict[str, Any]:
    assert payload
    components_: dict[str, Any] = in_full(json.loads(payload))["components"]
    return components_


def test_nothing_is_announced_before_everything_is_known() -> None:
    home, topics = announcer()
    assert latest(home, topics, 0.0) == b""
    home.people([ADA])
    assert latest(home, topics, 0.0) == b""
    home.connected(10.0)
    assert latest(home, topics, 10.5) == b""
    assert "person_ada" in parts(latest(home, topics, 11.0))


def test_people_come_and_go() -> None:
    home, topics = announcer()
    home.people([ADA, GRACE])
    home.connected(0.0)
    both = latest(home, topics, 1.0)
    accepted(home, both)
    home.people([ADA])
    removing = latest(home, topics, 2.0)
    assert parts(removing)["person_grace-hopper"] == {"platform": "binary_sensor"}
    assert parts(removing)["came_grace-hopper"] == {"platform": "device_automation"}
    accepted(home, both)
    assert latest(home, topics, 2.5) == removing, "named until the broker has accepted it"
    accepted(home, removing)
    assert not [key for key in parts(latest(home, topics, 3.0)) if "grace" in key]
    home.people([ADA, GRACE])
    assert parts(latest(home, topics, 4.0)) == parts(both)


def test_the_message_is_built_only_when_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    builds = 0

    def counted(*arguments: Any) -> dict[str, Any]:
        nonlocal builds
        builds += 1
        return components(*arguments)

    monkeypatch.setattr("edge.mqtt.home_assistant.discovery.components", counted)
    home, topics = announcer()
    now = 0.0

    def built() -> int:
        nonlocal builds, now
        builds = 0
        for _ in range(20):
            now += 0.5
            home.tick(now)
        return builds

    home.people([ADA])
    home.connected(now)
    assert built() == 1
    home.people([ADA])
    home.controls(controls())
    home.connected(now)
    found(home, topics.value(TOPIC))
    assert built() == 0, "nothing is new"
    home.controls(controls(false_alarm_target=0.01))
    assert built() == 1
    home.people([GRACE])
    assert built() == 1
    accepted(home, topics.value(TOPIC))
    assert built() == 1, "what was removed is not named again"
    accepted(home, topics.value(TOPIC))
    assert built() == 0
    found(home, json.dumps({"components": {"of_an_earlier_run": {"platform": "sensor"}}}).encode())
    assert built() == 1


def test_who_left_while_the_box_was_off_is_removed_too() -> None:
    home, topics = announcer()
    home.people([ADA])
    home.connected(0.0)
    found(home, json.dumps(message(ADA, GRACE)).encode())
    assert parts(latest(home, topics, 0.1))["person_grace-hopper"] == {"platform": "binary_sensor"}


def test_a_birth_is_answered_once_after_a_delay() -> None:
    home, topics = announcer(birth_delay_s=8)
    home.people([ADA])
    found(home, json.dumps(message(ADA)).encode())
    published: list[str] = []

    def turn(now: float) -> int:
        published.clear()
        home.tick(now)
        topics.publish_changes(lambda m: not published.append(m.topic))
        return len(published)

    assert turn(99.0) == 1
    assert home.receive(incoming("homeassistant/status", b"online", is_retained=True), 99.0)
    assert turn(110.0) == 0, "Home Assistant's status of long ago"
    assert home.receive(incoming("homeassistant/status", b"online", is_retained=False), 110.0)
    assert [turn(now) for now in (113.9, 114.0, 114.1)] == [0, 1, 0]


def test_names_of_devices() -> None:
    assert [display_name(name) for name in ("front-door", "Pi_4", "-")] == ["Front door", "Pi 4", "-"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_over_a_broker(broker: Broker, tmp_path: Path, protocol: str) -> None:
    mqtt = settings(broker, tmp_path, protocol=protocol, home_assistant=HomeAssistantSettings(birth_delay_s=0.1))
    earlier = json.dumps(abbreviated(message(GRACE))).encode()
    paho.mqtt.publish.single(TOPIC, earlier, 1, retain=True, port=broker.port)
    box = publisher(mqtt)
    with Listener(broker) as listener:
        box.start()
        box.people([ADA])
        box.controls(controls())
        listener.wait(lambda: len(listener.on(TOPIC)) == 3)
        first, second = (parts(m.payload) for m in listener.on(TOPIC)[1:])
        assert first["person_grace-hopper"] == {"platform": "binary_sensor"}
        assert [key for key in second if "grace" in key] == []
        assert "person_ada" in second
        listener.publish("homeassistant/status", b"offline")
        listener.publish("homeassistant/status", b"online")
        listener.wait_for(TOPIC, count=4)
        assert parts(listener.on(TOPIC)[3].payload) == second
        box.stop(5)
    assert parts(retained(broker)[TOPIC]) == second


def test_a_box_without_discovery_disappears(broker: Broker, tmp_path: Path) -> None:
    paho.mqtt.publish.single(TOPIC, json.dumps(abbreviated(message(ADA))).encode(), 1, retain=True, port=broker.port)
    mqtt = settings(broker, tmp_path, home_assistant=HomeAssistantSettings(enabled=False))
    box = publisher(mqtt)
    with Listener(broker) as listener:
        box.start()
        box.people([ADA])
        box.controls(controls())
        listener.wait_for(TOPIC, b"")
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")
    assert TOPIC not in retained(broker)


CROWD = [(f"person-{n}", f"A person of a long name {n}") for n in range(HOUSEHOLD)]


def test_a_household_fits() -> None:
    assert len(discovery(device(), components(device(), CROWD, controls()), {})) < 300_000


def test_of_a_crowd_nobody_has_entities_and_triggers_stay_for_all(broker: Broker, tmp_path: Path) -> None:
    """A gallery that outgrows a household loses its people's entities, and one that shrinks gets them back."""
    box = publisher(settings(broker, tmp_path))
    with Listener(broker, TOPIC) as listener:
        box.start()
        box.controls(controls())
        box.people([ADA, GRACE])
        listener.wait(lambda: bool(listener.on(TOPIC)) and "person_ada" in parts(listener.on(TOPIC)[-1].payload))
        box.people([*CROWD, ADA])
        listener.wait(lambda: _keys_of_people(listener) == [])
        removing = parts(listener.on(TOPIC)[-2].payload)
        assert removing["person_ada"] == {"platform": "binary_sensor"}
        assert removing["came_grace-hopper"] == {"platform": "device_automation"}
        crowded = parts(listener.on(TOPIC)[-1].payload)
        assert {"visit", "last_person", "came_known", "came_stranger"} <= set(crowded)
        box.people(CROWD)
        listener.wait(lambda: len(_keys_of_people(listener)) == 2 * HOUSEHOLD)
        box.stop(5)


def _keys_of_people(listener: Listener) -> list[str]:
    ours = ("person_", "came_")
    found = {key for key in parts(listener.on(TOPIC)[-1].payload) if key.startswith(ours)}
    return sorted(found - {"came_known", "came_stranger", "came_uncertain"})
