"""Guest passes: what a QR code opens, for how long, and who has used it. Only a hash of each is on disk."""

import hashlib
import hmac
import secrets
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.errors import UsageError
from edge.web.state_file import read_state, write_state

MAX_PASSES = 50
LINK_S = 86_400.0
"""So long a pass can be used after it was made."""


class GuestPass(msgspec.Struct, frozen=True):
    """One pass, for one person."""

    id: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}\Z")]
    secret: bytes
    """SHA-256 of what stands in the QR code."""
    name: str
    """Whom the owner made it for; the guest may correct it."""
    made_at: float
    """Seconds since the epoch."""
    until: date
    """The last day on which the guest is known."""
    person_id: str | None = None
    """Who used it; None: nobody yet."""

    def open_at(self, now: float) -> bool:
        """Whether it can still be used for the first time."""
        return self.person_id is None and now < self.made_at + LINK_S


class PassFile(msgspec.Struct, frozen=True):
    """The file `passes`."""

    version: Literal[1]
    passes: list[GuestPass]


class Passes:
    """All passes of a box. Raises WebStateError when their file cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "passes"

    def all(self, now: float | None = None) -> list[GuestPass]:
        """Those that mean anything yet: open ones, and used ones until their last day; the newest first."""
        at = time.time() if now is None else now
        found = read_state(self._path, PassFile)
        kept = [one for one in found.passes if self._means_something(one, at)] if found else []
        return sorted(kept, key=lambda one: -one.made_at)

    def make(self, name: str, until: date) -> tuple[GuestPass, str]:
        """A new pass, and the secret for its QR code, which is nowhere else. Raises UsageError for too many."""
        known = self.all()
        if len(known) >= MAX_PASSES:
            raise UsageError(f"found {len(known)} guest passes; allowed: {MAX_PASSES}; withdraw some first")
        secret = secrets.token_urlsafe(24)
        made = GuestPass(secrets.token_hex(6), _hashed(secret), name, time.time(), until)
        self._write([*known, made])
        return made, secret

    def find(self, secret: str) -> GuestPass | None:
        """The pass of a QR code; None: there is none, or its time is over."""
        wanted = _hashed(secret)
        return next((one for one in self.all() if hmac.compare_digest(one.secret, wanted)), None)

    def use(self, used: GuestPass, person: str) -> None:
        """Note who has used a pass."""
        changed = msgspec.structs.replace(used, person_id=person)
        self._write([changed if one.id == used.id else one for one in self.all()])

    def withdraw(self, pass_id: str) -> bool:
        """Nobody can use a pass any more. Returns whether there was such a pass."""
        known = self.all()
        left = [one for one in known if one.id != pass_id]
        self._write(left)
        return len(left) < len(known)

    def _write(self, passes: list[GuestPass]) -> None:
        write_state(PassFile(1, passes), self._path)

    @staticmethod
    def _means_something(one: GuestPass, now: float) -> bool:
        return one.open_at(now) or (one.person_id is not None and one.until >= datetime.fromtimestamp(now, UTC).date())


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()
