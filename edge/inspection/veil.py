"""config.yaml without logins and addresses, also where it has mistakes, so that nothing of a section was loaded."""

import re
from typing import Any

import msgspec

from edge.config.loading import Config

_PRIVATE = {
    "device_id": "<device>",
    "camera.name": "<camera>",
    "mqtt.host": "<broker>",
    "mqtt.home_assistant.name": "<device>",
    "mqtt.home_assistant.area": "<room>",
}
"""Other keys whose values say who and where, by their place."""
_LOGIN = re.compile(r"(?i)pass?w|pass|pwd|secret|token|user|login|credential")
"""Keys with a login, also such as do not exist; the name of a file is none."""
_HARMLESS_SOURCE = re.compile(r"(picamera2|v4l2)(:[\w/-]*)?|/[^?@:]*")
_USUAL = {"", "localhost", "camera", "127.0.0.1"}


def veiled(value: Any, kind: Any = Config, key: str = "") -> Any:
    """The document with placeholders for logins and addresses; in the dumped text, a long one could be folded.

    `kind` is the type that a value should have; None: there is no such key, so that its text may be anything.
    """
    if isinstance(value, dict):
        section = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        known = {one.name: one.type for one in msgspec.structs.fields(kind)} if section else {}
        other = None if section else kind
        return {
            name: veiled(part, known.get(name, other), f"{key}.{name}" if key else str(name))
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [veiled(part, kind, key) for part in value]
    return _veiled_value(value, key, known=kind is not None)


def _veiled_value(value: Any, key: str, *, known: bool) -> Any:
    name = key.rpartition(".")[2]
    if value is None or isinstance(value, bool):
        return value
    if _LOGIN.search(name) and not name.endswith("_file"):
        return "<login>"
    if not isinstance(value, str):
        return value
    if key == "camera.source" and not _HARMLESS_SOURCE.fullmatch(value):
        return "<camera address>"
    if not known:
        return "<text>"
    return "<address>" if "://" in value else value


def own_words(document: Any) -> dict[str, str]:
    """What the owner calls and how they reach things -> the placeholders that replace it."""
    words: dict[str, str] = {}
    for key, shown in _PRIVATE.items():
        value = document
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and value not in _USUAL:
            words[value] = shown
    return words
