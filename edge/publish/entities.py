"""The entities of a box in Home Assistant, as the components of its discovery message.

Pure: what is known of the box in, plain dictionaries out. A component's key, once used, keeps its platform for
ever. Where a template finds nothing it gives `None`, which Home Assistant shows as unknown without a word in its log.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from edge.names import slug
from edge.publish.payloads import ControlsPayload, State
from edge.publish.topics import OFF, OFFLINE, ON, ONLINE, Topics
from edge.records import EventKind

Component = dict[str, Any]

_CONFIG, _DIAGNOSTIC = "config", "diagnostic"
_STEP = 0.001
"""Of a number in percent: the least that Home Assistant takes."""
_FINAL = "value_json.event_type == 'recognized' and not value_json.provisional"


@dataclass(frozen=True, slots=True)
class Box:
    """What Home Assistant is told of the box itself."""

    topics: Topics
    device_id: str
    name: str
    area: str | None
    model: str
    """The embedder."""
    snapshots: bool
    """Whether pictures leave the box."""


def components(box: Box, people: Sequence[tuple[str, str]], controls: ControlsPayload) -> dict[str, Component]:
    """Everything that Home Assistant shows, by component key. `people` are (id, name)."""
    found = {**_events(box), **_states(box), **_diagnostics(box), **_controls(box, controls), **_triggers(box)}
    for person_id, name in people:
        found[f"person_{person_id}"] = _presence(box, person_id, name)
        found[f"came_{person_id}"] = _trigger(
            box, "came", name, f"{{{{ value_json.person_id if {_FINAL} else '' }}}}", person_id
        )
    return found


def _entity(box: Box, platform: str, key: str, name: str, **more: Any) -> Component:
    words = f"{slug(box.name)}_{slug(name)}".replace("-", "_")
    return {
        "platform": platform,
        "unique_id": f"whosthere_{box.device_id}_{key}",
        "default_entity_id": f"{platform}.{words}",
        "name": name,
        "qos": 1,
        **more,
    }


def _available(box: Box, *, camera: bool = False) -> Component:
    """Unavailable when the box is away, or (with `camera`) sees nothing."""
    topics = [box.topics.status, *([box.topics.camera] if camera else [])]
    return {
        "availability": [
            {"topic": topic, "payload_available": ONLINE.decode(), "payload_not_available": OFFLINE.decode()}
            for topic in topics
        ],
        "availability_mode": "all",
    }


def _events(box: Box) -> dict[str, Component]:
    """Without availability: an event that came back with it would look like one that has just happened."""
    kinds = [kind.value for kind in EventKind]
    return {
        "visit": _entity(
            box,
            "event",
            "visit",
            "Visit",
            state_topic=box.topics.visit,
            event_types=kinds,
            icon="mdi:face-recognition",
        ),
        "doorbell": _entity(
            box,
            "event",
            "doorbell",
            "Doorbell",
            state_topic=box.topics.doorbell,
            event_types=["ring"],
            device_class="doorbell",
        ),
    }


def _states(box: Box) -> dict[str, Component]:
    found = {
        "last_person": _entity(
            box,
            "sensor",
            "last_person",
            "Last person",
            state_topic=box.topics.last_person,
            value_template="{{ None if value == 'none' else value[:255] }}",
            icon="mdi:account-check",
            **_available(box),
        ),
        "camera": _connectivity(box, "camera", "Camera", box.topics.camera) | _available(box),
        # Its own availability would hide the very thing that it tells.
        "connection": _connectivity(box, "connection", "Connection", box.topics.status),
    }
    if box.snapshots:
        found["picture"] = _entity(
            box,
            "image",
            "picture",
            "Last visit",
            image_topic=box.topics.snapshot,
            content_type="image/jpeg",
            **_available(box),
        )
    return found


def _connectivity(box: Box, key: str, name: str, topic: str) -> Component:
    return _entity(
        box,
        "binary_sensor",
        key,
        name,
        state_topic=topic,
        payload_on=ONLINE.decode(),
        payload_off=OFFLINE.decode(),
        device_class="connectivity",
        entity_category=_DIAGNOSTIC,
    )


def _presence(box: Box, person_id: str, name: str) -> Component:
    return _entity(
        box,
        "binary_sensor",
        f"person_{person_id}",
        name,
        state_topic=box.topics.person(person_id),
        payload_on=ON.decode(),
        payload_off=OFF.decode(),
        device_class="occupancy",
        icon="mdi:account",
        **_available(box, camera=True),
    )


def _diagnostics(box: Box) -> dict[str, Component]:
    measured = {"state_class": "measurement"}
    return {
        "state": _health(box, "state", "State", "value_json.state", device_class="enum", options=list(get_args(State))),
        "fps": _health(box, "fps", "Frames a second", "value_json.fps", icon="mdi:filmstrip", **measured),
        "latency": _health(
            box,
            "latency",
            "Latency",
            "value_json.latency.get('frame', {}).get('p95_ms')",
            device_class="duration",
            unit_of_measurement="ms",
            **measured,
        ),
        "temperature": _health(
            box,
            "temperature",
            "Temperature",
            "value_json.temperature_c",
            device_class="temperature",
            unit_of_measurement="°C",
            **measured,
        ),
        "memory": _health(
            box,
            "memory",
            "Memory",
            "value_json.memory_mb",
            device_class="data_size",
            unit_of_measurement="MB",
            **measured,
        ),
        "outbox": _health(box, "outbox", "Events waiting", "value_json.outbox.waiting", icon="mdi:tray", **measured),
        "people": _health(box, "people", "People known", "value_json.gallery.people", icon="mdi:account-group"),
        "gallery_version": _health(box, "gallery_version", "Gallery version", "value_json.gallery.version"),
        "model": _health(box, "model", "Model", "value_json.model.embedder", icon="mdi:brain"),
    }


def _health(box: Box, key: str, name: str, value: str, **more: Any) -> Component:
    return _entity(
        box,
        "sensor",
        key,
        name,
        state_topic=box.topics.health,
        value_template=f"{{{{ {value} }}}}",
        entity_category=_DIAGNOSTIC,
        **more,
        **_available(box),
    )


def _controls(box: Box, controls: ControlsPayload) -> dict[str, Component]:
    found = {
        "paused": _entity(
            box,
            "switch",
            "paused",
            "Paused",
            state_topic=box.topics.controls,
            value_template="{{ 'ON' if value_json.paused else 'OFF' }}",
            command_topic=box.topics.ask("paused"),
            icon="mdi:pause-circle",
            **_available(box),
        ),
        "reload": _button(box, "reload", "Reload", icon="mdi:reload", entity_category=_CONFIG),
        "restart": _button(box, "restart", "Restart", device_class="restart", entity_category=_CONFIG),
        "gallery_update": _update(box, "gallery_update", "Gallery", "gallery", "reload"),
        "software_update": _update(box, "software_update", "Software", "software", "restart"),
    }
    if box.snapshots:
        found["snapshot"] = _button(box, "snapshot", "Take a picture", icon="mdi:camera")
    if (sensitivity := _sensitivity(box, controls)) is not None:
        found["sensitivity"] = sensitivity
    return found


def _button(box: Box, command: str, name: str, **more: Any) -> Component:
    asked = {"command_topic": box.topics.ask(command), "payload_press": "{}"}
    return _entity(box, "button", command, name, **asked, **more, **_available(box))


def _update(box: Box, key: str, name: str, part: str, command: str) -> Component:
    """What is on the box's disk but not yet in force; nothing is downloaded."""
    known = f"value_json.{part}"
    newest = f"{known}.on_disk or {known}.version"
    state = f"{{'installed_version': {known}.version, 'latest_version': {newest}, 'title': '{name}'}}"
    return _entity(
        box,
        "update",
        key,
        name,
        state_topic=box.topics.health,
        value_template=f"{{{{ {state} | tojson }}}}",
        command_topic=box.topics.ask(command),
        payload_install="{}",
        entity_category=_CONFIG,
        **_available(box),
    )


