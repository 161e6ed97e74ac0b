"""The retained topics: what the box publishes about itself, again on every new connection."""

from collections.abc import Callable, Sequence

import msgspec

from edge.events import Event
from edge.mqtt.client import OutgoingMessage
from edge.mqtt.payloads import ControlsPayload, HealthPayload
from edge.mqtt.presence import Presence
from edge.mqtt.topics import NOBODY, OFF, OFFLINE, ON, ONLINE, Topics


class RetainedTopics:
    """The value of each topic, and which values have yet to be published."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._unpublished: dict[str, None] = {}
        """A dict for its order: topics are published in the order in which they changed."""

    def set(self, topic: str, payload: bytes) -> None:
        """Nothing is published when the value is the present one."""
        if self._values.get(topic) != payload:
            self._values[topic] = payload
            self._unpublished[topic] = None

    def clear(self, topic: str) -> None:
        """Make the broker forget the topic, now or on the next connection."""
        self.set(topic, b"")

    def __contains__(self, topic: str) -> bool:
        """Whether this run has set the topic, or cleared it."""
        return topic in self._values

    def value(self, topic: str) -> bytes:
        """What was set last; empty when nothing was."""
        return self._values.get(topic, b"")

    def republish(self, topic: str) -> None:
        """Publish this topic once more though it has not changed."""
        if topic in self._values:
            self._unpublished[topic] = None

    def republish_all(self) -> None:
        """On a new connection the broker may have forgotten everything."""
        self._unpublished = dict.fromkeys(self._values)

    def publish_changes(self, publish: Callable[[OutgoingMessage], bool]) -> None:
        """Publish what has changed, until `publish` returns False; the rest stays for the next time."""
        for topic in list(self._unpublished):
            if not publish(OutgoingMessage(topic, self._values[topic], retain=True)):
                return
            del self._unpublished[topic]


class RetainedState:
    """The state of the box, on its own retained topics: its status and camera, who is present, how it is."""

    def __init__(self, topics: Topics, retained: RetainedTopics) -> None:
        self._topics = topics
        self._retained = retained
        self._presence = Presence()
        self._people_known = False
        self._leftovers: set[str] = set()
        """Topics that an earlier run left retained."""
        self.status(online=True)
        retained.set(topics.last_person, NOBODY)

    def status(self, *, online: bool) -> None:
        self._retained.set(self._topics.status, ONLINE if online else OFFLINE)

    def camera(self, *, online: bool) -> None:
        self._retained.set(self._topics.camera, ONLINE if online else OFFLINE)

    def health(self, payload: HealthPayload) -> None:
        self._retained.set(self._topics.health, msgspec.json.encode(payload))

    def controls(self, payload: ControlsPayload) -> None:
        self._retained.set(self._topics.controls, msgspec.json.encode(payload))

    def picture(self, jpeg: bytes) -> None:
        self._retained.set(self._topics.snapshot, jpeg)

    def people(self, people: Sequence[tuple[str, str]]) -> set[str]:
        """Take the current gallery, as (id, name). The ids of those who have left it; their topics are cleared."""
        known, shown = self._presence.known, self._presence.present
        self._presence.people(people)
        self._people_known = True
        for person in shown.keys() - self._presence.present.keys():
            self._retained.clear(self._topics.person(person))
        self._set_people()
        self._clear_leftovers()
        return set(known - self._presence.known)

    def event(self, event: Event) -> None:
        self._presence.update(event)
        self._set_people()

    def nobody(self) -> None:
        """Nobody is present any more: the box has stopped watching."""
        self._presence.nobody()
        self._set_people()

    def found(self, topic: str) -> None:
        """The broker retains this topic. Unless this run sets it too, it is a leftover and is cleared."""
        self._leftovers.add(topic)
        self._clear_leftovers()

    def _set_people(self) -> None:
        for person, present in self._presence.present.items():
            self._retained.set(self._topics.person(person), ON if present else OFF)
        name = self._presence.last_name
        self._retained.set(self._topics.last_person, name.encode() if name else NOBODY)

    def _clear_leftovers(self) -> None:
        """People who left the gallery while the box was off, and pictures from when they were allowed."""
        if not self._people_known:
            return
        for topic in self._leftovers:
            if topic not in self._retained:
                self._retained.clear(topic)
        self._leftovers.clear()
