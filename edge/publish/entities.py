"""All that a box has in Home Assistant, as the components of its discovery message. Pure."""

from collections.abc import Sequence

from edge.publish.entity import Box, Component
from edge.publish.entity_controls import operation
from edge.publish.entity_readings import presence, readings
from edge.publish.payloads import ControlsPayload

_FINAL = "value_json.event_type == 'recognized' and not value_json.provisional"


def components(box: Box, people: Sequence[tuple[str, str]], controls: ControlsPayload) -> dict[str, Component]:
    """Everything that Home Assistant shows, by component key. `people` are (id, name)."""
    found = {**readings(box), **operation(box, controls), **_triggers(box)}
    for person_id, name in people:
        found[f"person_{person_id}"] = presence(box, person_id, name)
        found[f"came_{person_id}"] = _trigger(
            box, "came", name, f"{{{{ value_json.person_id if {_FINAL} else '' }}}}", person_id
        )
    return found


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
