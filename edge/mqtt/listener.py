"""Listening to boxes, as anybody may whom the broker lets: for `whosthere watch`."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from edge.config.mqtt import MqttSettings
from edge.errors import BrokerError
from edge.mqtt.broker_errors import denied
from edge.mqtt.client import BrokerSession, Connected, IncomingMessage, Lost, NotSubscribed, Signal

_AGAIN_S = 2.0
_LOOK_S = 0.5


def filters(base: str, devices: Sequence[str]) -> list[str]:
    """All topics of these boxes; of all boxes when none is named."""
    return [f"{base}/{device}/#" for device in devices or ["+"]]


def listen(
    settings: MqttSettings, devices: Sequence[str], stop: threading.Event
) -> Iterator[IncomingMessage | Lost | None]:
    """What arrives, until `stop` is set; None every half second in which nothing does.

    A connection that breaks is given out as Lost, and made again. Raises BrokerError when the first one does not come
    about or the broker does not let us listen, and ConfigError when the password cannot be read.
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
        stop.wait(_AGAIN_S)


def _signals(signals: SimpleQueue[Signal], stop: threading.Event) -> Iterator[Signal | None]:
    """Up to the end of the session."""
    while not stop.is_set():
        try:
            signal = signals.get(timeout=_LOOK_S)
        except Empty:
            yield None
            continue
        yield signal
        if isinstance(signal, Lost):
            return
