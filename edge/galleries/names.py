"""People's names: as stored, as an id, and in plain Latin letters. Also what any text in a gallery may contain.

Names and photo names come from file systems, phones and chats, and end up in terminals, topics and Home Assistant.
This module alone decides which characters a gallery holds; its reader and all its writers ask here.
"""

import difflib
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable

MAX_NAME = 120
MAX_ID = 64
MOST_LISTED = 10
"""How many names an error lists."""
_UNDECOMPOSED = str.maketrans(
    dict(zip("ßæÆœŒøØłŁđĐðÐþÞ", ("ss", "ae", "Ae", "oe", "Oe", *"oOlLdDdD", "th", "Th"), strict=True))
)
"""Latin letters that Unicode does not decompose into a base letter and an accent."""


_JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: part of the spelling in Persian, Sinhala and others, and of emoji sequences."""
_JOINED = {"Lo", "Lm", "Mn", "Mc", "Me", "So", "Sk", "Sm"}
"""Categories of the characters that joiners stand between: letters without case, their signs, symbols."""
_FIRST_JOINED = "\u0600"
"""From here on, scripts have joiners. Before it: Latin, Greek, Cyrillic, Armenian, Hebrew."""
_EMOJI = re.compile("[\U0001f000-\U0001fbff]")
"""Blocks of emoji: those added since are unassigned for an older Python, on a box, but not for a desktop's."""
_INVISIBLE = frozenset(_JOINERS + "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2060\u3164\ufeff\uffa0")
"""Characters that show nothing and that keyboards, phones and copied web pages leave in names."""
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e007a]{3,8}\U000e007f")
"""The flag of a region, such as Scotland's: a black flag and letters that do not show."""


def tidy(name: str) -> str:
    """A name as it is stored: composed characters (NFC), single plain spaces, none at the ends, nothing invisible.

    Joiners stay where their script or an emoji needs them, and nowhere else: there they do not show.
    """
    composed = unicodedata.normalize("NFC", name)
    seen = unicodedata.normalize("NFC", _without_invisible(composed))
    return re.sub(" +", " ", "".join(map(_plain_space, seen))).strip(" ")


def problem(name: str) -> str | None:
    """Why `tidy(name)` is not allowed as a name; None: it is."""
    name = tidy(name)
    if not name:
        return "it is empty"
    if len(name) > MAX_NAME:
        return f"found {len(name)} characters; allowed: {MAX_NAME}"
    if unprintable(name):
        odd = sorted({ascii(character)[1:-1] for character in name if unprintable(character)})
        return f"it contains unprintable characters ({', '.join(odd[:5])}); allowed: letters, signs, spaces and emoji"
    return None


def unprintable(text: str) -> bool:
    """Whether a gallery must not hold a text, because of characters that a terminal cannot show or obeys."""
    return not (text.isprintable() or _without_joiners(text).isprintable())


def printable(text: str) -> str:
    """A text that a gallery may hold: tabs and odd spaces become plain ones, other odd characters are escaped."""
    if not unprintable(text):
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    spaced = " " if character == "\t" else _plain_space(character)
    return spaced if spaced.isprintable() else character.encode("unicode_escape").decode("ascii")


def _plain_space(character: str) -> str:
    """No-break spaces and all others of Unicode become the plain one; line breaks and tabs do not."""
    return " " if unicodedata.category(character) == "Zs" else character


def _without_invisible(text: str) -> str:
    found: list[str] = []
    for i, character in enumerate(text):
        follows = next((c for c in text[i + 1 : i + MAX_NAME] if c not in _INVISIBLE), "")
        if character not in _INVISIBLE or (character in _JOINERS and _joins(found[-1] if found else "", follows)):
            found.append(character)
    return "".join(found)


def _without_joiners(text: str) -> str:
    """A text without what is unprintable alone but belongs where it is: joiners, the tags of flags, new emoji."""
    text = _TAGGED_FLAG.sub("", text)
    around = zip(" " + text, text, text[1:] + " ", strict=False)
    left = "".join(c for before, c, after in around if c not in _JOINERS or not _joins(before, after))
    return _EMOJI.sub("", left)


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between these two belongs there: both are of a script that is joined, or emoji."""
    return _is_joined(before) and _is_joined(after)


def _is_joined(character: str) -> bool:
    if character < _FIRST_JOINED:
        return False
    return unicodedata.category(character) in _JOINED or _EMOJI.fullmatch(character) is not None


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


def nobody_called(wanted: str, people: Iterable[str]) -> str:
    """The words of an error: everybody there is or, where they are many, those whose names are most like `wanted`."""
    asked = wanted if len(wanted) <= MAX_NAME else f"{wanted[:MAX_NAME]}..."
    known = list(people)
    if len(known) <= MOST_LISTED:
        return f"found nobody called {asked!r}; in the gallery: {', '.join(known) or 'nobody'}"
    near = difflib.get_close_matches(asked, known, MOST_LISTED, cutoff=0)
    return f"found nobody called {asked!r}; nearest in the gallery: {', '.join(near)}; {len(known)} people in all"
