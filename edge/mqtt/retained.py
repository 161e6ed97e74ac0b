"""What the box says of itself on retained topics: its status, its camera, who is here, how it is."""

from collections.abc import Callable, Sequence

import msgspec

from edge.mqtt.client import OutgoingMessage
from edge.mqtt.home_assistant.discovery import DiscoveryAnnouncer
from edge.mqtt.payloads import ControlsPayload
from edge.mqtt.presence import HOUSEHOLD, Presence
from edge.mqtt.states import RetainedTopics
from edge.mqtt.topics import NOBODY, OFF, OFFLINE, ON, ONLINE, Topics
from edge.records import Event


class RetainedState:
    """Everything that a new connection has to be told again."""

    def __init__(self, topics: Topics, announcer: DiscoveryAnnouncer | None = None) -> None:
        """Without `announcer` Home Assistant is told nothing."""
        self._topics = topics
        self._announcer = announcer
        self._states = RetainedTopics()
        self._presence = Presence()
        self._people_known = False
        self._strays: set[str] = set()
        """Topics that an earlier run left retained."""
        self.status(online=True)
        self._states.set(topics.last_person, NOBODY)

    def status(self, *, online: bool) -> None:
        self._states.set(self._topics.status, ONLINE if online else OFFLINE)

    def camera(self, *, online: bool) -> None:
        self._states.set(self._topics.camera, ONLINE if online else OFFLINE)

    def health(self, payload: bytes) -> None:
        self._states.set(self._topics.health, payload)

    def picture(self, payload: bytes) -> None:
        self._states.set(self._topics.snapshot, payload)

    def controls(self, controls: ControlsPayload) -> None:
        self._states.set(self._topics.controls, msgspec.json.encode(controls))
        if self._announcer:
            self._announcer.controls(controls)

    def tick(self, now: float) -> None:
        """Tell Home Assistant what has changed, and all again when it has started."""
        if self._announcer is None:
            return
        if (payload := self._announcer.payload(now)) is not None:
            self._states.set(self._announcer.topic, payload)
        if self._announcer.due(now):
            self._states.again(self._announcer.topic)

    def accepted(self, topic: str) -> None:
        """The broker has taken what was told last on this topic."""
        if self._announcer and topic == self._announcer.topic:
            self._announcer.accepted(self._states.value(topic))

    def born(self, now: float) -> None:
        """Home Assistant has started."""
        if self._announcer:
            self._announcer.born(now)

    def people(self, people: Sequence[tuple[str, str]]) -> set[str]:
        """The gallery in force, as (id, name); who is no longer in it, and whose topics are taken back."""
        if self._announcer:
            self._announcer.people(people if len(people) <= HOUSEHOLD else ())
        known, shown = self._presence.known, self._presence.present
        self._presence.people(people)
        self._people_known = True
        left = set(known - self._presence.known)
        for person in shown.keys() - self._presence.present.keys():
            self._states.clear(self._topics.person(person))
        self._show_people()
        self._sweep()
        return left

    def event(self, event: Event) -> None:
        self._presence.update(event)
        self._show_people()

    def nobody(self) -> None:
        """The box no longer sees who is here."""
        self._presence.nobody()
        self._show_people()

    def found(self, topic: str, payload: bytes = b"") -> None:
        """The broker retains this: unless we say it too, it is of an earlier run and has to go."""
        if self._announcer and topic == self._announcer.topic:
            self._announcer.found(payload)
            return
        self._strays.add(topic)
        self._sweep()

    def all_untold(self, now: float) -> None:
        """A new connection: the broker may have forgotten everything."""
        self._states.all_untold()
        if self._announcer:
            self._announcer.connected(now)

    def tell(self, publish: Callable[[OutgoingMessage], int | None]) -> dict[int, str]:
        """Publishes what is new. The topics by number of their PUBACK."""
        return self._states.tell(publish)

    def _show_people(self) -> None:
        for person, here in self._presence.present.items():
            self._states.set(self._topics.person(person), ON if here else OFF)
        name = self._presence.last_name
        self._states.set(self._topics.last_person, name.encode() if name else NOBODY)

    def _sweep(self) -> None:
        """People who left the gallery while we were not running, pictures from when they were allowed."""
        if self._people_known:
            for topic in self._strays:
                if not self._states.knows(topic):
                    self._states.clear(topic)
            self._strays.clear()
