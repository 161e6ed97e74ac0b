"""Everything that is measured, at one moment, as it goes from the daemon to the page."""

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.mqtt.payloads import Count, HealthPayload

LATENCY_BUCKETS_S = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds; one more bucket holds the rest."""

Seconds = Annotated[float, Meta(ge=0)]


class LatencyCounts(msgspec.Struct, frozen=True):
    """How long it took from the first frame with a face to a name."""

    buckets: tuple[Count, ...]
    """How many names within each of `LATENCY_BUCKETS_S`, and how many later: not cumulative."""
    total_s: Seconds


class StageTotal(msgspec.Struct, frozen=True):
    """One stage, since the start."""

    total_s: Seconds
    times: Count


class NoticeCounts(msgspec.Struct, frozen=True):
    """One channel of notices, since the start."""

    sent: Count
    failed: Count
    dropped: Count
    waiting: Count
    problem: str | None = None
    """Why the last attempt failed; None: it did not. Not for Prometheus."""


class MetricsSnapshot(msgspec.Struct, frozen=True):
    """Counts are since the start of the daemon. Nobody is named in it."""

    health: HealthPayload
    broker_connected: bool
    decisions: dict[str, Count]
    """Final decisions by kind; a correction counts as what it says."""
    corrections: Count
    rings: Count
    latency: LatencyCounts
    stages: dict[str, StageTotal]
    notices: dict[str, NoticeCounts]
    """By channel."""