def _sensitivity(box: Box, controls: ControlsPayload) -> Component | None:
    """The false-alarm target in percent; None: the embedder has no calibration that would give it a meaning."""
    target, low, high = controls.false_alarm_target, controls.false_alarm_min, controls.false_alarm_max
    if low is None or high is None:
        return None
    return _entity(
        box,
        "number",
        "sensitivity",
        "Sensitivity",
        state_topic=box.topics.controls,
        value_template="{{ (value_json.false_alarm_target * 100) | round(4) }}",
        command_topic=box.topics.ask("sensitivity"),
        command_template='{"false_alarm_target": {{ value / 100 }}}',
        # Outwards, or Home Assistant would call the value in force out of range.
        min=max(math.floor(min(low, target) * 1e5) / 1e3, _STEP) if target * 100 >= _STEP else 0,
        max=math.ceil(max(high, target) * 1e5) / 1e3,
        step=_STEP,
        mode="box",
        unit_of_measurement="%",
        icon="mdi:tune",
        entity_category=_CONFIG,
        **_available(box),
    )


def _triggers(box: Box) -> dict[str, Component]:
    known = f"{{{{ 'known' if {_FINAL} else '' }}}}"
    return {
        "came_known": _trigger(box, "came", "a known person", known, "known"),
        "came_stranger": _trigger(box, "came", "a stranger", "{{ value_json.event_type }}", "unknown"),
        "rang": _trigger(box, "rang", "the doorbell", "{{ value_json.event_type }}", "ring", box.topics.doorbell),
    }


def _trigger(box: Box, kind: str, subtype: str, template: str, payload: str, topic: str | None = None) -> Component:
    """Home Assistant shows it as `"<subtype>" <kind>`."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": kind,
        "subtype": subtype,
        "topic": topic or box.topics.visit,
        "value_template": template,
        "payload": payload,
        "qos": 1,
    }
