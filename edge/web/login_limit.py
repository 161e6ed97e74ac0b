"""How often an address may try the password. It is on disk, so that a restart forgives nothing."""

import logging
import threading
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

import msgspec

from edge.web.state_file import WebStateError, read_state, write_state

log = logging.getLogger("whosthere.web")
MAX_FAILURES = 5
WINDOW_S = 900.0
MAX_ADDRESSES = 1000
"""Beyond that, the one that failed longest ago is forgotten."""


class LoginsFile(msgspec.Struct, frozen=True):
    """The file `logins`: address -> when it failed, in seconds since the epoch."""

    version: Literal[1]
    failures: dict[str, list[float]] = {}


class LoginLimit:
    """Five wrong passwords within a quarter of an hour, then none until the first is that old."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "logins"
        self._lock = threading.Lock()
        self._failures = self._read()

    def wait_s(self, address: str, now: float) -> float:
        """For how long the address may not try; 0: it may."""
        recent = self._recent(_network(address), now)
        return max(0.0, recent[-MAX_FAILURES] + WINDOW_S - now) if len(recent) >= MAX_FAILURES else 0.0

    def count(self, address: str, now: float) -> None:
        """Count an attempt before its password is looked at, so that many at a time are no way around this.

        Raises WebStateError: without a record there is no attempt.
        """
        name = _network(address)
        with self._lock:
            mine = [*self._recent(name, now), now][-MAX_FAILURES:]
            others = {other: times for other, times in self._failures.items() if other != name}
            left = sorted(others.items(), key=lambda one: one[1][-1])[-MAX_ADDRESSES + 1 :]
            self._write({**dict(left), name: mine})

    def clear(self, address: str) -> None:
        """Forget an address after the right password. Raises WebStateError."""
        name = _network(address)
        with self._lock:
            self._write({other: times for other, times in self._failures.items() if other != name})

    def _recent(self, name: str, now: float) -> list[float]:
        # A clock that was set back: what seems to be in the future counts as now.
        return [min(at, now) for at in self._failures.get(name, []) if at > now - WINDOW_S]

    def _read(self) -> dict[str, list[float]]:
        try:
            found = read_state(self._path, LoginsFile)
        except WebStateError as error:
            log.warning("%s; log-in attempts are counted from zero", error)
            found = None
        return {name: times for name, times in found.failures.items() if times} if found else {}

    def _write(self, failures: dict[str, list[float]]) -> None:
        write_state(LoginsFile(1, failures), self._path)
        self._failures = failures


def _network(address: str) -> str:
    """The address; for IPv6 its /64, as a home has that many to choose from."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:64]
    return str(ip_network((known, 64), strict=False)) if known.version == 6 else str(known)
