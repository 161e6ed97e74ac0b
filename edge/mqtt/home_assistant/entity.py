"""One entity of a box in Home Assistant, as a component of its discovery message. Pure.

A component's key, once used, keeps its platform for ever. A template that finds nothing renders `None`, which Home
Assistant shows as unknown without logging anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.config.mqtt import MqttSettings
from edge.galleries.names import slug
from edge.mqtt.topics import Topics
from edge.mqtt.visit_payloads import EventOrigin

Component = dict[str, Any]

CONFIG, DIAGNOSTIC = "config", "diagnostic"
"""Categories of entities that are rarely looked at."""


@dataclass(frozen=True, slots=True)
class BoxFeatures:
    """What the box does beyond the section `mqtt`, as far as Home Assistant should know."""

    strangers: bool = False
    """Whether events say which strangers come again."""
    page: Callable[[], str | None] = lambda: None
    """The address of its web page now; None: it has none, or only for this machine. Fast, for any thread."""


@dataclass(frozen=True, slots=True)
class HomeAssistantDevice:
    """The box as a device in Home Assistant."""

    topics: Topics
    device_id: str
    name: str
    area: str | None
    model: str
    """The embedder's name."""
    snapshots: bool
    """Whether pictures leave the box."""
    features: BoxFeatures = BoxFeatures()


def described(
    settings: MqttSettings, topics: Topics, origin: EventOrigin, features: BoxFeatures
) -> HomeAssistantDevice:
    """The device of a box: named and placed as in its settings."""
    home = settings.home_assistant
    name = home.name or display_name(origin.device_id)
    snapshots = settings.snapshot.enabled
    return HomeAssistantDevice(topics, origin.device_id, name, home.area, origin.model, snapshots, features)


def display_name(device_id: str) -> str:
    """`front-door` as people would write it: `Front door`."""
    words = device_id.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else device_id


def entity(device: HomeAssistantDevice, platform: str, key: str, name: str, **more: Any) -> Component:
    """`name` is the entity's own; Home Assistant puts the device's before it."""
    words = f"{slug(device.name)}_{slug(name)}".replace("-", "_")
    return {
        "platform": platform,
        "unique_id": f"whosthere_{device.device_id}_{key}",
        "default_entity_id": f"{platform}.{words}",
        "name": name,
        "qos": 1,
        **more,
    }


def available(device: HomeAssistantDevice, *, camera: bool = False) -> Component:
    """Unavailable when the box is offline, or (with `camera`) its camera is.

    Both topics carry `online` and `offline`, which are the defaults of Home Assistant.
    """
    topics = [device.topics.status, *([device.topics.camera] if camera else [])]
    return {"availability": [{"topic": topic} for topic in topics], "availability_mode": "all"}
