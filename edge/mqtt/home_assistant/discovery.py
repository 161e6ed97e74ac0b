"""The discovery message that makes the box appear in Home Assistant by itself.

One message for the whole device, retained, on `<prefix>/device/<id>/config`
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload). An unknown key at its root, in
`device` or in `origin` makes Home Assistant refuse all of it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from edge import __version__
from edge.config.mqtt import HomeAssistantSettings, MqttSettings
from edge.mqtt.home_assistant.entities import components
from edge.mqtt.home_assistant.entity import Box
from edge.mqtt.payloads import ControlsPayload, EventOrigin
from edge.mqtt.topics import Topics

BORN = b"online"
"""What Home Assistant says on its status topic when it has started."""
_LISTEN_S = 1.0
"""So long after connecting, what an earlier run announced is waited for."""


def discovery_topic(prefix: str, device_id: str) -> str:
    return f"{prefix}/device/{_node(device_id)}/config"


def discovery(box: Box, entities: Mapping[str, Mapping[str, Any]], gone: Mapping[str, str]) -> bytes:
    """The message. `gone` are components to remove, with their platforms: leaving one out would keep it."""
    device = {
        "identifiers": [_node(box.device_id)],
        "name": box.name,
        "manufacturer": "whosthere",
        "model": f"Face recognition box ({box.model})",
        "sw_version": __version__,
    }
    document = {
        "device": device | ({"suggested_area": box.area} if box.area else {}),
        "origin": {"name": "whosthere", "sw_version": __version__},
        "components": {**entities, **{key: {"platform": platform} for key, platform in gone.items()}},
    }
    return msgspec.json.encode(document)


def announced(payload: bytes) -> dict[str, str]:
    """The components of a discovery message, with their platforms; none when it is not one of ours."""
    try:
        document = msgspec.json.decode(payload, type=_Announced)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {key: component.platform for key, component in document.components.items()}


class DiscoveryAnnouncer:
    """What to announce, as people come to the gallery and leave it. Time is passed in; not thread-safe.

    What an earlier run announced is read back from the broker: who left the gallery while the box was off
    disappears from Home Assistant as well.
    """

    def __init__(
        self,
        settings: HomeAssistantSettings,
        box: Box,
        delay_s: Callable[[float], float] = lambda longest: random.uniform(0, longest),  # noqa: S311  (no secret)
    ) -> None:
        """`delay_s` chooses how long to wait after Home Assistant's birth, at most as long as it is told."""
        self.topic = discovery_topic(settings.discovery_prefix, box.device_id)
        self.birth_topic = f"{settings.discovery_prefix}/status"
        self._settings = settings
        self._box = box
        self._delay_s = delay_s
        self._people: Sequence[tuple[str, str]] | None = None
        self._controls: ControlsPayload | None = None
        self._gone: dict[str, str] = {}
        self._told: dict[str, str] = {}
        """Components announced so far, by this run or an earlier one."""
        self._listened = False
        self._listen_until: float | None = None
        self._again_at: float | None = None

    def connected(self, now: float) -> None:
        if not self._listened:
            self._listen_until = now + _LISTEN_S

    def found(self, payload: bytes) -> None:
        """The broker retains this from an earlier run."""
        self._told = announced(payload) | self._told
        self._listened = True

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """The gallery in force, as (id, name)."""
        self._people = tuple(people)

    def controls(self, controls: ControlsPayload) -> None:
        self._controls = controls

    def born(self, now: float) -> None:
        """Home Assistant has started: it is told again, after a random delay lest all boxes speak at once."""
        self._again_at = now + self._delay_s(self._settings.birth_delay_s)

    def due(self, now: float) -> bool:
        """Whether it is time to say it again; once for each birth."""
        if self._again_at is None or now < self._again_at:
            return False
        self._again_at = None
        return True

    def payload(self, now: float) -> bytes | None:
        """The message of this moment; None: too little is known yet."""
        if self._listen_until is not None and now >= self._listen_until:
            self._listened = True
        if self._people is None or self._controls is None or not self._listened:
            return None
        entities = components(self._box, self._people, self._controls)
        gone = {key: platform for key, platform in self._told.items() if key not in entities}
        self._told |= {key: str(entity["platform"]) for key, entity in entities.items()}
        return discovery(self._box, entities, gone)

    def accepted(self, payload: bytes) -> None:
        """The broker has taken this message: what it removed need not be named any more."""
        for key in self._told.keys() & _removed(payload):
            del self._told[key]


def announcer(mqtt: MqttSettings, topics: Topics, origin: EventOrigin) -> DiscoveryAnnouncer | None:
    """As the settings want it; None: Home Assistant is told nothing."""
    home = mqtt.home_assistant
    if not home.enabled:
        return None
    name = home.name or display_name(origin.device_id)
    return DiscoveryAnnouncer(home, Box(topics, origin.device_id, name, home.area, origin.model, mqtt.snapshot.enabled))


class _Component(msgspec.Struct):
    platform: str
    unique_id: str | None = None
    automation_type: str | None = None


class _Announced(msgspec.Struct):
    components: dict[str, _Component]


def _removed(payload: bytes) -> set[str]:
    found = msgspec.json.decode(payload, type=_Announced).components
    return {key for key, part in found.items() if part.unique_id is None and part.automation_type is None}


def _node(device_id: str) -> str:
    """Two installations of one base topic never share a device id, so that it is enough."""
    return f"whosthere_{device_id}"


def display_name(device_id: str) -> str:
    """`front-door` as people would write it: `Front door`."""
    words = device_id.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else device_id
