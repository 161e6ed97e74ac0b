"""What went wrong between the box and the broker, in words that say what to do about it."""

import socket
import ssl
from dataclasses import dataclass

from edge.config.mqtt import MqttSettings

_TWINS = "two boxes have the same device_id, or whosthere runs twice; give each box its own"


@dataclass(frozen=True, slots=True)
class OutageReason:
    """Why there is no connection."""

    text: str
    lasting: bool
    """True: it stays until somebody changes something. False: it may pass."""


def where(settings: MqttSettings) -> str:
    return f"{settings.host}:{settings.port}"


def cannot_connect(error: Exception, settings: MqttSettings) -> OutageReason:
    """Why a connection could not be opened, from the error that this raised."""
    at = where(settings)
    match error:
        case socket.gaierror():
            text = f"mqtt.host: {settings.host!r} has no address ({error.strerror}); check its spelling and the DNS"
        case ssl.SSLError():
            return OutageReason(_tls(error, settings), lasting=True)
        case ConnectionRefusedError():
            text = f"mqtt.host, mqtt.port: nothing listens at {at}; check that the broker is running, and its port"
        case TimeoutError():
            text = f"mqtt.host, mqtt.port: no answer from {at}; check the address, and any firewall in between"
        case ConnectionResetError() if settings.tls.enabled:
            return OutageReason(_not_tls(at), lasting=True)
        case _:
            text = f"mqtt.host, mqtt.port: cannot connect to {at}: {error}"
    return OutageReason(text, lasting=False)


def _tls(error: ssl.SSLError, settings: MqttSettings) -> str:
    at = where(settings)
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = settings.tls.ca_file or "the system's certificate authorities (mqtt.tls.ca_file is not set)"
        return (
            f"mqtt.tls: the certificate of {at} is not accepted: {error.verify_message}; it must be signed by "
            f"{trusted}, be in date, and name {settings.host!r}"
        )
    if error.reason in {"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE"}:
        return _not_tls(at)
    return f"mqtt.tls: the TLS handshake with {at} failed: {error.reason or error}; {_client_certificate(settings)}"


def _not_tls(at: str) -> str:
    return f"mqtt.tls.enabled: {at} does not speak TLS; set mqtt.port to its TLS port (usually 8883), or turn TLS off"


def _client_certificate(settings: MqttSettings) -> str:
    if settings.tls.certificate_file is None:
        return "it may require a client certificate: mqtt.tls.certificate_file and key_file"
    return f"check that it accepts the client certificate {settings.tls.certificate_file} (mqtt.tls.certificate_file)"


def refused(code: int, name: str, settings: MqttSettings) -> OutageReason:
    """Why the broker refused the connection. `code` is an MQTT 5 reason code under either protocol."""
    at = where(settings)
    match code:
        case 134 | 135 if settings.username is None and settings.tls.certificate_file is None:
            text = f"the broker {at} requires a username: set mqtt.username and mqtt.password_file"
        case 134 | 135:
            text = (
                f"mqtt.username, mqtt.password_file: the broker {at} refuses user {settings.username!r}: {name}; "
                "check both, and that the broker knows this user"
            )
        case 132:
            text = f"mqtt.protocol: the broker {at} does not speak MQTT {settings.protocol}; try the other version"
        case 136 | 137:
            return OutageReason(f"the broker {at} is busy or not ready: {name}", lasting=False)
        case _:
            text = f"the broker {at} refuses the connection: {name} ({code})"
    return OutageReason(text, lasting=True)


def lost(code: int, name: str, settings: MqttSettings, client_id: str) -> OutageReason:
    """Why an established connection ended."""
    at = where(settings)
    if code == 142:
        return OutageReason(f"another client took over the session {client_id!r} at {at}: {_TWINS}", lasting=True)
    if code in {135, 152}:
        return OutageReason(f"the broker {at} ended the connection: {name} ({code}); ask its operator", lasting=True)
    if code == 149:
        text = f"the broker {at} ended the connection: a message was larger than it accepts; raise its limit"
        return OutageReason(text, lasting=True)
    if code == 128:
        name = "the broker or the network went down"
    return OutageReason(f"lost the connection to the broker {at}: {name}", lasting=False)


def flapping(reason: OutageReason, times: int, client_id: str, largest: str | None = None) -> OutageReason:
    """Why connections break soon after they were made, time after time.

    Brokers before mosquitto 2.0.15 do not say that a session was taken over; it looks like this. So does a message that
    is too large, to brokers that do not say what they accept. `largest` is the largest message under way.
    """
    size = f"; the largest message under way was {largest}: the broker may not accept this size" if largest else ""
    text = f"{reason.text}, {times} times in a row; if another client uses the id {client_id!r}, {_TWINS}{size}"
    return OutageReason(text, lasting=True)


def silent(settings: MqttSettings) -> OutageReason:
    """A broker that accepts the connection and then says nothing."""
    text = f"mqtt.host, mqtt.port: {where(settings)} does not answer in time; check that it is an MQTT broker"
    if settings.protocol == "5":
        text += ". One that only knows MQTT 3.1.1 may be silent too: set mqtt.protocol"
    return OutageReason(text, lasting=False)


def unacknowledged(limit_s: float) -> OutageReason:
    """A broker that no longer acknowledges messages."""
    return OutageReason(f"the broker has acknowledged nothing for {limit_s:.0f} s", lasting=False)


def hung_up(settings: MqttSettings) -> OutageReason:
    """A broker that closed the connection instead of answering our CONNECT."""
    at = where(settings)
    if settings.tls.enabled:
        text = f"mqtt.tls: the broker {at} closed the connection at once; {_client_certificate(settings)}"
    else:
        text = f"the broker {at} closed the connection at once; if this is its TLS port, set mqtt.tls.enabled"
    return OutageReason(text, lasting=True)


def too_large(topic: str, size: int, limit: int) -> str:
    """A message that is larger than the broker's Maximum Packet Size."""
    return (
        f"{topic}: found a message of {size:,} bytes; the broker allows {limit:,}. It is not sent; raise the broker's "
        "limit (mosquitto: max_packet_size)"
    )


def denied(topic: str, code: int, name: str) -> str:
    """A topic that the broker does not let us publish or subscribe to."""
    if code == 135:
        return f"{topic}: the broker's ACL denies it; `whosthere broker-acl` prints the rules that this box needs"
    return f"{topic}: the broker refuses it: {name} ({code})"
