"""The payloads of a box, version 1: its health, controls, doorbell and answers; visits have their own module.

They are the contract; docs/schema/ is made from them.
"""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

SCHEMA_VERSION: Final = 1

Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?!\n)$",
        description="RFC 3339, UTC, milliseconds",
        examples=["2025-06-01T18:04:31.250Z"],
    ),
]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Similarity = Annotated[float, Meta(ge=-1, le=1, description="Cosine similarity")]
Count = Annotated[int, Meta(ge=0)]
Source = Literal["button", "command"]
State = Literal["starting", "watching", "paused", "no_camera", "stopping"]


class StageLatency(msgspec.Struct, frozen=True):
    """Latency of one stage."""

    p50_ms: float
    p95_ms: float


class OutboxHealth(msgspec.Struct, frozen=True):
    """Events that wait for the broker."""

    waiting: Count
    dropped: Annotated[Count, Meta(description="Events ever lost because the outbox was full")]
    late: Annotated[Count, Meta(description="Events sent to visit/late since the start")]
    on_disk: Annotated[bool, Meta(description="false: the disk fails, and a power cut would lose the waiting events")]
    replaced: Annotated[
        Count, Meta(description="Outbox files since the start that could not be read whole and were set aside")
    ] = 0


class DiaryHealth(msgspec.Struct, frozen=True):
    """The record of visits on the box."""

    visits: Annotated[Count, Meta(description="Visits in it")]
    size_mb: Annotated[float, Meta(ge=0)]
    on_disk: Annotated[bool, Meta(description="false: the disk fails, and the last visits wait in memory")]
    replaced: Annotated[Count, Meta(description="Diaries set aside since the start, not readable as a whole")]
    dropped: Annotated[Count, Meta(description="Visits since the start that were lost because the disk failed")]


class StrangersHealth(msgspec.Struct, frozen=True):
    """Strangers who would be recognised if they came again."""

    kept: Count
    on_disk: Annotated[bool, Meta(description="false: the disk fails, so that new visits of strangers are not kept")]
    replaced: Annotated[
        Count, Meta(description="Files of strangers since the start that could not be read whole and were set aside")
    ]


class GalleryHealth(msgspec.Struct, frozen=True):
    """The current gallery."""

    version: str
    people: Count
    templates: Count
    on_disk: Annotated[
        str | None,
        Meta(description="Version of the file, which waits for `reload` if it differs; null: no readable file"),
    ] = None


class SoftwareHealth(msgspec.Struct, frozen=True):
    """The version of whosthere."""

    version: Annotated[str, Meta(description="Version of the running daemon")]
    on_disk: Annotated[
        str | None, Meta(description="The installed version, which waits for `restart` if it differs")
    ] = None


class ModelHealth(msgspec.Struct, frozen=True):
    """The current models."""

    embedder: str
    detector: str
    runtime: str
    edge_tpu: Annotated[list[str], Meta(description="Models that are running on an Edge TPU")]


class HealthPayload(msgspec.Struct, frozen=True):
    """The state of the box, on `health`."""

    device_id: str
    at: Time
    uptime_s: Count
    state: State
    camera_online: bool
    fps: float
    frame_age_s: Annotated[float | None, Meta(description="Age of the last frame; null: none yet, or a recording")]
    latency: Annotated[dict[str, StageLatency], Meta(description="Latency by stage")]
    frames: Count
    frames_dropped: Count
    visits: Count
    outbox: OutboxHealth
    temperature_c: float | None
    throttled: Annotated[bool | None, Meta(description="The board reduces its own clock rate; null: not known")]
    under_voltage: Annotated[bool | None, Meta(description="The board's supply voltage is too low; null: not known")]
    memory_mb: float
    disk_free_mb: Annotated[Count | None, Meta(description="Free space on the outbox's disk")]
    threshold: Annotated[Similarity | None, Meta(description="The similarity that is needed for a name")]
    false_alarm_target: Fraction
    gallery: GalleryHealth
    model: ModelHealth
    software: SoftwareHealth
    clock_set: Annotated[bool, Meta(description="false: the box's clock is not set yet, so times are meaningless")]
    diary: Annotated[DiaryHealth | None, Meta(description="null: diary.keep_days is 0, so that there is none")] = None
    strangers: Annotated[StrangersHealth | None, Meta(description="null: strangers are not grouped")] = None
    schema_version: Literal[1] = SCHEMA_VERSION


class ControlsPayload(msgspec.Struct, frozen=True):
    """Current values of everything that can be set over MQTT, on `controls`."""

    device_id: str
    paused: bool
    paused_until: Annotated[Time | None, Meta(description="null: not paused, or paused until `resume`")]
    false_alarm_target: Annotated[Fraction, Meta(description="How many of all strangers may be called by a name")]
    false_alarm_min: Annotated[
        Fraction | None,
        Meta(description="The smallest target that can be set; null: the embedder is not calibrated, none can be set"),
    ]
    false_alarm_max: Annotated[Fraction | None, Meta(description="The largest target that can be set")]
    threshold: Annotated[Similarity, Meta(description="The similarity that is needed for a name")]
    schema_version: Literal[1] = SCHEMA_VERSION


class DoorbellPayload(msgspec.Struct, frozen=True):
    """Somebody rang, on `doorbell`."""

    event_type: Literal["ring"]
    event_id: str
    device_id: str
    source: Annotated[Source, Meta(description="The button on the box, or command/ring")]
    visit_id: Annotated[str | None, Meta(description="The visit that it started or belongs to; null while paused")]
    at: Time
    schema_version: Literal[1] = SCHEMA_VERSION


class CommandResult(msgspec.Struct, frozen=True):
    """The result of a command, on `command/result`."""

    command: str
    ok: bool
    message: str
    correlation_id: Annotated[
        str | None,
        Meta(description="The command's MQTT 5 correlation data (hexadecimal unless text), or its correlation_id"),
    ]
    schema_version: Literal[1] = SCHEMA_VERSION


def rfc3339(wall: float) -> str:
    """A time in seconds since the epoch, in the contract's format."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rounded_inwards(low: float, high: float) -> tuple[float, float]:
    """Bounds to three significant digits, neither of them outside of the exact ones."""
    up, down = (Context(prec=3, rounding=rounding) for rounding in (ROUND_CEILING, ROUND_FLOOR))
    return float(up.create_decimal_from_float(low)), float(down.create_decimal_from_float(high))
