"""A lasting connection to the broker: one session after another, with backoff.

An outage is logged once, and its end once; so is every topic that the broker refuses.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from edge.config.mqtt import MqttSettings
from edge.errors import ConfigError
from edge.mqtt import broker_errors as explain
from edge.mqtt.broker_errors import OutageReason, where
from edge.mqtt.client import (
    CONNECT_TIMEOUT_S,
    Acknowledged,
    BrokerSession,
    Connected,
    IncomingMessage,
    Lost,
    NotSubscribed,
    OutgoingMessage,
    Signal,
)

_log = logging.getLogger("whosthere.mqtt")

_DELAY_MIN_S = 1.0
_DELAY_MAX_S = 60.0
_STEADY_S = 30.0
"""After a connection that lasted this long, the backoff starts over."""
_FLAPPING = 3
_GIVE_UP_S = 3 * CONNECT_TIMEOUT_S
"""For name resolution, TCP, TLS and the broker's answer together."""
_ACKNOWLEDGE_S = 30.0


class Delivery(Enum):
    """The outcome of publishing a message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The connection broke before the broker acknowledged it."""


OnDelivery = Callable[[Delivery, float], None]
"""Called once per published message, with the monotonic time."""


@dataclass(frozen=True, slots=True)
class _Unacknowledged:
    topic: str
    size: int
    sent_at: float
    on_delivery: OnDelivery


