"""Waiting events to the broker: strictly in order, one at a time, removed only once acknowledged.

No event is lost, whatever is killed, and none overtakes another. The price is that some arrive twice: the one under
way when the process or the power fails, and those that the broker accepted shortly before the connection broke, since
a broker that is killed loses what it has neither saved nor delivered. Subscribers recognise them by their `event_id`.
"""

import math
from collections import deque
from collections.abc import Callable

from edge.mqtt.client import OutgoingMessage
from edge.mqtt.outbox import Outbox
from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.mqtt.reconnect import BrokerConnection, Delivery
from edge.mqtt.topics import Topics
from edge.mqtt.visit_payloads import marked

_REFUSED_MIN_S = 2.0
_REFUSED_MAX_S = 300.0
AGAIN_S = 5.0
"""What the broker accepted this shortly before the connection broke is sent again. Of 537 events, two had been
acknowledged, but neither saved nor received, when a mosquitto that saves every change was killed 100 times."""


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
        self._accepted: deque[tuple[OutboxEntry, float]] = deque()
        """What the broker has just accepted, and when."""
        self._again: deque[OutboxEntry] = deque()
        """What is sent once more, before anything new."""
        self._connected_at: BootTime | None = None
        self._not_before = 0.0
        self._refused_s = _REFUSED_MIN_S
        self.late = 0
        """Events sent to `visit/late`."""

    @property
    def blocked(self) -> bool:
        """The broker refuses the topic: nothing is sent until it changes its mind."""
        return self._refused_s > _REFUSED_MIN_S

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent, or sent once more, or acknowledged."""
        return not (self._outbox.waiting or self._again or self._connection.busy)

    def connected(self) -> None:
        """There is a new connection: events from before it are delayed, if not late."""
        self._connected_at = self._boot_clock()
        if self._connection.broke_off:
            self._again = deque([*(entry for entry, _ in self._accepted), *self._again])
        self._accepted.clear()

    def forget(self, unwanted: Callable[[OutboxEntry], bool], now: float) -> None:
        """Remove entries that must no longer be sent, from the outbox too."""
        self._outbox.forget(unwanted, now)
        self._accepted = deque(pair for pair in self._accepted if not unwanted(pair[0]))
        self._again = deque(entry for entry in self._again if not unwanted(entry))

    def tick(self, now: float) -> None:
        """Send the next event, unless one is under way."""
        if not self._connection.connected:
            return
        while self._accepted and now - self._accepted[0][1] > AGAIN_S:
            self._accepted.popleft()
        if self._under_way or now < self._not_before:
            return
        again = bool(self._again)
        entry = self._again[0] if again else self._outbox.head(now)
        if entry is None:
            return
        message, late = self._message(entry)
        # Before: a message that is too large is refused at once.
        self._under_way = True

        def on_delivery(delivery: Delivery, at: float) -> None:
            self._on_delivery(delivery, entry, late, at, again=again)

        if not self._connection.publish(message, now, on_delivery):
            self._under_way = False

    def _on_delivery(self, delivery: Delivery, entry: OutboxEntry, late: bool, now: float, *, again: bool) -> None:
        self._under_way = False
        match delivery:
            case Delivery.ACCEPTED:
                self._refused_s = _REFUSED_MIN_S
                self.late += late
                self._accepted.append((entry, now))
                if not again:
                    self._outbox.sent(now)
                elif self._again and self._again[0] is entry:
                    self._again.popleft()
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
