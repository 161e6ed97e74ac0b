"""All that a box has in Home Assistant, as the components of its discovery message. Pure."""

from collections.abc import Sequence

from edge.mqtt.home_assistant.controls import operation
from edge.mqtt.home_assistant.entity import Box, Component
from edge.mqtt.home_assistant.sensors import presence, readings
from edge.mqtt.payloads import ControlsPayload
from edge.records import EventKind

_NOW = "not value_json.provisional and not value_json.delayed"
"""It is decided, and it is happening: not something of before an outage."""


def components(box: Box, people: Sequence[tuple[str, str]], controls: ControlsPayload) -> dict[str, Component]:
    """Everything that Home Assistant shows, by component key. `people` are (id, name)."""
    came = f"value_json.event_type == 'recognized' and {_NOW}"
    found = {**readings(box), **operation(box, controls), **_triggers(box)}
    for person_id, name in people:
        found[f"person_{person_id}"] = presence(box, person_id, name)
        found[f"came_{person_id}"] = _trigger(
            box, "came", name, f"{{{{ value_json.person_id if {came} else '' }}}}", person_id
        )
    return found


def _triggers(box: Box) -> dict[str, Component]:
    kind = f"{{{{ value_json.event_type if {_NOW} else '' }}}}"
    return {
        "came_known": _trigger(box, "came", "a known person", kind, EventKind.RECOGNIZED.value),
        "came_stranger": _trigger(box, "came", "a stranger", kind, EventKind.UNKNOWN.value),
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
