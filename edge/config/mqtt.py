"""The `mqtt` section of config.yaml."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

TopicPrefix = Annotated[
    str,
    Meta(
        pattern=r"^[^+#\s/$\x00-\x1f][^+#\s\x00-\x1f]*\Z",
        description="a topic without +, # or spaces that does not begin with / or $",
    ),
]
_HOST = re.compile(r"[^\s/@\[\]:]+|[0-9A-Fa-f:.]+:[0-9A-Fa-f:.]*(%[\w.-]+)?")
"""A name, an IPv4 address, or a bare IPv6 address."""


def _check_prefix(key: str, prefix: str) -> None:
    if prefix.endswith("/"):
        raise ValueError(
            f"{key}: found {prefix!r}; allowed: a topic that does not end with /; write {key}: {prefix.rstrip('/')}"
        )


def _host_mistake(host: str) -> str:
    """What is wrong with a host, and what was probably meant. A login in it is not quoted."""
    allowed = "host: found {}; allowed: a host name or an IP address, without scheme, port and brackets"
    scheme, separator, rest = host.rpartition("://")
    login, at, place = rest.rpartition("@")
    shown = f"{scheme}{separator}{'...@' if login or at else ''}{place if separator or not at else '...'}"
    try:
        meant = urlsplit(f"//{place}")
        name, port = meant.hostname or "", meant.port
    except ValueError:
        name, port = "", None
    text = allowed.format(repr(shown) if host else "nothing")
    if not _HOST.fullmatch(name):
        return text
    tls = scheme.lower() in {"mqtts", "ssl", "tls"}
    port = port or (8883 if tls else None)
    text += f"; write host: {name}"
    text += f" and port: {port}" if port else ""
    text += ", and enabled: true under tls" if tls else ""
    return text + (", and username and password_file for the login" if at else "")


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS to the broker, with the system's certificate authorities unless `ca_file` is set."""

    enabled: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    """The client certificate, which needs `key_file`."""
    key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: found only one of them; allowed: both or neither")


class OutboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events that wait for the broker, on disk."""

    path: str = "/var/lib/whosthere/outbox.sqlite3"
    max_events: Annotated[int, Meta(ge=10, le=1_000_000)] = 10_000
    """When the outbox is full the oldest event is dropped, and counted in `health`."""


class SnapshotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures over MQTT. Off: no picture leaves the box over MQTT."""

    enabled: bool = False
    retain: bool = False
    width: Annotated[int, Meta(ge=64, le=4096)] = 640
    quality: Annotated[int, Meta(ge=10, le=100)] = 80
    """JPEG quality."""


class HomeAssistantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether and how the box appears in Home Assistant automatically."""

    enabled: bool = True
    discovery_prefix: TopicPrefix = "homeassistant"
    """The discovery prefix that is set in Home Assistant's MQTT integration."""
    name: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    """The device's name; derived from the device_id when left out."""
    area: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    """The area that Home Assistant suggests when it first sees the device."""
    birth_delay_s: Annotated[float, Meta(ge=0, le=300)] = 5.0
    """After Home Assistant has started, each box announces itself again within a random time up to this."""

    def __post_init__(self) -> None:
        _check_prefix("discovery_prefix", self.discovery_prefix)


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The broker, and how to connect to it."""

    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    """3.1.1 has no message expiry and no reason codes: only for brokers that do not speak 5."""
    username: str | None = None
    password_file: str | None = None
    """A file that holds nothing but the password; may begin with `$CREDENTIALS_DIRECTORY/`."""
    base_topic: TopicPrefix = "whosthere"
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    event_expiry_s: Annotated[int, Meta(ge=1, le=86400)] = 60
    """Events older than this never reach `visit`; they go to `visit/late` instead."""
    health_interval_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    tls: TlsSettings = TlsSettings()
    outbox: OutboxSettings = OutboxSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()

    def __post_init__(self) -> None:
        _check_prefix("base_topic", self.base_topic)
        if not _HOST.fullmatch(self.host) or (self.host.count(":") == 1):
            raise ValueError(_host_mistake(self.host))
