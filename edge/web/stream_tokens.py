"""Keys to the door's pictures for other systems: each opens one kind of address, and is kept as a hash only."""

import hashlib
import hmac
import secrets
import time
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.errors import UsageError
from edge.web.state_file import read_state, write_state

Opens = Literal["live", "snapshot"]
ADDRESSES: dict[Opens, str] = {"live": "/live.mjpg", "snapshot": "/snapshot.jpg"}
MAX_TOKENS = 50
MAX_LABEL = 60


class StreamToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key."""

    id: str
    opens: Opens
    label: Annotated[str, Meta(max_length=MAX_LABEL)]
    hash: bytes
    """SHA-256 of the key, which is random: it cannot be guessed, so that a slow hash would add nothing."""
    made_at: float
    """Seconds since the epoch."""


class TokensFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `tokens`."""

    version: Literal[1]
    tokens: tuple[StreamToken, ...] = ()


class StreamTokens:
    """All keys of a page. Reads the file whenever it is asked, so that a revoked one stops at once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tokens"

    def all(self) -> tuple[StreamToken, ...]:
        """Raises WebStateError."""
        found = read_state(self._path, TokensFile)
        return found.tokens if found else ()

    def make(self, opens: Opens, label: str) -> tuple[StreamToken, str]:
        """A new one, and its key, which is shown this once. Raises UsageError and WebStateError."""
        label = " ".join(label.split())
        if not 0 < len(label) <= MAX_LABEL:
            raise UsageError(
                f"label: found {len(label)} characters; allowed: 1 to {MAX_LABEL}, such as: home assistant"
            )
        known = self.all()
        if len(known) >= MAX_TOKENS:
            raise UsageError(f"there are {len(known)} keys already; allowed: {MAX_TOKENS}; revoke one first")
        key = secrets.token_urlsafe(32)
        made = StreamToken(secrets.token_hex(4), opens, label, _hash(key), time.time())
        write_state(TokensFile(1, (*known, made)), self._path)
        return made, key

    def revoke(self, token_id: str) -> StreamToken:
        """Remove one. Raises UsageError when there is none of that id, and WebStateError."""
        known = self.all()
        found = next((token for token in known if token.id == token_id), None)
        if found is None:
            ids = ", ".join(token.id for token in known) or "none, there are no keys"
            raise UsageError(f"found no key {token_id!r}; allowed: {ids}")
        write_state(TokensFile(1, tuple(token for token in known if token is not found)), self._path)
        return found

    def fits(self, key: str, opens: Opens) -> bool:
        """Whether this key opens that kind of address. Raises WebStateError."""
        hashed = _hash(key)
        return any(token.opens == opens and hmac.compare_digest(token.hash, hashed) for token in self.all())


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
