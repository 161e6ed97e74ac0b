"""A report for an issue: what is in force and what was logged, without names, places and logins."""

import contextlib
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.address import parse_address
from edge.capture.address import is_address, parse
from edge.capture.registry import describe
from edge.config import typed_yaml
from edge.config.loading import LoadedConfig
from edge.errors import ConfigError, GalleryError
from edge.inspection.loading import configured_gallery
from edge.inspection.veil import own_words, veiled

LOG_LINES = 200
WAIT_S = 10.0
_PRIVATE_KEYS = {"server": "<server>", "topic": "<topic>", "url": "<address>", "people": "<person>"}
"""Keys of the sections `notify` and `web` whose values are private."""
_PATTERNS = {
    # All of an address, but for the host and port that `describe` shows: a token may be anywhere in it.
    r"(?i)\b([a-z][a-z0-9+.-]*://)(?!<camera>(:\d+)?/\.\.\.(\s|$))[^\s<]\S*": r"\1<address>",
    r"\b\d{1,3}(\.\d{1,3}){3}\b": "<address>",
    r"(?i)(?<![\w:])(?=\S*::|(\S*?:){5})[0-9a-f]*:[0-9a-f:]+": "<address>",
    r"[\w.+-]+@[\w-]+\.[\w.]+": "<mail>",
    r"/home/[^/\s]+": "/home/<user>",
}


def private_words(loaded: LoadedConfig) -> dict[str, str]:
    """Private words -> the placeholders that replace them."""
    config = loaded.config
    words: dict[str | None, str] = {
        loaded.device_id: "<device>",
        config.mqtt.host: "<broker>",
        config.mqtt.username: "<login>",
        config.camera.username: "<login>",
        config.camera.name: "<camera>",
        config.mqtt.home_assistant.name: "<device>",
        config.mqtt.home_assistant.area: "<room>",
    }
    source = config.camera.source
    if is_address(source) or describe(config.camera) != source:
        words[source] = "<camera address>"
    if is_address(source):
        with contextlib.suppress(ConfigError):
            words[parse(source).host] = "<camera>"
    words.update(_people(loaded))
    usual = {"localhost", "camera", "127.0.0.1"}
    return {word: shown for word, shown in words.items() if word and word not in usual}


def redacted(text: str, words: Mapping[str, str]) -> str:
    """Replace private words in any case, and all network and mail addresses."""
    for word in sorted(words, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", words[word], text, flags=re.IGNORECASE)
    for pattern, shown in _PATTERNS.items():
        text = re.sub(pattern, shown, text)
    return text


def issue_report(inventory: str, config_path: Path | None, loaded: LoadedConfig) -> str:
    """The report as Markdown: the output of `whosthere doctor`, config.yaml without comments, the end of the log."""
    words: dict[str, str] = {}
    try:
        document = typed_yaml.read(config_path) if config_path else None
        words = _addresses_in(document) | own_words(document)
        config = typed_yaml.dump(veiled(document)) if config_path else "none: all defaults"
    except (OSError, typed_yaml.Mistakes) as error:
        config = f"cannot be read: {error}"
    parts = {"whosthere doctor": inventory, "config.yaml": config, "log": _log()}
    text = "\n\n".join(f"### {title}\n\n```\n{body.strip()}\n```" for title, body in parts.items())
    return redacted(text, words | private_words(loaded)) + "\n"


def _addresses_in(document: Any) -> dict[str, str]:
    """Where notices go and where the page is, as config.yaml has them, even in a section with mistakes."""
    sections = [document.get(name) for name in ("notify", "web")] if isinstance(document, dict) else []
    words: dict[str, str] = {}
    for section in (part for whole in sections if isinstance(whole, dict) for part in (whole, *whole.values())):
        for key, shown in _PRIVATE_KEYS.items() if isinstance(section, dict) else ():
            value = section.get(key)
            words.update({str(each): shown for each in (value if isinstance(value, list) else [value]) if each})
    for text in list(words):
        with contextlib.suppress(ValueError):
            words[parse_address(text).host] = "<server>"
    return words


def _people(loaded: LoadedConfig) -> dict[str | None, str]:
    try:
        people = configured_gallery(loaded, None).people
    except GalleryError:
        return {}
    return {word: f"<person {i}>" for i, person in enumerate(people, 1) for word in (person.id, person.name)}


def _log() -> str:
    command = ["journalctl", "--quiet", "--no-pager", "--output=short-iso", "--no-hostname", "--unit=whosthere"]
    try:
        done = subprocess.run(
            [*command, f"--lines={LOG_LINES}"], capture_output=True, text=True, timeout=WAIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"cannot be read: {error}"
    return done.stdout or done.stderr or "empty; only root and the group systemd-journal may read it"
