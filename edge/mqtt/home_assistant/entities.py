"""Everything that a box has in Home Assistant, as components of its discovery message. Pure."""

from collections.abc import Sequence

from edge.events import EventKind
from edge.mqtt.home_assistant.controls import operation
from edge.mqtt.home_assistant.entity import Component, HomeAssistantDevice
from edge.mqtt.home_assistant.sensors import presence, readings
from edge.mqtt.payloads import ControlsPayload

_NOW = "not value_json.provisional and not value_json.delayed"
"""A decision that is final, about something that is happening now and not before an outage."""


def components(
    device: HomeAssistantDevice, people: Sequence[tuple[str, str]], controls: ControlsPayload
) -> dict[str, Component]:
    """The components by key. `people` are (id, name)."""
    came = f"value_json.event_type == 'recognized' and {_NOW}"
    found = {**readings(device), **operation(device, controls), **_triggers(device)}
    for person_id, name in people:
        found[f"person_{person_id}"] = presence(device, person_id, name)
        found[f"came_{person_id}"] = _trigger(
            device, "came", name, f"{{{{ value_json.person_id if {came} else '' }}}}", person_id
        )
    return found


def _triggers(device: HomeAssistantDevice) -> dict[str, Component]:
    kind = f"{{{{ value_json.event_type if {_NOW} else '' }}}}"
    found = {
        "came_known": _trigger(device, "came", "a known person", kind, EventKind.RECOGNIZED.value),
        "came_stranger": _trigger(device, "came", "a stranger", kind, EventKind.UNKNOWN.value),
        "came_uncertain": _trigger(device, "came", "somebody uncertain", kind, EventKind.UNCERTAIN.value),
        "rang": _trigger(device, "rang", "the doorbell", "{{ value_json.event_type }}", "ring", device.topics.doorbell),
    }
    if device.features.strangers:
        again = (
            f"value_json.event_type == 'unknown' and value_json.stranger and value_json.stranger.times > 1 and {_NOW}"
        )
        template = f"{{{{ 'again' if {again} else '' }}}}"
        found["came_again"] = _trigger(device, "came again", "the same stranger", template, "again")
    return found


def _trigger(
    device: HomeAssistantDevice, kind: str, subtype: str, template: str, payload: str, topic: str | None = None
) -> Component:
    """A device trigger, which Home Assistant shows as `"<subtype>" <kind>`."""
    return {
        "platform": "device_automation",
        "automation_type": "trigger",
        "type": kind,
        "subtype": subtype,
        "topic": topic or device.topics.visit,
        "value_template": template,
        "payload": payload,
        "qos": 1,
    }
