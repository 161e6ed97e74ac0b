"""Notices on phones by ntfy, by its documented protocol: https://docs.ntfy.sh/publish/."""

import time
from base64 import b64encode
from collections.abc import Callable

import msgspec

from edge.address import parse_address
from edge.config.notify import NtfySettings, NtfyTopic
from edge.config.secret_file import read_secret
from edge.errors import ConfigError
from edge.notify.notice import Notice
from edge.notify.post import NotSent, WebServer, bearer
from edge.notify.words import place_words

KEY = "notify.ntfy"
_PRIORITIES = {"min": "1", "low": "2", "default": "3", "high": "4", "max": "5"}
_REFUSES_PICTURE = frozenset({400, 413, 507})
"""The server stores no attachments, this one is too large, or its disk is full."""


class NtfyChannel:
    """Publishes to one topic."""

    name = "ntfy"

    def __init__(self, settings: NtfySettings, page: Callable[[str], str | None]) -> None:
        """`page` gives the address of a visit's page, if there is one. Raises ConfigError."""
        if settings.server is None:
            raise ConfigError(f"{KEY}.server: found nothing; allowed: an address such as https://ntfy.sh")
        self.rules = settings
        self.pictures = settings.picture
        self._settings = settings
        self._page = page
        self._target = f"/{_topic(settings)}"
        self._login = bearer(settings.token_file, f"{KEY}.token_file")
        self._server = WebServer(parse_address(settings.server), settings.ca_file, KEY)

    def send(self, notice: Notice, age_s: float) -> str:
        """Raises NotSent. A picture that the server refuses does not hold up the words."""
        if notice.picture is None or not self.pictures:
            self._publish(notice, age_s, None)
            return ""
        try:
            self._publish(notice, age_s, notice.picture)
        except NotSent as error:
            if error.status not in _REFUSES_PICTURE:
                raise
            self._publish(notice, age_s, None)
            return f"without the picture, which the server refuses (status {error.status})"
        return ""

    def try_connection(self) -> str:
        self._server.connect()
        return str(self._server.address)

    def _publish(self, notice: Notice, age_s: float, picture: bytes | None) -> None:
        text = _message(notice)
        headers = self._headers(notice, age_s)
        if picture is None:
            self._server.send("POST", headers, text.encode(), self._target)
        else:
            headers |= {"Message": _encoded(text), "Filename": "visit.jpg"}
            self._server.send("PUT", headers, picture, self._target)

    def _headers(self, notice: Notice, age_s: float) -> dict[str, str]:
        priority = self._settings.priority if notice.named or not notice.kinds else self._settings.unknown_priority
        headers = {
            "Title": _encoded(notice.words.title(age_s)),
            "Priority": _PRIORITIES[priority],
            "Tags": "bell" if "ring" in notice.kinds else "door",
            # Servers from 2.16 on replace a message of the same id: one sent twice is shown once, and a correction
            # takes the place of what it corrects.
            "X-Sequence-ID": _sequence(notice),
        }
        page = self._page(notice.visit_id) if notice.visit_id else None
        return headers | self._login | ({"Click": page} if page else {})


def _topic(settings: NtfySettings) -> str:
    """Raises ConfigError, which does not quote the topic."""
    if settings.topic_file is None:
        return settings.topic or ""
    topic = read_secret(settings.topic_file, f"{KEY}.topic_file").strip()
    try:
        return msgspec.convert(topic, NtfyTopic)
    except msgspec.ValidationError:
        pass
    raise ConfigError(
        f"{KEY}.topic_file: {settings.topic_file}: its first line is not a topic (not quoted); allowed: up to 64 "
        "letters, digits, - and _"
    )


def _message(notice: Notice) -> str:
    place = place_words(notice.device_id)
    when = time.strftime("%H:%M", time.localtime(notice.wall)) if notice.clock_set else ""
    first = ", ".join(part for part in (place, when) if part)
    return f"{first}. {notice.words.detail}" if notice.words.detail else first


def _sequence(notice: Notice) -> str:
    found = notice.visit_id if notice.visit_id and "ring" not in notice.kinds else notice.id
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in found)[:64]


def _encoded(text: str) -> str:
    """A header's value: ASCII as it is, anything else as RFC 2047 has it, which ntfy decodes."""
    if text.isascii() and "=?" not in text:
        return text
    return f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="
