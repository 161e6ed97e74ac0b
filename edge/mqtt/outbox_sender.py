"""Waiting events to the broker: strictly in order, one at a time, removed only once acknowledged.

No event is lost, whatever is killed, and none overtakes another. An event can arrive twice only when the connection,
the process or the power fails after the broker accepted it and before that was recorded here: one network round trip
and one write of a few hundred bytes, for the one event under way. Subscribers recognise it by its `event_id`.
"""

import math
from collections.abc import Callable

from edge.mqtt.client import OutgoingMessage
from edge.mqtt.outbox import Outbox
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.mqtt.reconnect import BrokerConnection, Delivery
from edge.mqtt.topics import Topics
from edge.mqtt.visit_payloads import marked

_REFUSED_MIN_S = 2.0
_REFUSED_MAX_S = 300.0


class OutboxSender:
    """Sends the outbox's events over a connection."""

    def __init__(
        self,
        outbox: Outbox,
        connection: BrokerConnection,
        topics: Topics,
        expiry_s: int,
        boot_clock: Callable[[], BootTime],
    ) -> None:
        self._outbox = outbox
        self._connection = connection
        self._topics = topics
        self._expiry_s = expiry_s
        self._boot_clock = boot_clock
        self._under_way = False
        self._connected_at: BootTime | None = None
        self._not_before = 0.0
        self._refused_s = _REFUSED_MIN_S
        self.late = 0
        """Events sent to `visit/late`."""

    @property
    def blocked(self) -> bool:
        """The broker refuses the topic: nothing is sent until it changes its mind."""
        return self._refused_s > _REFUSED_MIN_S

    def connected(self) -> None:
        """There is a new connection: events from before it are delayed, if not late."""
        self._connected_at = self._boot_clock()

    def tick(self, now: float) -> None:
        """Send the next event, unless one is under way."""
        if self._under_way or not self._connection.connected or now < self._not_before:
            return
        entry = self._outbox.head(now)
        if entry is None:
            return
        message, late = self._message(entry)
        # Before: a message that is too large is refused at once.
        self._under_way = True
        if not self._connection.publish(message, now, lambda delivery, at: self._on_delivery(delivery, late, at)):
            self._under_way = False

    def _on_delivery(self, delivery: Delivery, late: bool, now: float) -> None:
        self._under_way = False
        match delivery:
            case Delivery.ACCEPTED:
                self._refused_s = _REFUSED_MIN_S
                self.late += late
                self._outbox.sent(now)
            case Delivery.REFUSED:
                self._not_before = now + self._refused_s
                self._refused_s = min(self._refused_s * 2, _REFUSED_MAX_S)
            case Delivery.UNKNOWN:
                # It may have arrived: it goes out again, as delayed.
                self._not_before = 0.0

    def _message(self, entry: OutboxEntry) -> tuple[OutgoingMessage, bool]:
        """The message for an entry, and whether it is late.

        Its age counts at this last moment. An event from before the last boot is always late. One from before this
        connection is delayed: it waited for the end of an outage, or was under way when one began and may have arrived.
        """
        age = entry.at.age_s(self._boot_clock())
        # A moment that is yet to come, or none at all, is the work of a failing card.
        left = math.floor(self._expiry_s - age) if age is not None and 0 <= age <= self._expiry_s else 0
        if left < 1:
            return OutgoingMessage(self._topics.visit_late, marked(entry.payload, late=True)), True
        payload = marked(entry.payload, delayed=True) if self._waited(entry) else entry.payload
        return OutgoingMessage(self._topics.visit, payload, expiry_s=left), False

    def _waited(self, entry: OutboxEntry) -> bool:
        return self._connected_at is not None and (entry.at.age_s(self._connected_at) or 0.0) > 0
