"""Staying connected: sessions one after another, with backoff; an outage is logged once, and its end once."""

import logging
from collections.abc import Callable, Sequence

from edge.config.mqtt import MqttSettings
from edge.errors import ConfigError
from edge.mqtt import broker_errors as explain
from edge.mqtt.broker_errors import OutageReason, where
from edge.mqtt.client import CONNECT_TIMEOUT_S, BrokerSession, Connected, Lost, OutgoingMessage, Signal

_log = logging.getLogger("whosthere.mqtt")

_DELAY_MIN_S = 1.0
_DELAY_MAX_S = 60.0
_STEADY_S = 30.0
"""A connection that lasted so long counts as good again: the next one is tried soon."""
_FLAPPING = 3
_GIVE_UP_S = 3 * CONNECT_TIMEOUT_S
"""For name look-up, TCP, TLS and the broker's answer together."""


class BrokerConnection:
    """The connection of one box, for as long as it runs. Used by one thread; `post` is called by others."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        post: Callable[[Signal], None],
        *,
        will: OutgoingMessage,
        filters: Sequence[str],
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._post = post
        self._will = will
        self._filters = filters
        self._session: BrokerSession | None = None
        self.connected = False
        self._since = 0.0
        """When the session was begun, or connected."""
        self._delay_s = _DELAY_MIN_S
        self._next_at = 0.0
        self._outage_at: float | None = None
        self._told: set[str] = set()
        """Lasting reasons already logged, until a connection has been steady."""
        self._brief = 0
        """How many connections in a row broke before they were steady."""

    @property
    def settled(self) -> bool:
        """The broker has answered, or its absence has been logged."""
        return self.connected or self._outage_at is not None

    @property
    def connecting(self) -> bool:
        return self._session is not None and not self.connected

    def tick(self, now: float) -> None:
        """Begin a session when it is time to, end one that gets no answer."""
        if self._session is None:
            if now >= self._next_at:
                self._open(now)
        elif not self.connected and now - self._since > _GIVE_UP_S:
            self.drop(explain.silent(self._settings), now)

    def on_connected(self, signal: Connected, now: float) -> bool:
        """True: a new connection stands, on which everything has to be told again."""
        if signal.session is not self._session:
            signal.session.close()
            return False
        self.connected = True
        self._since = now
        if self._outage_at is None:
            _log.info("connected to the broker %s as %s", where(self._settings), self._client_id)
        else:
            _log.info("connected to the broker %s again after %.0f s", where(self._settings), now - self._outage_at)
        self._outage_at = None
        return True

    def on_lost(self, signal: Lost, now: float) -> None:
        if self.owns(signal.session):
            self._lost(signal.reason, now)

    def owns(self, session: BrokerSession) -> bool:
        """Is this the session in use? What others still signal means nothing any more."""
        return session is self._session

    def publish(self, message: OutgoingMessage) -> int | None:
        """The number that its Acknowledged will carry; None: not connected."""
        return self._session.publish(message) if self._session and self.connected else None

    def drop(self, reason: OutageReason, now: float) -> None:
        """Give up the present session; another follows."""
        if self._session:
            self._session.abort()
            self._lost(reason, now)

    def close(self) -> bool:
        """Say goodbye; nothing follows. True: there was a connection, whose Lost will tell that it ended."""
        session, was_connected = self._session, self.connected
        self._session, self.connected = None, False
        if session:
            session.close()
        return was_connected

    def _open(self, now: float) -> None:
        self._since = now
        try:
            # Made anew each time: a password or certificate that was replaced on disk is taken up.
            self._session = BrokerSession(
                self._settings, self._client_id, self._post, will=self._will, filters=self._filters
            )
        except ConfigError as error:
            self._lost(OutageReason(str(error), lasting=True), now)
            return
        self._session.open()

    def _lost(self, reason: OutageReason, now: float) -> None:
        if self.connected and now - self._since >= _STEADY_S:
            self._delay_s = _DELAY_MIN_S
            self._brief = 0
            self._told.clear()
        elif self.connected:
            self._brief += 1
            if self._brief >= _FLAPPING:
                reason = explain.flapping(reason, self._brief, self._client_id)
        self._session, self.connected = None, False
        self._next_at = now + self._delay_s
        self._delay_s = min(self._delay_s * 2, _DELAY_MAX_S)
        self._tell(reason, now)

    def _tell(self, reason: OutageReason, now: float) -> None:
        """The first reason of an outage, and any that needs a person; each once."""
        if self._outage_at is None or (reason.lasting and reason.text not in self._told):
            stop = "" if reason.text.endswith("?") else "."
            _log.warning("%s%s Events wait in the outbox; trying again until it works.", reason.text, stop)
        if self._outage_at is None:
            self._outage_at = now
        if reason.lasting:
            self._told.add(reason.text)
