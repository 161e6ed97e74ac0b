"""Who is logged in, on disk, because systemd stops the page while nobody uses it."""

import hashlib
import hmac
import logging
import secrets
import threading
from pathlib import Path
from typing import Literal

import msgspec

from edge.web.state_file import WebStateError, read_state, write_state

log = logging.getLogger("whosthere.web")
MAX_SESSIONS = 100
"""Beyond that, the oldest ends."""
DAY_S = 86400.0


class StoredSession(msgspec.Struct, frozen=True):
    """One browser. Its cookie is not in the file, only the SHA-256 of it."""

    digest: str
    password: str
    """The id of the password with which it logged in."""
    started_at: float
    """Seconds since the epoch."""
    expires_at: float


class SessionsFile(msgspec.Struct, frozen=True):
    """The file `sessions`."""

    version: Literal[1]
    key: bytes
    """Makes the CSRF tokens."""
    sessions: list[StoredSession] = []


class Session(msgspec.Struct, frozen=True):
    """A logged-in browser."""

    csrf: str
    """What each of its forms must bring along."""
    by_ingress: bool = False
    """Home Assistant has logged it in: there is no cookie, and nothing to log out of."""


class Sessions:
    """All sessions. Safe to use from several threads."""

    def __init__(self, folder: Path, days: int) -> None:
        self._path = folder / "sessions"
        self._days = days
        self._lock = threading.Lock()
        self._file = self._read()

    def start(self, password: str, now: float) -> str:
        """A new session; returns the value of its cookie. Raises WebStateError."""
        token = secrets.token_urlsafe(32)
        session = StoredSession(_digest(token), password, now, now + self._days * DAY_S)
        with self._lock:
            kept = [one for one in self._file.sessions if one.expires_at > now and one.password == password]
            self._write([*kept[-MAX_SESSIONS + 1 :], session])
        return token

    def find(self, token: str, password: str, now: float) -> Session | None:
        """The session of a cookie, if it is of the current password and not over."""
        digest = _digest(token)
        for one in self._file.sessions:
            if hmac.compare_digest(one.digest, digest) and one.password == password and now < one.expires_at:
                return Session(self._csrf(digest))
        return None

    def of_ingress(self, user: str) -> Session:
        """The session of somebody whom Home Assistant has logged in."""
        return Session(self._csrf(f"ingress {user}"), by_ingress=True)

    def end(self, token: str) -> None:
        """Log a browser out. Raises WebStateError."""
        digest = _digest(token)
        with self._lock:
            self._write([one for one in self._file.sessions if one.digest != digest])

    def end_all(self) -> None:
        """Log every browser out. Raises WebStateError."""
        with self._lock:
            self._write([])

    def _csrf(self, name: str) -> str:
        return hmac.new(self._file.key, name.encode(), hashlib.sha256).hexdigest()

    def _read(self) -> SessionsFile:
        try:
            found = read_state(self._path, SessionsFile)
        except WebStateError as error:
            log.warning("%s; everybody has to log in again", error)
            found = None
        return found or SessionsFile(1, secrets.token_bytes(32))

    def _write(self, sessions: list[StoredSession]) -> None:
        changed = msgspec.structs.replace(self._file, sessions=sessions)
        write_state(changed, self._path)
        self._file = changed


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
