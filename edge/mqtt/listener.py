"""Subscribing to boxes from anywhere: for `whosthere watch`."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from edge.config.mqtt import MqttSettings
from edge.errors import BrokerError
from edge.mqtt.broker_errors import denied
from edge.mqtt.client import BrokerSession, Connected, IncomingMessage, Lost, NotSubscribed, Signal

_RETRY_S = 2.0
_POLL_S = 0.5


def filters(base: str, devices: Sequence[str]) -> list[str]:
    """Topic filters for everything that these boxes publish; without `devices`, for all boxes."""
    return [f"{base}/{device}/#" for device in devices or ["+"]]


def listen(
    settings: MqttSettings, devices: Sequence[str], stop: threading.Event
) -> Iterator[IncomingMessage | Lost | None]:
    """Yield messages until `stop` is set, and None after every half second without one.

    A connection that breaks is yielded as Lost and then made again. Raises BrokerError when the first connection fails
    or the broker refuses the subscription, and ConfigError when the password cannot be read.
    """
    signals: SimpleQueue[Signal] = SimpleQueue()
    connected = False
    while not stop.is_set():
        name = f"whosthere-watch-{secrets.token_hex(4)}"
        session = BrokerSession(settings, name, signals.put, filters=filters(settings.base_topic, devices))
        session.open()
        try:
            for signal in _signals(signals, stop):
                if isinstance(signal, NotSubscribed):
                    raise BrokerError(denied(signal.topic, signal.code, signal.name))
                if isinstance(signal, Lost) and not connected:
                    raise BrokerError(signal.reason.text)
                connected = connected or isinstance(signal, Connected)
                if signal is None or isinstance(signal, IncomingMessage | Lost):
                    yield signal
        finally:
            session.close()
        stop.wait(_RETRY_S)


def _signals(signals: SimpleQueue[Signal], stop: threading.Event) -> Iterator[Signal | None]:
    """The signals of one session, to its end; None after every half second without one."""
    while not stop.is_set():
        try:
            signal = signals.get(timeout=_POLL_S)
        except Empty:
            yield None
            continue
        yield signal
        if isinstance(signal, Lost):
            return