class BrokerConnection:
    """The connection of one box for as long as it runs. Time is passed in; for one thread.

    Sessions signal from threads of their own: `post` must bring each signal back to `handle` on this thread.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        post: Callable[[Signal], None],
        *,
        will: OutgoingMessage,
        filters: Sequence[str],
        on_connected: Callable[[float], None],
        on_message: Callable[[IncomingMessage, float], None],
    ) -> None:
        """`on_connected` is called for every new connection, on which all retained topics must be published again."""
        self._settings = settings
        self._client_id = client_id
        self._post = post
        self._will = will
        self._filters = filters
        self._on_connected = on_connected
        self._on_message = on_message
        self._session: BrokerSession | None = None
        self.connected = False
        self.broke_off = False
        """Whether the last connection ended without a word from the broker, as when it is killed."""
        self._closing = False
        self._since = 0.0
        """When the session was opened, or connected."""
        self._delay_s = _DELAY_MIN_S
        self._next_at = 0.0
        self._outage_at: float | None = None
        self._logged: set[str] = set()
        """Lasting reasons already logged, until a connection has been steady."""
        self._brief = 0
        """How many connections in a row broke before they were steady."""
        self._unacknowledged: dict[int, _Unacknowledged] = {}
        self._refused = RefusedTopics()

    @property
    def settled(self) -> bool:
        """The broker has answered, or its absence has been logged."""
        return self.connected or self._outage_at is not None

    @property
    def closed(self) -> bool:
        """There is no session."""
        return self._session is None

    @property
    def busy(self) -> bool:
        """Whether the broker has yet to acknowledge a message."""
        return bool(self._unacknowledged)

    def tick(self, now: float) -> None:
        """Open a session when it is time to; drop one that gets no answer."""
        if self._session is None:
            if now >= self._next_at:
                self._open(now)
        elif not self.connected:
            if now - self._since > _GIVE_UP_S:
                self._drop(explain.silent(self._settings), now)
        elif now - min((sent.sent_at for sent in self._unacknowledged.values()), default=now) > _ACKNOWLEDGE_S:
            self._drop(explain.unacknowledged(_ACKNOWLEDGE_S), now)

    def publish(self, message: OutgoingMessage, now: float, on_delivery: OnDelivery = lambda *_: None) -> bool:
        """Send a message; False: not connected, and it is not kept."""
        if self._session and self.connected and self._too_large(message, self._session):
            on_delivery(Delivery.REFUSED, now)
            return True
        mid = self._session.publish(message) if self._session and self.connected else None
        if mid is None:
            return False
        self._unacknowledged[mid] = _Unacknowledged(message.topic, len(message.payload), now, on_delivery)
        return True

    def handle(self, signal: Signal, now: float) -> None:
        """Act on what a session signals; one that is no longer in use is ignored."""
        if signal.session is not self._session:
            if isinstance(signal, Connected):
                signal.session.close()
            return
        match signal:
            case Connected():
                self._established(now)
            case Lost():
                self.broke_off = not signal.announced
                self._lost(signal.reason, now)
            case Acknowledged():
                self._acknowledged(signal, now)
            case NotSubscribed():
                self._refused.add(signal.topic, explain.denied(signal.topic, signal.code, signal.name))
            case IncomingMessage():
                self._on_message(signal, now)

    def _too_large(self, message: OutgoingMessage, session: BrokerSession) -> bool:
        """Whether the broker would end the connection because of this message."""
        limit, size = session.max_packet, session.packet_size(message)
        if limit is None or size <= limit:
            return False
        self._refused.add(message.topic, explain.too_large(message.topic, size, limit))
        return True

    def close(self) -> None:
        """Say goodbye. The connection is `closed` once its last signal has been handled."""
        self._closing = True
        if self._session:
            self._session.close()
            if not self.connected:
                self._session = None

    def _open(self, now: float) -> None:
        self._since = now
        try:
            # A new one each time: a password or certificate that was replaced on disk is read again.
            self._session = BrokerSession(
                self._settings, self._client_id, self._post, will=self._will, filters=self._filters
            )
        except ConfigError as error:
            self._lost(OutageReason(str(error), lasting=True), now)
            return
        self._session.open()

    def _established(self, now: float) -> None:
        self.connected = True
        self._since = now
        if self._outage_at is None:
            _log.info("connected to the broker %s as %s", where(self._settings), self._client_id)
        else:
            _log.info("connected to the broker %s again after %.0f s", where(self._settings), now - self._outage_at)
        self._outage_at = None
        self._on_connected(now)

    def _acknowledged(self, signal: Acknowledged, now: float) -> None:
        sent = self._unacknowledged.pop(signal.mid, None)
        if sent is None:
            return
        if signal.problem:
            self._refused.add(sent.topic, explain.denied(sent.topic, *signal.problem))
            sent.on_delivery(Delivery.REFUSED, now)
        else:
            self._refused.discard(sent.topic)
            sent.on_delivery(Delivery.ACCEPTED, now)

    def _drop(self, reason: OutageReason, now: float) -> None:
        """Give the session up; another one follows."""
        if self._session:
            self._session.abort()
            self._lost(reason, now)

    def _lost(self, reason: OutageReason, now: float) -> None:
        was_connected = self.connected
        self._session, self.connected = None, False
        open_messages, self._unacknowledged = self._unacknowledged, {}
        for sent in open_messages.values():
            sent.on_delivery(Delivery.UNKNOWN, now)
        if self._closing:
            return
        if was_connected:
            largest = max(open_messages.values(), key=lambda sent: sent.size, default=None)
            reason = self._judged(reason, now, f"{largest.topic} ({largest.size:,} bytes)" if largest else None)
        self._next_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, _DELAY_MAX_S)
        self._log_outage(reason, now)

    def _judged(self, reason: OutageReason, now: float, largest: str | None) -> OutageReason:
        """The reason why a connection broke, which is another one when each breaks at once."""
        if now - self._since >= _STEADY_S:
            self._delay_s = _DELAY_MIN_S
            self._brief = 0
            self._logged.clear()
            return reason
        self._brief += 1
        return reason if self._brief < _FLAPPING else explain.flapping(reason, self._brief, self._client_id, largest)

    def _log_outage(self, reason: OutageReason, now: float) -> None:
        """Log the first reason of an outage and, once each, every reason that somebody has to act on."""
        if self._outage_at is None or (reason.lasting and reason.text not in self._logged):
            _log.warning("%s. Events wait in the outbox; retrying until it works.", reason.text)
        if self._outage_at is None:
            self._outage_at = now
        if reason.lasting:
            self._logged.add(reason.text)


class RefusedTopics:
    """Topics that the broker refuses: each is logged once, and once more when it is accepted again."""

    def __init__(self) -> None:
        self._topics: set[str] = set()

    def add(self, topic: str, reason: str) -> None:
        if topic not in self._topics:
            self._topics.add(topic)
            _log.error("%s", reason)

    def discard(self, topic: str) -> None:
        if topic in self._topics:
            self._topics.discard(topic)
            _log.info("%s: the broker accepts it again", topic)
