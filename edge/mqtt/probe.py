"""Whether the broker accepts this box: for `whosthere check`."""

import time
from queue import Empty, SimpleQueue

import msgspec

from edge.config.mqtt import MqttSettings
from edge.errors import BrokerError
from edge.mqtt.broker_errors import denied, silent, where
from edge.mqtt.client import Acknowledged, BrokerSession, Connected, Lost, OutgoingMessage, Signal
from edge.mqtt.payloads import CommandResult
from edge.mqtt.topics import Topics


def check_broker(settings: MqttSettings, device_id: str, timeout_s: float = 10.0) -> str:
    """Connect and publish a harmless message on `command/result`. A sentence that says what the broker accepts.

    A running whosthere is not disturbed. Raises BrokerError, and ConfigError when the password or a certificate cannot
    be read.
    """
    topics = Topics(settings.base_topic, device_id)
    signals: SimpleQueue[Signal] = SimpleQueue()
    session = BrokerSession(settings, f"whosthere-{device_id}-check", signals.put)
    deadline = time.monotonic() + timeout_s
    session.open()
    try:
        _await(signals, Connected, deadline, settings)
        result = CommandResult("check", True, "whosthere check may publish here", None)
        session.publish(OutgoingMessage(topics.command_result, msgspec.json.encode(result)))
        answer = _await(signals, Acknowledged, deadline, settings)
    finally:
        session.close()
    if isinstance(answer, Acknowledged) and answer.problem:
        raise BrokerError(denied(topics.command_result, *answer.problem))
    return f"{where(settings)} accepts this box ({_manner(settings)}) and its messages below {topics.root}/"


def _await(signals: SimpleQueue[Signal], kind: type[Signal], deadline: float, settings: MqttSettings) -> Signal:
    while (left := deadline - time.monotonic()) > 0:
        try:
            signal = signals.get(timeout=left)
        except Empty:
            break
        if isinstance(signal, Lost):
            raise BrokerError(signal.reason.text)
        if isinstance(signal, kind):
            return signal
    raise BrokerError(silent(settings).text)


def _manner(settings: MqttSettings) -> str:
    parts = [f"MQTT {settings.protocol}"]
    if settings.tls.enabled:
        parts.append("TLS with a client certificate" if settings.tls.certificate_file else "TLS")
    parts.append(f"user {settings.username}" if settings.username else "no username")
    if settings.protocol != "5":
        parts.append("which does not report what the ACL denies")
    return ", ".join(parts)
