"""The page's password: one for the household, kept as a scrypt hash (RFC 7914)."""

import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.errors import UsageError
from edge.web.state_file import read_state, remove_state, write_state

MIN_LENGTH = 8
MAX_LENGTH = 200
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
"""16 MB and a tenth of a second on a Raspberry Pi 4: OWASP's parameters would take eight times as much of both."""


class PasswordHash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `password`."""

    version: Literal[1]
    cost: Annotated[int, Meta(ge=2**10, le=2**17)]
    block: Annotated[int, Meta(ge=1, le=16)]
    parallel: Annotated[int, Meta(ge=1, le=4)]
    salt: Annotated[bytes, Meta(min_length=16, max_length=64)]
    hash: Annotated[bytes, Meta(min_length=32, max_length=64)]

    @property
    def id(self) -> str:
        """Which password it is, without a hint at what it is: sessions of an earlier one are over."""
        return hashlib.sha256(self.salt + self.hash).hexdigest()

    def is_for(self, password: str) -> bool:
        found = _scrypt(password, self.salt, self.cost, self.block, self.parallel, len(self.hash))
        return hmac.compare_digest(found, self.hash)


def problem(password: str) -> str | None:
    """What is wrong with a new password; None: nothing."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"found {len(password)} characters; allowed: {MIN_LENGTH} to {MAX_LENGTH}"
    return "found only one character, repeated; use several words" if len(set(password)) == 1 else None


def password_path(folder: Path) -> Path:
    return folder / "password"


def set_password(folder: Path, password: str) -> None:
    """Hash and store it, which ends all sessions. Raises UsageError for a bad one, and WebStateError."""
    if reason := problem(password):
        raise UsageError(f"the page's password: {reason}")
    salt = secrets.token_bytes(16)
    found = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL, 32)
    write_state(PasswordHash(1, _COST, _BLOCK, _PARALLEL, salt, found), password_path(folder))


def remove_password(folder: Path) -> bool:
    """Turn the page off; whether it had a password. Raises WebStateError."""
    return remove_state(password_path(folder))


def read_password(folder: Path) -> PasswordHash | None:
    """The stored hash; None: the page is off. Raises WebStateError."""
    return read_state(password_path(folder), PasswordHash)


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int, length: int) -> bytes:
    # The same letters typed on another keyboard may come composed in another way.
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    memory = 128 * cost * block + 1_000_000 * parallel
    return hashlib.scrypt(text, salt=salt, n=cost, r=block, p=parallel, dklen=length, maxmem=2 * memory)
