"""What can be set from Home Assistant: a switch, a number, buttons, updates."""

from typing import Any

from edge.mqtt.home_assistant.entity import CONFIG, Component, HomeAssistantDevice, available, entity
from edge.mqtt.payloads import ControlsPayload

_LAXEST = 2
"""The laxest target that `command/sensitivity` accepts: one stranger in two."""


def operation(device: HomeAssistantDevice, controls: ControlsPayload) -> dict[str, Component]:
    """The components by key; `controls` are the current ones."""
    found = {
        "paused": entity(
            device,
            "switch",
            "paused",
            "Paused",
            state_topic=device.topics.controls,
            value_template="{{ 'ON' if value_json.paused else 'OFF' }}",
            command_topic=device.topics.ask("paused"),
            icon="mdi:pause-circle",
            **available(device),
        ),
        "reload": _button(device, "reload", "Reload", icon="mdi:reload", entity_category=CONFIG),
        "challenge": _button(device, "challenge", "Ask for a turn of the head", icon="mdi:head-question"),
        "restart": _button(device, "restart", "Restart", device_class="restart", entity_category=CONFIG),
        "gallery_update": _update(device, "gallery_update", "Gallery", "gallery", "reload"),
        "software_update": _update(device, "software_update", "Software", "software", "restart"),
    }
    if device.snapshots:
        found["snapshot"] = _button(device, "snapshot", "Take a picture", icon="mdi:camera")
    if (false_alarms := _false_alarms(device, controls)) is not None:
        found["strangers_named"] = false_alarms
    return found


def _button(device: HomeAssistantDevice, command: str, name: str, **more: Any) -> Component:
    asked = {"command_topic": device.topics.ask(command), "payload_press": "{}"}
    return entity(device, "button", command, name, **asked, **more, **available(device))


def _update(device: HomeAssistantDevice, key: str, name: str, part: str, command: str) -> Component:
    """What is on the box's disk but not in use yet. Nothing is downloaded."""
    known = f"value_json.{part}"
    newest = f"{known}.on_disk or {known}.version"
    state = f"{{'installed_version': {known}.version, 'latest_version': {newest}, 'title': '{name}'}}"
    return entity(
        device,
        "update",
        key,
        name,
        state_topic=device.topics.health,
        value_template=f"{{{{ {state} | tojson }}}}",
        command_topic=device.topics.ask(command),
        payload_install="{}",
        entity_category=CONFIG,
        **available(device),
    )


def _false_alarms(device: HomeAssistantDevice, controls: ControlsPayload) -> Component | None:
    """The false-alarm target as "one stranger in N": a larger N is stricter. None: the embedder is not calibrated.

    The command still carries the target itself, 1/N.
    """
    target, low, high = controls.false_alarm_target, controls.false_alarm_min, controls.false_alarm_max
    if low is None or high is None:
        return None
    strictest, laxest = round(1 / low), round(1 / high)
    # Inwards, or the box would refuse the bound itself.
    strictest -= 1 / strictest < low
    laxest = max(laxest + (1 / laxest > high), _LAXEST)
    # The current target may lie outside, and Home Assistant shows no value that is out of range.
    current = round(1 / target)
    return entity(
        device,
        "number",
        "strangers_named",
        "Strangers called by a name: one in",
        state_topic=device.topics.controls,
        value_template="{{ (1 / value_json.false_alarm_target) | round | int }}",
        command_topic=device.topics.ask("sensitivity"),
        command_template='{"false_alarm_target": {{ 1 / value }}}',
        min=min(laxest, current),
        max=max(strictest, current, laxest + 1),
        step=1,
        mode="box",
        icon="mdi:account-question",
        entity_category=CONFIG,
        **available(device),
    )
