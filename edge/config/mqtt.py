"""The `mqtt` section of config.yaml."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS towards the broker; the system's certificate authorities unless `ca_file` is given."""

    enabled: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    """Client certificate, with `key_file`."""
    key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file, key_file: they belong together; one is missing")


class OutboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events that wait for the broker, on disk."""

    path: str = "/var/lib/whosthere/outbox.sqlite3"
    max_events: Annotated[int, Meta(ge=10, le=1_000_000)] = 10_000
    """When it is full the oldest event goes, and `health` counts it."""


class SnapshotSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures on MQTT. Off: no picture ever leaves the box."""

    enabled: bool = False
    retain: bool = False
    width: Annotated[int, Meta(ge=64, le=4096)] = 640
    quality: Annotated[int, Meta(ge=10, le=100)] = 80
    """JPEG quality."""


class HomeAssistantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Appearing in Home Assistant by itself."""

    enabled: bool = True
    discovery_prefix: Annotated[str, Meta(pattern=r"^[^+#\s/][^+#\s]*$")] = "homeassistant"
    """As set in Home Assistant's MQTT integration."""
    name: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    """Of the device; the device_id in words when left out."""
    area: Annotated[str, Meta(min_length=1, max_length=120)] | None = None
    """Suggested to Home Assistant when it first sees the device."""
    birth_delay_s: Annotated[float, Meta(ge=0, le=300)] = 5.0
    """After Home Assistant has started, each box waits a random time up to this before it is told again."""


class MqttSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The broker and how to talk to it."""

    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    """3.1.1 has no message expiry and no reason codes: only for brokers that cannot do better."""
    username: str | None = None
    password_file: str | None = None
    """File that holds the password alone; `$CREDENTIALS_DIRECTORY/...` is understood."""
    base_topic: Annotated[str, Meta(pattern=r"^[^+#\s/][^+#\s]*$")] = "whosthere"
    keepalive_s: Annotated[int, Meta(ge=5, le=3600)] = 30
    event_expiry_s: Annotated[int, Meta(ge=1, le=86400)] = 60
    """Identity events older than this never reach `visit`; they go to `visit/late` instead."""
    health_interval_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    tls: TlsSettings = TlsSettings()
    outbox: OutboxSettings = OutboxSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
