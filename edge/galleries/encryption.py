"""Encryption of galleries to SSH keys, and of backups with a passphrase. The only user of pyrage.

The format is age's (https://age-encryption.org/v1).
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.errors import GalleryError
from edge.regular_file import read_regular

MAGIC = b"age-encryption.org/v1\n"


def is_encrypted(content: bytes | memoryview) -> bool:
    """Whether this is an age file."""
    return bytes(content[: len(MAGIC)]) == MAGIC


def encrypt(content: bytes, recipients: Sequence[str]) -> bytes:
    """Encrypt to SSH public keys (`ssh-ed25519 AAAA...`, `ssh-rsa ...`) or age recipients. Raises GalleryError."""
    pyrage = _pyrage()
    encrypted: bytes = pyrage.encrypt(content, [_recipient(pyrage, text) for text in recipients])
    return encrypted


def decrypt(content: bytes, identity: Path | None, where: str) -> bytes:
    """Decrypt with an SSH private key or an age identity. Raises GalleryError naming `where`."""
    if identity is None:
        raise GalleryError(
            f"{where}: encrypted; set gallery.identity_file to the private key of this box that it was encrypted to"
        )
    pyrage = _pyrage()
    try:
        text = read_regular(identity)
    except OSError as error:
        raise GalleryError(f"{identity}: gallery.identity_file cannot be read: {error.strerror}") from error
    key = _identity(pyrage, text, identity)
    try:
        plain: bytes = pyrage.decrypt(content, [key])
    except pyrage.DecryptError as error:
        raise GalleryError(
            f"{where}: cannot be decrypted with {identity}: {error}; it was encrypted to another key, or is damaged"
        ) from error
    return plain


def encrypt_with(content: bytes, passphrase: str) -> bytes:
    """Encrypt with a passphrase (age's scrypt). Raises GalleryError."""
    encrypted: bytes = _pyrage().passphrase.encrypt(content, passphrase)
    return encrypted


def decrypt_with(content: bytes, passphrase: str, where: str) -> bytes:
    """Decrypt with a passphrase. Raises GalleryError naming `where`."""
    pyrage = _pyrage()
    try:
        plain: bytes = pyrage.passphrase.decrypt(content, passphrase)
    except pyrage.DecryptError as error:
        raise GalleryError(f"{where}: cannot be decrypted: {error}; a wrong passphrase, or it is damaged") from error
    return plain


def _recipient(pyrage: Any, text: str) -> Any:
    kind = pyrage.x25519.Recipient if text.startswith("age1") else pyrage.ssh.Recipient
    try:
        return kind.from_str(" ".join(text.split()[:2]))
    except pyrage.RecipientError as error:
        raise GalleryError(
            f"found {text[:60]!r} as a key to encrypt to ({error}); allowed: ssh-ed25519, ssh-rsa, age1"
        ) from error


def _identity(pyrage: Any, text: bytes, path: Path) -> Any:
    lines = text.decode(errors="replace").splitlines()
    secret = next((line for line in lines if line.startswith("AGE-SECRET-KEY-")), None)
    try:
        return pyrage.x25519.Identity.from_str(secret) if secret else pyrage.ssh.Identity.from_buffer(text)
    except pyrage.IdentityError as error:
        raise GalleryError(
            f"{path}: not a private key that can decrypt ({error}); allowed: an SSH key without passphrase, or an age "
            "identity"
        ) from error


def _pyrage() -> Any:
    try:
        return importlib.import_module("pyrage")
    except ImportError as error:
        raise GalleryError("encryption needs the package pyrage: pip install 'whosthere[age]'") from error
