"""Waiting events to the broker: strictly in order, one at a time, forgotten only once acknowledged.

What that gives: no event is lost, whatever is killed, and none overtakes another. An event can arrive twice
only when the connection, the process or the power fails after the broker took it and before its
acknowledgement was noted here: one network round trip and one write of a few hundred bytes, for the one event that
is under way. Subscribers tell by `event_id`.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from edge.mqtt import payloads
from edge.mqtt.broker_errors import denied
from edge.mqtt.client import Acknowledged, OutgoingMessage
from edge.mqtt.outbox import Outbox
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.mqtt.reconnect import BrokerConnection
from edge.mqtt.topics import Topics

_log = logging.getLogger("whosthere.mqtt")

_DENIED_MIN_S = 2.0
_DENIED_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class _Sent:
    mid: int
    at: float
    message: OutgoingMessage
    late: bool


class OutboxSender:
    """Takes events from the backlog and brings them to the broker."""

    def __init__(
        self, backlog: Outbox, topics: Topics, expiry_s: int, stamp: Callable[[], BootTime], refusals: "RefusedTopics"
    ) -> None:
        self._backlog = backlog
        self._topics = topics
        self._expiry_s = expiry_s
        self._stamp = stamp
        self._refusals = refusals
        self._sent: _Sent | None = None
        self._connected_at: BootTime | None = None
        self._not_before = 0.0
        self._denied_s = _DENIED_MIN_S
        self.late = 0
        """Events sent to `visit/late`."""

    @property
    def blocked(self) -> bool:
        """The broker denies us the topic: nothing moves until it changes its mind."""
        return self._denied_s > _DENIED_MIN_S

    @property
    def waits_since(self) -> float | None:
        """When the event under way was sent."""
        return self._sent.at if self._sent else None

    def connected(self) -> None:
        """A new connection stands: whatever has happened until now comes delayed, if not late."""
        self._connected_at = self._stamp()

    def tick(self, link: BrokerConnection, now: float) -> None:
        """Send the next event, unless one is under way."""
        if self._sent or not link.connected or now < self._not_before:
            return
        entry = self._backlog.head(now)
        if entry is None:
            return
        message, late = self._message(entry)
        mid = link.publish(message)
        if mid is not None:
            self._sent = _Sent(mid, now, message, late)

    def interrupted(self) -> None:
        """The connection is gone: whether the event under way arrived is not known, so it goes again."""
        self._sent = None
        self._not_before = 0.0

    def answered(self, answer: Acknowledged, now: float) -> bool:
        """The broker's answer; False when it is not about an event."""
        if self._sent is None or answer.mid != self._sent.mid:
            return False
        sent, self._sent = self._sent, None
        if answer.problem:
            self._refusals.note(sent.message.topic, *answer.problem)
            self._not_before = now + self._denied_s
            self._denied_s = min(self._denied_s * 2, _DENIED_MAX_S)
            return True
        self._denied_s = _DENIED_MIN_S
        self._refusals.over(sent.message.topic)
        self.late += sent.late
        self._backlog.sent(now)
        return True

    def _message(self, entry: OutboxEntry) -> tuple[OutgoingMessage, bool]:
        """What to send for an entry now, and whether it is late.

        The age is looked at here, at the last moment. An event of before the last boot is always late. One of before
        this connection is delayed: it waited through an outage, or went under way in it and may have arrived.
        """
        age = entry.stamp.age_s(self._stamp())
        left = 0 if age is None else math.floor(self._expiry_s - age)
        if left < 1:
            return OutgoingMessage(self._topics.visit_late, payloads.marked(entry.payload, late=True)), True
        payload = payloads.marked(entry.payload, delayed=True) if self._waited(entry) else entry.payload
        return OutgoingMessage(self._topics.visit, payload, expiry_s=left), False

    def _waited(self, entry: OutboxEntry) -> bool:
        return self._connected_at is not None and (entry.stamp.age_s(self._connected_at) or 0.0) > 0


class RefusedTopics:
    """Topics that the broker does not take from us: each is logged once, and once when it does again."""

    def __init__(self) -> None:
        self._topics: set[str] = set()

    def note(self, topic: str, code: int, name: str) -> None:
        if topic not in self._topics:
            self._topics.add(topic)
            _log.error("%s", denied(topic, code, name))

    def over(self, topic: str) -> None:
        if topic in self._topics:
            self._topics.discard(topic)
            _log.info("%s: the broker accepts it again", topic)
