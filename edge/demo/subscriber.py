"""Subscribes to one box, as home automation would."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import BrokerError

CONNECT_S = 10.0


@contextmanager
def subscriber(port: int, device: str, on_message: Callable[[str, bytes], None]) -> Iterator[None]:
    """Hand every message of a box on a loopback broker to `on_message`, on a thread of its own.

    Raises BrokerError when the broker does not answer.
    """
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)

    def connected(who: Client, _u: object, _f: ConnectFlags, _c: ReasonCode, _p: Properties | None) -> None:
        who.subscribe(f"whosthere/{device}/#", qos=1)

    def granted(_w: Client, _u: object, _m: int, _c: list[ReasonCode], _p: Properties | None) -> None:
        subscribed.set()

    def arrived(_w: Client, _u: object, message: MQTTMessage) -> None:
        on_message(message.topic, bytes(message.payload))

    client.on_connect, client.on_subscribe, client.on_message = connected, granted, arrived
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        if not subscribed.wait(CONNECT_S):
            raise BrokerError(f"the embedded broker on 127.0.0.1:{port} does not answer")
        yield
    finally:
        client.disconnect()
        client.loop_stop()
