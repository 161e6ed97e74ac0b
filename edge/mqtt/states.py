"""Retained topics: the latest value of each, told again on every new connection."""

from collections.abc import Callable

from edge.mqtt.client import OutgoingMessage


class RetainedTopics:
    """Values by topic, and which of them the broker has not been given yet."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._untold: dict[str, None] = {}
        """A dict for its order: topics are told in the order in which they changed."""

    def set(self, topic: str, payload: bytes) -> None:
        """Nothing is sent when the value is the one already there."""
        if self._values.get(topic) != payload:
            self._values[topic] = payload
            self._untold[topic] = None

    def clear(self, topic: str) -> None:
        """Make the broker forget the topic, now or on the next connection."""
        if self._values.get(topic) != b"":
            self._values[topic] = b""
            self._untold[topic] = None

    def knows(self, topic: str) -> bool:
        """Has this topic a value (or been cleared)?"""
        return topic in self._values

    def again(self, topic: str) -> None:
        """Tell this one again though it has not changed."""
        if topic in self._values:
            self._untold[topic] = None

    def value(self, topic: str) -> bytes:
        """What was set last; empty when nothing was."""
        return self._values.get(topic, b"")

    def all_untold(self) -> None:
        """A new connection: the broker may have forgotten everything."""
        self._untold = dict.fromkeys(self._values)

    def tell(self, publish: Callable[[OutgoingMessage], int | None]) -> dict[int, str]:
        """Publishes what is new, until `publish` returns None. The topics by number of their PUBACK."""
        pending: dict[int, str] = {}
        for topic in list(self._untold):
            mid = publish(OutgoingMessage(topic, self._values[topic], retain=True))
            if mid is None:
                break
            pending[mid] = topic
            del self._untold[topic]
        return pending
