"""Counts of what happens at the door, for the metrics: a subscriber to visit events."""

from bisect import bisect_left

from edge.events import Event, EventKind
from edge.metrics.snapshot import LATENCY_BUCKETS_S, LatencyCounts
from edge.mqtt.payloads import Count

DECISIONS = (EventKind.RECOGNIZED, EventKind.UNKNOWN, EventKind.UNCERTAIN, EventKind.NO_USABLE_FACE)


class VisitCounters:
    """One thread counts, any may read."""

    def __init__(self) -> None:
        self.rings = 0
        self.corrections = 0
        self._decisions = dict.fromkeys(DECISIONS, 0)
        self._latency = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self._latency_s = 0.0

    @property
    def decisions(self) -> dict[str, Count]:
        """Final decisions by kind."""
        return {kind.value: count for kind, count in self._decisions.items()}

    @property
    def latency(self) -> LatencyCounts:
        return LatencyCounts(tuple(self._latency), self._latency_s)

    def on_event(self, event: Event) -> None:
        if event.kind not in self._decisions or event.provisional:
            return
        self._decisions[event.kind] += 1
        if event.corrects is not None:
            self.corrections += 1
        elif event.kind is EventKind.RECOGNIZED:
            # A correction comes late by its nature, and would say nothing about how fast names are found.
            self._latency[bisect_left(LATENCY_BUCKETS_S, event.latency_s)] += 1
            self._latency_s += max(event.latency_s, 0.0)

    def on_ring(self) -> None:
        self.rings += 1
