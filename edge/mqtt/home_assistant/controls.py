"""What Home Assistant may ask of a box: a switch, a number, buttons, updates."""

import math
from typing import Any

from edge.mqtt.home_assistant.entity import CONFIG, Box, Component, available, entity
from edge.mqtt.payloads import ControlsPayload

_STEP = 0.001
"""Of a number in percent: the least that Home Assistant takes."""


def operation(box: Box, controls: ControlsPayload) -> dict[str, Component]:
    """By component key; `controls` are those in force."""
    found = {
        "paused": entity(
            box,
            "switch",
            "paused",
            "Paused",
            state_topic=box.topics.controls,
            value_template="{{ 'ON' if value_json.paused else 'OFF' }}",
            command_topic=box.topics.ask("paused"),
            icon="mdi:pause-circle",
            **available(box),
        ),
        "reload": _button(box, "reload", "Reload", icon="mdi:reload", entity_category=CONFIG),
        "restart": _button(box, "restart", "Restart", device_class="restart", entity_category=CONFIG),
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
    return entity(box, "button", command, name, **asked, **more, **available(box))


def _update(box: Box, key: str, name: str, part: str, command: str) -> Component:
    """What is on the box's disk but not yet in force; nothing is downloaded."""
    known = f"value_json.{part}"
    newest = f"{known}.on_disk or {known}.version"
    state = f"{{'installed_version': {known}.version, 'latest_version': {newest}, 'title': '{name}'}}"
    return entity(
        box,
        "update",
        key,
        name,
        state_topic=box.topics.health,
        value_template=f"{{{{ {state} | tojson }}}}",
        command_topic=box.topics.ask(command),
        payload_install="{}",
        entity_category=CONFIG,
        **available(box),
    )


def _sensitivity(box: Box, controls: ControlsPayload) -> Component | None:
    """The false-alarm target in percent; None: the embedder has no calibration that would give it a meaning."""
    target, low, high = controls.false_alarm_target, controls.false_alarm_min, controls.false_alarm_max
    if low is None or high is None:
        return None
    return entity(
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
        entity_category=CONFIG,
        **available(box),
    )
