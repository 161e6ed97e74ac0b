"""Being a service: readiness, watchdog and status for systemd, and logs for people and for the journal."""

import importlib
import logging
import os
import sys
from typing import Protocol

from edge.errors import WhosthereError
from edge.records import Event, EventKind

log = logging.getLogger("whosthere.visits")

LOG_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class Notifier(Protocol):
    """Tells the service manager how we are."""

    def notify(self, message: str) -> None:
        """Lines of sd_notify(3), such as `READY=1`."""
        ...


class NoServiceManager:
    """Started by hand: nobody to tell."""

    def notify(self, message: str) -> None:
        """Nothing."""


class Systemd:
    """sd_notify(3) through systemd-python."""

    def __init__(self) -> None:
        try:
            daemon = importlib.import_module("systemd.daemon")
        except ImportError as error:
            raise WhosthereError(
                "started by systemd with Type=notify, but systemd-python is missing: apt install python3-systemd, "
                "and make the virtual environment with --system-site-packages"
            ) from error
        self._send = daemon.notify

    def notify(self, message: str) -> None:
        self._send(message)


def notifier() -> Notifier:
    """Systemd if it started us with a notification socket, else nobody."""
    return Systemd() if os.environ.get("NOTIFY_SOCKET") else NoServiceManager()


def set_up_logging(level: str, camera: str) -> None:
    """To the journal with fields, CAMERA in all, when systemd reads our output, else to standard error for people."""
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


def _terminal_handler() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT, datefmt="%H:%M:%S"))
    return handler


def log_event(event: Event) -> None:
    """One line for people; visit and person as fields of their own in the journal."""
    person = event.match.person if event.match else None
    who = f" {person.name}" if person and event.kind is EventKind.RECOGNIZED else ""
    fields = {
        "VISIT_ID": event.visit_id,
        "EVENT_TYPE": event.kind.value,
        "PERSON_ID": person.person_id if person else "",
    }
    log.info("visit %s: %s%s", event.visit_id, event.kind.value, who, extra=fields)
