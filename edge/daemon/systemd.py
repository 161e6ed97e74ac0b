"""What a systemd service needs: sd_notify(3) over a socket, and logging to the journal or the terminal."""

import importlib
import logging
import os
import socket
import sys
import time
from typing import Protocol

from edge.events import Event, EventKind
from edge.terminal import safe_lines

log = logging.getLogger("whosthere.visits")
service_log = logging.getLogger("whosthere.service")

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"
SEND_S = 1.0
"""A service manager that does not read for longer misses the message; the daemon must not hang with it."""


class Notifier(Protocol):
    """The way to the service manager."""

    def notify(self, message: str) -> None:
        """Send lines of sd_notify(3), such as `READY=1`. Any thread; never raises."""
        ...


class NoServiceManager:
    """Stands in for the service manager when the daemon was started by hand."""

    def notify(self, message: str) -> None:
        """Do nothing."""


class ServiceManager:
    """Sends sd_notify(3) datagrams to a Unix socket."""

    def __init__(self, address: str) -> None:
        """Take the value of $NOTIFY_SOCKET: a path, or `@` and an abstract name."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._failing = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(SEND_S)

    def notify(self, message: str) -> None:
        try:
            # Connected, it waits for room without a load; sendto would try again and again until the time is over.
            self._socket.connect(self._address)
            self._socket.send(message.encode())
            self._failing = False
        except OSError as error:
            if not self._failing:
                service_log.warning("NOTIFY_SOCKET: cannot notify the service manager: %s", error.strerror or error)
            self._failing = True


def notifier() -> Notifier:
    """The service manager that started this process with $NOTIFY_SOCKET, else a stand-in."""
    address = os.environ.get("NOTIFY_SOCKET")
    return ServiceManager(address) if address else NoServiceManager()


def reloading() -> str:
    """The message that a reload has begun; `READY=1` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


def set_up_logging(level: str, camera: str) -> None:
    """Log to the journal, with a CAMERA field, when systemd reads standard error; otherwise to standard error.

    Without systemd-python, the journal gets the same lines as a terminal, without fields.
    """
    root = logging.getLogger("whosthere")
    root.setLevel(level.upper())
    root.propagate = False
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(_journal_handler(camera) or _terminal_handler())


def _journal_handler(camera: str) -> logging.Handler | None:
    if not os.environ.get("JOURNAL_STREAM"):
        return None
    try:
        journal = importlib.import_module("systemd.journal")
    except ImportError:
        return None
    handler: logging.Handler = journal.JournalHandler(SYSLOG_IDENTIFIER="whosthere", CAMERA=camera)
    return handler


class _SafeFormatter(logging.Formatter):
    """Lines that a terminal shows without obeying them: names and answers of other hosts occur in them."""

    def format(self, record: logging.LogRecord) -> str:
        return safe_lines(super().format(record))


def _terminal_handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_SafeFormatter(LOG_FORMAT, datefmt="%H:%M:%S"))
    return handler


def log_event(event: Event) -> None:
    """Write one line per event; in the journal, visit, kind and person are fields as well."""
    person = event.match.person if event.match else None
    who = f" {person.name}" if person and event.kind is EventKind.RECOGNIZED else ""
    fields = {
        "VISIT_ID": event.visit_id,
        "EVENT_TYPE": event.kind.value,
        "PERSON_ID": person.person_id if person else "",
    }
    log.info("visit %s: %s%s", event.visit_id, event.kind.value, who, extra=fields)
