"""What Home Assistant shows of a box: events, states, who is there, how the box is."""

from typing import Any, get_args

from edge.mqtt.home_assistant.entity import DIAGNOSTIC, Box, Component, available, entity
from edge.mqtt.payloads import State
from edge.mqtt.topics import OFF, OFFLINE, ON, ONLINE
from edge.records import EventKind


def readings(box: Box) -> dict[str, Component]:
    """By component key; all but the people."""
    return {**_events(box), **_states(box), **_diagnostics(box)}


def presence(box: Box, person_id: str, name: str) -> Component:
    """Is this person in a visit now?"""
    return entity(
        box,
        "binary_sensor",
        f"person_{person_id}",
        name,
        state_topic=box.topics.person(person_id),
        payload_on=ON.decode(),
        payload_off=OFF.decode(),
        device_class="occupancy",
        icon="mdi:account",
        **available(box, camera=True),
    )


def _events(box: Box) -> dict[str, Component]:
    """Without availability: an event that came back with it would look like one that has just happened."""
    kinds = [kind.value for kind in EventKind]
    return {
        "visit": entity(
            box,
            "event",
            "visit",
            "Visit",
            state_topic=box.topics.visit,
            event_types=kinds,
            icon="mdi:face-recognition",
        ),
        "doorbell": entity(
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
        "last_person": entity(
            box,
            "sensor",
            "last_person",
            "Last person",
            state_topic=box.topics.last_person,
            value_template="{{ None if value == 'none' else value[:255] }}",
            icon="mdi:account-check",
            **available(box),
        ),
        "camera": _connectivity(box, "camera", "Camera", box.topics.camera) | available(box),
        # Its own availability would hide the very thing that it tells.
        "connection": _connectivity(box, "connection", "Connection", box.topics.status),
    }
    if box.snapshots:
        found["picture"] = entity(
            box,
            "image",
            "picture",
            "Last visit",
            image_topic=box.topics.snapshot,
            content_type="image/jpeg",
            **available(box),
        )
    return found


def _connectivity(box: Box, key: str, name: str, topic: str) -> Component:
    return entity(
        box,
        "binary_sensor",
        key,
        name,
        state_topic=topic,
        payload_on=ONLINE.decode(),
        payload_off=OFFLINE.decode(),
        device_class="connectivity",
        entity_category=DIAGNOSTIC,
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
    return entity(
        box,
        "sensor",
        key,
        name,
        state_topic=box.topics.health,
        value_template=f"{{{{ {value} }}}}",
        entity_category=DIAGNOSTIC,
        **more,
        **available(box),
    )
