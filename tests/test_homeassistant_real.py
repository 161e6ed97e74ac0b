"""The box in a real Home Assistant. Slow: run by `make test-homeassistant`, which prints what it saw."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.config import typed_yaml
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Template
from support import outages
from support.broker import Broker, running_broker
from support.daemon import running, write_config
from support.home_assistant import HomeAssistant, running_home_assistant
from support.outages import COUNTERS, box, counts, visits

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(900)]

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "60-home-assistant.md"
BOX_PAGE = "https://door.home.example/box"
AT = "2025-01-01T00:00:00Z"
DEVICE_CLASSES = {"camera": "connectivity", "connection": "connectivity", "temperature": "temperature"}
ENTITIES = {
    "event": {"visit", "doorbell"},
    "sensor": {"last_person", "state", "frames_a_second", "latency", "temperature", "memory"}
    | {"events_waiting", "people_known", "gallery_version", "model", "turn_of_the_head"},
    "binary_sensor": {"camera", "connection", "barack_obama", "grace_hopper", "joe_biden"},
    "image": {"last_visit"},
    "switch": {"paused"},
    "button": {"reload", "restart", "take_a_picture", "ask_for_a_turn_of_the_head"},
    "number": {"strangers_called_by_a_name_one_in"},
    "update": {"gallery", "software"},
}
ALL = {f"{platform}.front_door_{name}" for platform, names in ENTITIES.items() for name in names}


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
    page = tmp_path_factory.mktemp("page")
    (page / "password").touch()
    return write_config(
        tmp_path_factory.mktemp("box"),
        broker,
        gallery,
        camera={"realtime": True, "loop": True},
        mqtt={"snapshot": {"enabled": True, "retain": True}, "home_assistant": {"birth_delay_s": 1.0}},
        strangers={"keep": 5, "group": True, "path": "strangers"},
        web={"path": str(page), "url": BOX_PAGE},
    )


def automate(home: HomeAssistant) -> None:
    device = home.render("{{ device_id('event.front_door_visit') }}")
    triggers = {"known": ("came", "a known person"), "obama": ("came", "Barack Obama")}
    triggers |= {"stranger": ("came", "a stranger"), "rang": ("rang", "the doorbell")}
    triggers |= {"again": ("came again", "the same stranger")}
    for counter, (kind, subtype) in triggers.items():
        by_device = {"trigger": "device", "domain": "mqtt", "device_id": device, "type": kind, "subtype": subtype}
        home.count_with(by_device, counter)
    home.count_with({"trigger": "state", "entity_id": "event.front_door_visit"}, "naive")
    _as_documented(home)


def _as_documented(home: HomeAssistant) -> None:
    """The automations on the page in docs, with scripts in place of a phone and a loudspeaker."""
    blocks = re.findall(r"```yaml\n(alias: .*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        text = block.replace("notify.mobile_app_phone", "script.phone").replace("tts.speak", "script.speaker")
        text = re.sub(r"    target:\n      entity_id: tts.*\n", "", text)
        path = home.folder / f"documented{number}.yaml"
        path.write_text(text)
        home.automate(f"documented{number}", typed_yaml.read(path) | {"alias": f"documented{number}"})


def test_the_box_in_home_assistant(home: HomeAssistant, broker: Broker, config: Path, gallery: Path) -> None:
    with running(config):
        begun = time.monotonic()
        home.until(lambda: set(box(home)) >= ALL, "every entity")
        print(f"\nthe device is complete {time.monotonic() - begun:.1f} s after the daemon was started")
        assert set(box(home)) == ALL
        automate(home)
        _a_visit_arrives(home)
        _the_dashboard_card(home)
        repairs = home.ask("repairs/list_issues")["issues"]
        print(f"repairs: {[(issue['domain'], issue['issue_id']) for issue in repairs]}")
        assert not [issue for issue in repairs if issue["domain"] == "mqtt"]
        _everything_has_a_state(home)
        _triggers_fire(home)
        _it_can_be_controlled(home)
        _people_come_and_go(home, gallery)
    outages.killed(home, config)
    outages.home_assistant_starts_anew(home, config)
    outages.the_broker_was_away(home, broker, config, expiry_s=5)
    outages.the_broker_was_away(home, broker, config, expiry_s=600)


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


def _the_dashboard_card(home: HomeAssistant) -> None:
    """Saved as the editor saves it; every entity that it names exists."""
    (block,) = re.findall(
        r"```yaml\n(type: vertical-stack.*?)```", (DOCS / "60-home-assistant.md").read_text(), re.DOTALL
    )
    path = home.folder / "card.yaml"
    path.write_text(block)
    home.ask("lovelace/config/save", config={"views": [{"title": "Door", "cards": [typed_yaml.read(path)]}]})
    card = home.ask("lovelace/config")["views"][0]["cards"][0]
    named = set(re.findall(r"'((?:image|sensor|switch|event|binary_sensor|button)\.\w+)'", str(card)))
    assert len(named) == 6
    assert named <= set(home.states())
    print(f"the dashboard card shows {sorted(named)}")


def _everything_has_a_state(home: HomeAssistant) -> None:
    device = home.render("{{ device_id('event.front_door_visit') }}")
    for key in ("name", "manufacturer", "model", "sw_version"):
        value = home.render(f"{{{{ device_attr('{device}', '{key}') }}}}")
        print(f"device {key}: {value}")
    assert home.render(f"{{{{ device_attr('{device}', 'configuration_url') }}}}") == BOX_PAGE
    for name, entity in sorted(box(home).items()):
        attributes = {k: v for k, v in entity["attributes"].items() if k not in ("friendly_name", "icon")}
        print(f"{name:45} {entity['state']:32} {str(attributes)[:160]}")
        # Nobody has been asked to turn their head.
        if not any(part in name for part in ("button", "temperature", "doorbell", "turn_of_the_head")):
            assert entity["state"] not in ("unknown", "unavailable"), name
    for key, device_class in DEVICE_CLASSES.items():
        found = [e for name, e in box(home).items() if name.endswith(f"_{key}")]
        assert [e["attributes"]["device_class"] for e in found] == [device_class]


def _triggers_fire(home: HomeAssistant) -> None:
    device = home.render("{{ device_id('event.front_door_visit') }}")
    offered = home.ask("device_automation/trigger/list", device_id=device)
    ours = sorted((t["subtype"], t["type"]) for t in offered if t["domain"] == "mqtt")
    print(f"triggers offered: {ours}")
    people = ("Barack Obama", "Grace Hopper", "Joe Biden", "a known person", "a stranger", "somebody uncertain")
    assert ours == sorted(
        [*((who, "came") for who in people), ("the doorbell", "rang"), ("the same stranger", "came again")]
    )
    before = counts(home)
    home.until(lambda: home.count("stranger") > before["stranger"], "a stranger")
    home.until(lambda: (home.state("input_text.phone") or "").startswith("A stranger is at the door|/api/"), "phone")
    print(f"the notification: {home.state('input_text.phone')}")
    home.until(lambda: (home.state("input_text.speaker") or "").endswith("is at the door"), "loudspeaker")
    print(f"the announcement: {home.state('input_text.speaker')}")
    home.until(lambda: home.count("obama") > before["obama"], "the next round of the clip")
    home.until(lambda: home.count("again") > before["again"], "the same stranger")
    # Its text is soon replaced by that of the blueprint.
    documented = "automation.documented1"
    home.until(lambda: bool(home.states()[documented]["attributes"]["last_triggered"]), "the documented automation")
    print(f"automations fired: {counts(home)}")
    # The automation tells of strangers alone: who has a name comes from the blueprint.
    named = re.compile(r"(Barack Obama|Joe Biden|Grace Hopper) is at the door\|/api/image_proxy/")
    home.until(lambda: bool(named.match(home.state("input_text.phone") or "")), "the blueprint tells of everybody")
    print(f"the blueprint's notification: {home.state('input_text.phone')}")
    assert home.count("known") >= home.count("obama") > 0
    assert home.count("naive") > home.count("known") + home.count("stranger"), "started and ended as well"


def _it_can_be_controlled(home: HomeAssistant) -> None:
    home.call("switch.turn_on", "switch.front_door_paused")
    home.until(lambda: home.state("switch.front_door_paused") == "on", "paused")
    home.until(lambda: home.state("sensor.front_door_state") == "paused", "paused, says health")
    home.call("switch.turn_off", "switch.front_door_paused")
    home.until(lambda: home.state("switch.front_door_paused") == "off", "resumed")
    one_in = "number.front_door_strangers_called_by_a_name_one_in"
    number = home.states()[one_in]
    bounds = number["attributes"]["min"], number["attributes"]["max"]
    print(f"strangers called by a name: one in {number['state']}, of {bounds[0]} to {bounds[1]}")
    home.call("number.set_value", one_in, value=200)
    home.until(lambda: home.state(one_in) == "200", "one stranger in 200")
    before = home.state("image.front_door_last_visit")
    home.call("button.press", "button.front_door_take_a_picture")
    home.until(lambda: home.state("image.front_door_last_visit") != before, "another picture")


def _people_come_and_go(home: HomeAssistant, gallery: Path) -> None:
    good = gallery.read_bytes()
    known = open_gallery(gallery, None)
    newcomer = np.random.default_rng(0).normal(size=known.embeddings.shape[1]).astype(np.float32)
    vector = newcomer / np.linalg.norm(newcomer)
    write_gallery(known.with_templates("Ada Lovelace", [vector], [Template("photo", 1.0, AT)], AT), gallery)
    home.until(lambda: home.state("binary_sensor.front_door_ada_lovelace") == "off", "she has come to the gallery")
    picture = home.states()["image.front_door_last_visit"]["attributes"]["entity_picture"]
    home.fetch(picture)
    write_gallery(open_gallery(gallery, None).without("joe-biden", AT).without("ada-lovelace", AT), gallery)
    home.until(lambda: home.state("binary_sensor.front_door_joe_biden") is None, "he is gone")
    home.until(lambda: home.state("binary_sensor.front_door_ada_lovelace") is None, "and she as well")
    picture = home.states()["image.front_door_last_visit"]["attributes"]["entity_picture"]
    assert home.fetch(picture).startswith(b"\xff\xd8\xff"), "there is a picture still, if a grey one"
    assert home.state("binary_sensor.front_door_grace_hopper") in ("on", "off")
    gallery.write_bytes(b"torn")
    home.until(lambda: home.state("update.front_door_gallery") == "off", "nothing to install")
    gallery.write_bytes(good)
    home.call("button.press", "button.front_door_reload")
    home.until(lambda: home.state("binary_sensor.front_door_joe_biden") == "off", "he is back")
    print("somebody new appeared, two people disappeared and one came back while the daemon ran")
