"""An MQTT broker inside the demo's own process, on a loopback port (amqtt: MQTT 3.1.1 only)."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import BrokerError, UsageError

START_S = 10.0


@contextmanager
def embedded_broker() -> Iterator[int]:
    """Run a broker while the body runs, and give its port.

    Raises UsageError when the demo extra is not installed, and BrokerError when the broker does not start.
    """
    try:
        from amqtt.broker import Broker  # noqa: PLC0415  (the demo extra)
    except ImportError as error:
        raise UsageError("the demo needs the package amqtt: pip install 'whosthere[demo]'") from error
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    port = free_port()
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        broker = Broker(_config(port))
        await broker.start()
        started.set()
        await stop.wait()
        await broker.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="broker", daemon=True)
    thread.start()
    try:
        if not started.wait(START_S):
            raise BrokerError(f"the embedded broker did not start on 127.0.0.1:{port} within {START_S:.0f} s")
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_S)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _config(port: int) -> dict[str, object]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
