"""People's names: as stored, as an id, and in plain Latin letters. Also what any text in a gallery may contain.

Names and photo names come from file systems, phones and chats, and end up in terminals, topics and Home Assistant.
This module alone decides which characters a gallery holds; its reader and all its writers ask here.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Collection

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


def unprintable(text: str) -> bool:
    """Whether a gallery must not hold a text, because of characters that a terminal cannot show or obeys."""
    return not text.isprintable()


def printable(text: str) -> str:
    """A text that a gallery may hold: tabs and odd spaces become plain ones, other odd characters are escaped."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if not unprintable(character):
        return character
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


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
    return _with_digest(text, tidy(name))


def new_id(name: str, taken: Collection[str]) -> str:
    """An id for somebody new: their slug, or with a digest of the name if that is among `taken`.

    `taken` holds the ids and the names of everybody else, so that an id never looks like another person's name.
    """
    plain_id = slug(name)
    if plain_id not in taken:
        return plain_id
    salts = itertools.chain([""], map(str, itertools.count(2)))
    ids = (_with_digest(plain_id, tidy(name) + salt) for salt in salts)
    return next(one for one in ids if one not in taken)


def _with_digest(text: str, name: str) -> str:
    digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:12]
    return f"{text[:40].strip('-') or 'p'}-{digest}"
