"""A broker for the benchmark: mosquitto where it is installed, else the demo's own."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from edge.demo.broker import embedded_broker, free_port

PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
START_S = 30.0


class RunningBroker(NamedTuple):
    """A broker on the loopback interface."""

    name: str
    port: int

    @property
    def settings(self) -> dict[str, str | int]:
        """The section `mqtt` of a box that speaks to it."""
        known: dict[str, str | int] = {"host": "127.0.0.1", "port": self.port}
        # The demo's own speaks nothing newer.
        return known if self.name == "mosquitto" else known | {"protocol": "3.1.1"}


@contextmanager
def running_broker() -> Iterator[RunningBroker]:
    """Run a broker while the body runs."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path=PLACES)
    if mosquitto is None:
        with embedded_broker() as port:
            yield RunningBroker("amqtt", port)
        return
    with tempfile.TemporaryDirectory(prefix="whosthere-broker-") as folder:
        port = free_port()
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n", encoding="ascii")
        process = subprocess.Popen([mosquitto, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield RunningBroker("mosquitto", port)
        finally:
            process.terminate()
            process.wait(START_S)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), START_S):
            return
        time.sleep(0.05)
    raise SystemExit(f"mosquitto did not open 127.0.0.1:{port} within {START_S:.0f} s")
