"""What Home Assistant shows of a box: its events, its states, who is present, and diagnostics."""

from typing import Any, get_args

from edge.events import ChallengeState, EventKind
from edge.mqtt.home_assistant.entity import DIAGNOSTIC, Component, HomeAssistantDevice, available, entity
from edge.mqtt.payloads import State
from edge.mqtt.topics import OFF, OFFLINE, ON, ONLINE

CHALLENGE_SHOWN_S = 90
"""Longer than the longest challenge, so that its result is shown for half a minute at least."""


def readings(device: HomeAssistantDevice) -> dict[str, Component]:
    """The components by key, except those of people."""
    return {**_events(device), **_states(device), **_diagnostics(device)}


def presence(device: HomeAssistantDevice, person_id: str, name: str) -> Component:
    """Whether this person is in a visit now."""
    return entity(
        device,
        "binary_sensor",
        f"person_{person_id}",
        name,
        state_topic=device.topics.person(person_id),
        payload_on=ON.decode(),
        payload_off=OFF.decode(),
        device_class="occupancy",
        icon="mdi:account",
        **available(device, camera=True),
    )


def _events(device: HomeAssistantDevice) -> dict[str, Component]:
    """Without availability: when the box came back, the last event would look like a new one."""
    kinds = [kind.value for kind in EventKind]
    return {
        "visit": entity(
            device,
            "event",
            "visit",
            "Visit",
            state_topic=device.topics.visit,
            event_types=kinds,
            icon="mdi:face-recognition",
        ),
        "doorbell": entity(
            device,
            "event",
            "doorbell",
            "Doorbell",
            state_topic=device.topics.doorbell,
            event_types=["ring"],
            device_class="doorbell",
        ),
    }


def _states(device: HomeAssistantDevice) -> dict[str, Component]:
    found = {
        "last_person": entity(
            device,
            "sensor",
            "last_person",
            "Last person",
            state_topic=device.topics.last_person,
            value_template="{{ None if value == 'none' else value[:255] }}",
            icon="mdi:account-check",
            **available(device),
        ),
        # Not retained, and soon expired: nobody may act on a challenge that was passed long ago.
        "challenge_state": entity(
            device,
            "sensor",
            "challenge_state",
            "Turn of the head",
            state_topic=device.topics.challenge,
            value_template="{{ value_json.state }}",
            json_attributes_topic=device.topics.challenge,
            device_class="enum",
            options=[state.value for state in ChallengeState],
            expire_after=CHALLENGE_SHOWN_S,
            icon="mdi:head-question",
            **available(device),
        ),
        "camera": _connectivity(device, "camera", "Camera", device.topics.camera) | available(device),
        # With an availability of its own it would disappear just when it matters.
        "connection": _connectivity(device, "connection", "Connection", device.topics.status),
    }
    if device.snapshots:
        found["picture"] = entity(
            device,
            "image",
            "picture",
            "Last visit",
            image_topic=device.topics.snapshot,
            content_type="image/jpeg",
            **available(device),
        )
    return found


def _connectivity(device: HomeAssistantDevice, key: str, name: str, topic: str) -> Component:
    return entity(
        device,
        "binary_sensor",
        key,
        name,
        state_topic=topic,
        payload_on=ONLINE.decode(),
        payload_off=OFFLINE.decode(),
        device_class="connectivity",
        entity_category=DIAGNOSTIC,
    )


def _diagnostics(device: HomeAssistantDevice) -> dict[str, Component]:
    measured = {"state_class": "measurement"}
    return {
        "state": _health(
            device, "state", "State", "value_json.state", device_class="enum", options=list(get_args(State))
        ),
        "fps": _health(device, "fps", "Frames a second", "value_json.fps", icon="mdi:filmstrip", **measured),
        "latency": _health(
            device,
            "latency",
            "Latency",
            "value_json.latency.get('frame', {}).get('p95_ms')",
            device_class="duration",
            unit_of_measurement="ms",
            **measured,
        ),
        "temperature": _health(
            device,
            "temperature",
            "Temperature",
            "value_json.temperature_c",
            device_class="temperature",
            unit_of_measurement="°C",
            **measured,
        ),
        "memory": _health(
            device,
            "memory",
            "Memory",
            "value_json.memory_mb",
            device_class="data_size",
            unit_of_measurement="MB",
            **measured,
        ),
        "outbox": _health(device, "outbox", "Events waiting", "value_json.outbox.waiting", icon="mdi:tray", **measured),
        "people": _health(device, "people", "People known", "value_json.gallery.people", icon="mdi:account-group"),
        "gallery_version": _health(device, "gallery_version", "Gallery version", "value_json.gallery.version"),
        "model": _health(device, "model", "Model", "value_json.model.embedder", icon="mdi:brain"),
    }


def _health(device: HomeAssistantDevice, key: str, name: str, value: str, **more: Any) -> Component:
    return entity(
        device,
        "sensor",
        key,
        name,
        state_topic=device.topics.health,
        value_template=f"{{{{ {value} }}}}",
        entity_category=DIAGNOSTIC,
        **more,
        **available(device),
    )
