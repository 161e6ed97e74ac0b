"""People's names: as stored, as an id, and in plain Latin letters."""

import hashlib
import re
import unicodedata

MAX_NAME = 120
MAX_ID = 64
_UNDECOMPOSED = str.maketrans(
    dict(zip("ßæÆœŒøØłŁđĐðÐþÞ", ("ss", "ae", "Ae", "oe", "Oe", *"oOlLdDdD", "th", "Th"), strict=True))
)
"""Latin letters that Unicode does not decompose into a base letter and an accent."""


def tidy(name: str) -> str:
    """A name as it is stored: composed characters (NFC), single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def problem(name: str) -> str | None:
    """Why a name is not allowed; None: it is."""
    if not name.strip():
        return "it is empty"
    if len(name) > MAX_NAME:
        return f"found {len(name)} characters; allowed: {MAX_NAME}"
    if not name.isprintable():
        return "it contains unprintable characters"
    return None


def plain(name: str) -> str:
    """A name in ASCII: without accents, and with `?` for every letter that has no Latin base."""
    apart = unicodedata.normalize("NFKD", name.translate(_UNDECOMPOSED))
    return "".join(_ascii(c) for c in apart if not unicodedata.combining(c))


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    return "?" if character.isalnum() else " "


def slug(name: str) -> str:
    """An id for a name, fit for MQTT topics and Home Assistant: 1..64 lower-case ASCII letters, digits, `-`.

    Where letters are lost, a digest of the name keeps the ids of different people apart.
    """
    latin = plain(tidy(name)).lower()
    text = re.sub(r"[^a-z0-9]+", "-", latin).strip("-")
    if text and len(text) <= MAX_ID and "?" not in latin:
        return text
    digest = hashlib.sha256(tidy(name).encode()).hexdigest()[:12]
    return f"{text[:40].strip('-') or 'p'}-{digest}"
