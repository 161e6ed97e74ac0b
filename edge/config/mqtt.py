"""The `mqtt` section of config.yaml."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

TopicPrefix = Annotated[
    str,
    Meta(pattern=r"^[^+#\s/][^+#\s]*\Z", description="a topic without +, # or spaces that does not begin with /"),
]


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
    """Pictures over MQTT. Off: no picture ever leaves the box."""

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
