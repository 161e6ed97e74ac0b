"""One connection to the broker. The only user of paho, whose automatic reconnection is off.

paho would resend unchanged the messages that were under way when the connection broke: a recognition from minutes ago
could then reach `visit` as if it were new. A session therefore ends with its connection, and its owner decides again
what to send on the next one.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.config.mqtt import MqttSettings
from edge.config.secret_file import read_secret
from edge.errors import ConfigError
from edge.mqtt import broker_errors as explain
from edge.mqtt.broker_errors import OutageReason

CONNECT_TIMEOUT_S = 10.0
_FAILURE = 128
"""Reason codes from here on are failures (MQTT 5.0, 2.4)."""
_MAX_PACKET = 1 << 20
"""The broker is asked not to send anything larger."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to publish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None
    """How long the broker may keep it; MQTT 5 only."""
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted the connection."""

    session: "BrokerSession"


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection failed or has ended; the last signal of a session."""

    session: "BrokerSession"
    reason: OutageReason
    announced: bool = False
    """Whether the broker ended it with a DISCONNECT packet (MQTT 5), so that it was not killed."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker's answer to a publish: its PUBACK."""

    session: "BrokerSession"
    mid: int
    problem: tuple[int, str] | None
    """Reason code and its name; None: accepted."""


