"""The discovery message, through which the box appears in Home Assistant automatically.

One message for the whole device, retained, on `<prefix>/device/<id>/config`
(https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload). An unknown key at its root, in
`device` or in `origin` makes Home Assistant refuse all of it. Keys are abbreviated, as brokers limit a packet's size.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from edge import __version__
from edge.config.mqtt import HomeAssistantSettings
from edge.mqtt.client import IncomingMessage, OutgoingMessage
from edge.mqtt.home_assistant.abbreviations import abbreviated, in_full
from edge.mqtt.home_assistant.entities import components
from edge.mqtt.home_assistant.entity import HomeAssistantDevice
from edge.mqtt.payloads import ControlsPayload
from edge.mqtt.presence import HOUSEHOLD
from edge.mqtt.retained import RetainedTopics

_BORN = b"online"
"""What Home Assistant publishes on its status topic when it has started."""
_LISTEN_S = 1.0
"""After connecting, the message of an earlier run is waited for this long."""


def discovery_topic(prefix: str, device_id: str) -> str:
    return f"{prefix}/device/{_node(device_id)}/config"


def discovery(
    device: HomeAssistantDevice, entities: Mapping[str, Mapping[str, Any]], removed: Mapping[str, str]
) -> bytes:
    """The message. `removed` are platforms by component key: merely leaving a component out would keep it."""
    description = {
        "identifiers": [_node(device.device_id)],
        "name": device.name,
        "manufacturer": "whosthere",
        "model": f"Face recognition box ({device.model})",
        "sw_version": __version__,
    }
    optional = {"suggested_area": device.area, "configuration_url": device.features.page()}
    document = {
        "device": description | {key: value for key, value in optional.items() if value},
        "origin": {"name": "whosthere", "sw_version": __version__},
        "components": {**entities, **{key: {"platform": platform} for key, platform in removed.items()}},
    }
    return msgspec.json.encode(abbreviated(document))


def announced(payload: bytes) -> dict[str, str]:
    """The platforms of a discovery message's components, by key; empty when it is not one of ours."""
    return {key: component.platform for key, component in _components(payload).items()}


class DiscoveryAnnouncer:
    """Keeps the retained discovery message up to date. Time is passed in; for one thread.

    What an earlier run announced is read back from the broker: people who left the gallery while the box was off
    disappear from Home Assistant as well.
    """

    def __init__(
        self,
        settings: HomeAssistantSettings,
        device: HomeAssistantDevice,
        retained: RetainedTopics,
        delay_s: Callable[[float], float] = lambda longest: random.uniform(0, longest),  # noqa: S311  (no secret)
    ) -> None:
        """`delay_s` picks how long to wait after Home Assistant has started, up to the longest delay."""
        self._settings = settings
        self._device = device
        self._retained = retained
        self._delay_s = delay_s
        self._topic = discovery_topic(settings.discovery_prefix, device.device_id)
        self._birth_topic = f"{settings.discovery_prefix}/status"
        self._people: Sequence[tuple[str, str]] | None = None
        self._controls: ControlsPayload | None = None
        self._page: str | None = None
        self._announced: dict[str, str] = {}
        """Platforms of the components announced so far, by this run or an earlier one."""
        self._message: bytes | None = None
        """None: it must be built again."""
        self._listened = False
        self._listen_until: float | None = None
        self._again_at: float | None = None

    @property
    def filters(self) -> list[str]:
        """The topics to subscribe to. Where nothing is announced, an earlier message is still found, and cleared."""
        return [self._topic, self._birth_topic] if self._settings.enabled else [self._topic]

    def connected(self, now: float) -> None:
        if not self._listened:
            self._listen_until = now + _LISTEN_S

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """The current gallery, as (id, name). A crowd gets no entities."""
        shown = tuple(people) if len(people) <= HOUSEHOLD else ()
        if shown != self._people:
            self._people, self._message = shown, None

    def controls(self, controls: ControlsPayload) -> None:
        if controls != self._controls:
            self._controls, self._message = controls, None

    def receive(self, message: IncomingMessage, now: float) -> bool:
        """Whether a message is Home Assistant's birth, or on the topic of the discovery message."""
        if not self._settings.enabled or message.topic not in (self._topic, self._birth_topic):
            return False
        if message.topic == self._topic:
            if message.retained and message.payload:
                self._found(message.payload)
        elif message.payload == _BORN and not message.retained:
            # Each box waits for a random time, so that they do not all publish at once.
            self._again_at = now + self._delay_s(self._settings.birth_delay_s)
        return True

    def tick(self, now: float) -> None:
        """Set the retained message when something has changed; publish it once more after each birth."""
        if self._listen_until is not None and now >= self._listen_until:
            self._listened = True
        if (page := self._device.features.page()) != self._page:
            self._page, self._message = page, None
        if self._message is None and (message := self._built()) is not None:
            self._message = message
            self._retained.set(self._topic, message)
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            self._retained.republish(self._topic)

    def accepted(self, message: OutgoingMessage) -> None:
        """The broker has accepted a message: if it is of ours, what it removed is not named again."""
        if message.topic != self._topic or not self._settings.enabled:
            return
        removed = self._announced.keys() & _removed(message.payload)
        for key in removed:
            del self._announced[key]
        if removed:
            self._message = None

    def _found(self, payload: bytes) -> None:
        """The broker retains this message."""
        found = announced(payload) | self._announced
        if found != self._announced:
            self._announced, self._message = found, None
        self._listened = True

    def _built(self) -> bytes | None:
        """The message of this moment; None: too little is known yet."""
        if not self._settings.enabled or self._people is None or self._controls is None or not self._listened:
            return None
        entities = components(self._device, self._people, self._controls)
        removed = {key: platform for key, platform in self._announced.items() if key not in entities}
        self._announced |= {key: str(entity["platform"]) for key, entity in entities.items()}
        return discovery(self._device, entities, removed)


class _Component(msgspec.Struct):
    platform: str
    unique_id: str | None = None
    automation_type: str | None = None


class _Announced(msgspec.Struct):
    components: dict[str, _Component]


def _removed(payload: bytes) -> set[str]:
    parts = _components(payload)
    return {key for key, part in parts.items() if part.unique_id is None and part.automation_type is None}


def _components(payload: bytes) -> dict[str, _Component]:
    """The components of an encoded message, with long keys or short ones; empty when it is not one of ours."""
    try:
        document = in_full(msgspec.json.decode(payload, type=dict[str, Any]))
        return msgspec.convert(document, _Announced).components
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return {}


def _node(device_id: str) -> str:
    """Two installations of one base topic never share a device id, so that it is enough."""
    return f"whosthere_{device_id}"
