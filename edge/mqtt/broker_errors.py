"""What went wrong between us and the broker, in words that say what to do about it."""

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
    """True: it stays so until a person changes something; False: it may pass by itself."""


def where(settings: MqttSettings) -> str:
    return f"{settings.host}:{settings.port}"


def cannot_connect(error: Exception, settings: MqttSettings) -> OutageReason:
    """Of an error raised while the connection was being opened."""
    at = where(settings)
    match error:
        case socket.gaierror():
            text = (
                f"mqtt.host: {settings.host!r} has no address ({error.strerror}); check its spelling and this box's DNS"
            )
            return OutageReason(text, lasting=False)
        case ssl.SSLError():
            return OutageReason(_tls(error, settings), lasting=True)
        case ConnectionRefusedError():
            text = f"mqtt.host, mqtt.port: nothing listens at {at}; does the broker run, and is this its port?"
            return OutageReason(text, lasting=False)
        case TimeoutError():
            return OutageReason(
                f"mqtt.host, mqtt.port: no answer from {at}; wrong address, or a firewall between?", lasting=False
            )
        case ConnectionResetError() if settings.tls.enabled:
            return OutageReason(_not_tls(at), lasting=True)
        case _:
            return OutageReason(f"mqtt.host, mqtt.port: cannot connect to {at}: {error}", lasting=False)


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
    return f"mqtt.tls.enabled: {at} does not speak TLS; is this its TLS port (usually 8883)? Otherwise turn TLS off"


def _client_certificate(settings: MqttSettings) -> str:
    if settings.tls.certificate_file is None:
        return "perhaps it wants a client certificate: mqtt.tls.certificate_file and key_file"
    return f"does it accept the client certificate {settings.tls.certificate_file} (mqtt.tls.certificate_file)?"


def refused(code: int, name: str, settings: MqttSettings) -> OutageReason:
    """Of a CONNACK with a failure; `code` is of MQTT 5 whatever the protocol."""
    at = where(settings)
    match code:
        case 134 | 135 if settings.username is None and settings.tls.certificate_file is None:
            text = f"the broker {at} lets nobody in without a name: set mqtt.username and mqtt.password_file"
        case 134 | 135:
            text = (
                f"mqtt.username, mqtt.password_file: the broker {at} refuses user {settings.username!r}: {name}; "
                "check both, and that the broker knows this user"
            )
        case 132:
            text = f"mqtt.protocol: the broker {at} does not speak MQTT {settings.protocol}; try the other one"
        case 136 | 137:
            return OutageReason(f"the broker {at} is busy or not ready: {name}", lasting=False)
        case _:
            text = f"the broker {at} refuses the connection: {name} ({code})"
    return OutageReason(text, lasting=True)


def lost(code: int, name: str, settings: MqttSettings, client_id: str) -> OutageReason:
    """Of an established connection that ended."""
    at = where(settings)
    if code == 142:
        return OutageReason(
            f"another client took over the session {client_id!r} at {at}: {_TWINS}",
            lasting=True,
        )
    if code in {135, 152}:
        return OutageReason(f"the broker {at} ended the connection: {name} ({code}); ask who runs it", lasting=True)
    if code == 128:
        name = "the broker went away, or the network did"
    return OutageReason(f"the connection to the broker {at} was lost: {name}", lasting=False)


def flapping(reason: OutageReason, times: int, client_id: str) -> OutageReason:
    """Of connections that break soon after they were made, again and again.

    Brokers before mosquitto 2.0.15 do not say that a session was taken over; it looks like this.
    """
    text = f"{reason.text}, {times} times in a row: does another client use the id {client_id!r}? Then {_TWINS}"
    return OutageReason(text, lasting=True)


def silent(settings: MqttSettings) -> OutageReason:
    """Of a broker that takes the connection and then says nothing."""
    text = f"mqtt.host, mqtt.port: the broker {where(settings)} does not answer in time; is it one?"
    if settings.protocol == "5":
        text += " One that knows nothing newer than MQTT 3.1.1 may be silent too: mqtt.protocol"
    return OutageReason(text, lasting=False)


def hung_up(settings: MqttSettings) -> OutageReason:
    """Of a broker that closed the connection in place of answering to our CONNECT."""
    at = where(settings)
    if settings.tls.enabled:
        return OutageReason(
            f"mqtt.tls: the broker {at} closed the connection at once; {_client_certificate(settings)}", lasting=True
        )
    text = f"the broker {at} closed the connection at once; if this is its TLS port, set mqtt.tls.enabled"
    return OutageReason(text, lasting=True)


def denied(topic: str, code: int, name: str) -> str:
    """Of a publish or a subscription that the broker did not accept."""
    if code == 135:
        return f"{topic}: the broker's ACL denies it; `whosthere broker-acl` prints what this box's user needs"
    return f"{topic}: the broker does not accept it: {name} ({code})"