@dataclass(frozen=True, slots=True)
class NotSubscribed:
    """The broker refuses a subscription."""

    session: "BrokerSession"
    topic: str
    code: int
    name: str


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message on a subscribed topic."""

    session: "BrokerSession"
    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None


Signal = Connected | Lost | Acknowledged | NotSubscribed | IncomingMessage


class BrokerSession:
    """One connection, from CONNECT to its end. `notify` is called from other threads and must not block."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        notify: Callable[[Signal], None],
        *,
        will: OutgoingMessage | None = None,
        filters: Sequence[str] = (),
    ) -> None:
        """Raises ConfigError when the password or a certificate cannot be read."""
        self._settings = settings
        self._client_id = client_id
        self._notify = notify
        self._filters = filters
        self._subscriptions: dict[int, str] = {}
        self._accepted = False
        self._unwanted = False
        """Closed or aborted: a connection that is still made is closed at once."""
        self._ended = threading.Lock()
        self._v5 = settings.protocol == "5"
        self.max_packet: int | None = None
        """The largest packet that the broker accepts, in bytes; None: it has not said."""
        self._client = self._configured(will)

    def open(self) -> None:
        """Start to connect; `notify` gets Connected or Lost. Never blocks."""
        threading.Thread(target=self._connect, name="mqtt-connect", daemon=True).start()

    def packet_size(self, message: OutgoingMessage) -> int:
        """The size of a message's PUBLISH packet in bytes, at most (MQTT 5.0, 3.3)."""
        properties = self._properties(message)
        # Type, remaining length, the topic's length, packet identifier.
        overhead = 1 + 4 + 2 + 2 + (len(properties.pack()) if properties else 0)  # type: ignore[no-untyped-call]
        return overhead + len(message.topic.encode()) + len(message.payload)

    def publish(self, message: OutgoingMessage) -> int | None:
        """Send a message. The number that its Acknowledged will carry; None: not connected."""
        info = self._client.publish(
            message.topic, message.payload, qos=1, retain=message.retain, properties=self._properties(message)
        )
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def close(self) -> None:
        """Say goodbye: the broker does not publish the will."""
        self._unwanted = True
        self._client.disconnect()

    def abort(self) -> None:
        """Drop the connection without a DISCONNECT: the broker publishes the will."""
        self._unwanted = True
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _configured(self, will: OutgoingMessage | None) -> Client:
        settings = self._settings
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if self._v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if settings.username is not None:
            client.username_pw_set(settings.username, _password(settings))
        if settings.tls.enabled:
            client.tls_set_context(_tls_context(settings))
        if will:
            client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _limits(self) -> Properties | None:
        if not self._v5:
            return None
        properties = _properties(PacketTypes.CONNECT)
        properties.MaximumPacketSize = _MAX_PACKET
        return properties

    def _properties(self, message: OutgoingMessage) -> Properties | None:
        if not self._v5:
            return None
        properties = _properties(PacketTypes.PUBLISH)
        if message.expiry_s is not None:
            properties.MessageExpiryInterval = message.expiry_s
        if message.correlation is not None:
            properties.CorrelationData = message.correlation
        return properties

    def _connect(self) -> None:
        settings = self._settings
        try:
            self._client.connect(
                settings.host, settings.port, keepalive=settings.keepalive_s, properties=self._limits()
            )
        except (OSError, ValueError) as error:
            self._end(explain.cannot_connect(error, settings))
            return
        self._client.loop_start()

    def _subscribe(self) -> None:
        # noLocal: `command/#` would return our own results.
        for topic in self._filters:
            if self._v5:
                _, mid = self._client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
            else:
                _, mid = self._client.subscribe(topic, qos=1)
            if mid is not None:
                self._subscriptions[mid] = topic

    def _end(self, reason: OutageReason, *, announced: bool = False) -> None:
        """Signal the first reason only: any other is its consequence."""
        if self._ended.acquire(blocking=False):
            self._notify(Lost(self, reason, announced))

    def _on_connect(self, _c: Client, _u: object, _f: ConnectFlags, code: ReasonCode, p: Properties | None) -> None:
        if code.is_failure:
            self._end(explain.refused(code.value, code.getName(), self._settings))
            return
        if self._unwanted:
            self._client.disconnect()
            return
        self._accepted = True
        self.max_packet = getattr(p, "MaximumPacketSize", None)
        self._notify(Connected(self))
        self._subscribe()

    def _on_disconnect(
        self, _c: Client, _u: object, flags: DisconnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if self._accepted:
            reason = explain.lost(code.value, code.getName(), self._settings, self._client_id)
            self._end(reason, announced=flags.is_disconnect_packet_from_server)
        else:
            self._end(explain.hung_up(self._settings))

    def _on_publish(self, _c: Client, _u: object, mid: int, code: ReasonCode, _p: Properties) -> None:
        self._notify(Acknowledged(self, mid, (code.value, code.getName()) if code.value >= _FAILURE else None))

    def _on_subscribe(self, _c: Client, _u: object, mid: int, codes: list[ReasonCode], _p: Properties | None) -> None:
        topic = self._subscriptions.pop(mid, "")
        for code in codes:
            if code.value >= _FAILURE:
                self._notify(NotSubscribed(self, topic, code.value, code.getName()))

    def _on_message(self, _c: Client, _u: object, message: MQTTMessage) -> None:
        response = getattr(message.properties, "ResponseTopic", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        self._notify(
            IncomingMessage(self, message.topic, bytes(message.payload), message.retain, response, correlation)
        )


def _properties(packet_type: int) -> Properties:
    # paho has types, but not on this constructor.
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def check_credentials(settings: MqttSettings) -> None:
    """Raises ConfigError when the password or a certificate cannot be read."""
    _password(settings)
    if settings.tls.enabled:
        _tls_context(settings)


def _password(settings: MqttSettings) -> str | None:
    return read_secret(settings.password_file, "mqtt.password_file") if settings.password_file else None


def _tls_context(settings: MqttSettings) -> ssl.SSLContext:
    tls = settings.tls
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise ConfigError(f"mqtt.tls.ca_file: {tls.ca_file} holds no certificates in PEM form: {error}") from error
    if tls.certificate_file:
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file)
        except OSError as error:
            raise ConfigError(
                f"mqtt.tls.certificate_file, mqtt.tls.key_file: {tls.certificate_file} and {tls.key_file} are not a "
                f"certificate and its unencrypted key in PEM form: {error}"
            ) from error
    return context
