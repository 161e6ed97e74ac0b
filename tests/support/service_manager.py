"""A service manager for the daemon: a real notification socket that remembers what was sent."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.daemon import WAIT_S


class FakeServiceManager:
    """Listens where sd_notify(3) sends: at a path, or at an abstract address that begins with `@`."""

    def __init__(self, address: str) -> None:
        self.environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000"}
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, line: str, count: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.lines.count(line) >= count, WAIT_S), self.lines

    def close(self) -> None:
        # Closing alone does not wake a thread that reads.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                message = self._socket.recv(4096).decode()
            except OSError:
                return
            if not message:
                return
            with self._changed:
                self.lines += message.splitlines()
                self._changed.notify_all()


@contextmanager
def service_manager(address: str | Path) -> Iterator[FakeServiceManager]:
    manager = FakeServiceManager(str(address))
    try:
        yield manager
    finally:
        manager.close()
