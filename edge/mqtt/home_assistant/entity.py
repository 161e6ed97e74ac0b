"""One entity of a box in Home Assistant, as a component of its discovery message. Pure.

A component's key, once used, keeps its platform for ever. Where a template finds nothing it gives `None`, which Home
Assistant shows as unknown without a word in its log.
"""

from dataclasses import dataclass
from typing import Any

from edge.galleries.names import slug
from edge.mqtt.topics import OFFLINE, ONLINE, Topics

Component = dict[str, Any]

CONFIG, DIAGNOSTIC = "config", "diagnostic"
"""Categories of entities that are not for every day."""


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


def entity(box: Box, platform: str, key: str, name: str, **more: Any) -> Component:
    """`name` is its own; Home Assistant puts the device's before it."""
    words = f"{slug(box.name)}_{slug(name)}".replace("-", "_")
    return {
        "platform": platform,
        "unique_id": f"whosthere_{box.device_id}_{key}",
        "default_entity_id": f"{platform}.{words}",
        "name": name,
        "qos": 1,
        **more,
    }


def available(box: Box, *, camera: bool = False) -> Component:
    """Unavailable when the box is away, or (with `camera`) sees nothing."""
    topics = [box.topics.status, *([box.topics.camera] if camera else [])]
    return {
        "availability": [
            {"topic": topic, "payload_available": ONLINE.decode(), "payload_not_available": OFFLINE.decode()}
            for topic in topics
        ],
        "availability_mode": "all",
    }
