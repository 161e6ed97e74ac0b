"""The metrics as Prometheus reads them. Needs prometheus-client, from the extra `web`."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from edge.metrics.snapshot import LATENCY_BUCKETS_S, MetricsSnapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The exposition format that every Prometheus reads."""
PREFIX = "whosthere_"


def metrics_text(snapshot: MetricsSnapshot | None) -> bytes:
    """The page `/metrics`. None: the daemon does not answer, and only that is said."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(snapshot))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, snapshot: MetricsSnapshot | None) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield _gauge("daemon_up", "Whether the daemon answers.", self._snapshot is not None)
        if self._snapshot is not None:
            yield from _box(self._snapshot)
            yield from _door(self._snapshot)
            yield from _stages(self._snapshot)
            yield from _queues(self._snapshot)
            yield from _notices(self._snapshot)


def _box(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    health = snapshot.health
    facts = {"device_id": health.device_id, "version": health.software.version, "embedder": health.model.embedder}
    yield InfoMetricFamily(f"{PREFIX}box", "What runs on this box.", value=facts)
    yield _gauge("uptime_seconds", "How long the daemon has been running.", health.uptime_s)
    yield _gauge("camera_up", "Whether the camera delivers frames.", health.camera_online)
    yield _gauge("broker_up", "Whether the MQTT broker is connected.", snapshot.broker_connected)
    yield _gauge("paused", "Whether recognition is paused.", health.state == "paused")
    yield _gauge("memory_bytes", "Resident memory of the daemon.", health.memory_mb * 2**20)
    yield _gauge("cpu_temperature_celsius", "Temperature of the CPU.", health.temperature_c)
    yield _gauge("throttled", "Whether the board reduces its own clock rate.", health.throttled)
    yield _gauge("under_voltage", "Whether the board's supply voltage is too low.", health.under_voltage)
    free = None if health.disk_free_mb is None else health.disk_free_mb * 1e6
    yield _gauge("disk_free_bytes", "Free space on the disk of the outbox.", free)
    yield _gauge("gallery_people", "People in the gallery.", health.gallery.people)
    yield _gauge("gallery_templates", "Templates in the gallery.", health.gallery.templates)


def _door(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    health = snapshot.health
    yield _counter("frames", "Frames that were analysed.", health.frames)
    yield _counter("frames_dropped", "Frames replaced by a newer one before they were analysed.", health.frames_dropped)
    looked = snapshot.stages.get("landmarks")
    yield _counter("faces", "Faces that were analysed closely.", looked.times if looked else 0)
    yield _counter("visits", "Visits that began.", health.visits)
    decided = CounterMetricFamily(f"{PREFIX}decisions", "Final decisions, by kind.", labels=["decision"])
    for kind, count in snapshot.decisions.items():
        decided.add_metric([kind], count)
    yield decided
    yield _counter("corrections", "Names that replaced a doubt.", snapshot.corrections)
    yield _counter("rings", "Rings of the doorbell.", snapshot.rings)
    names = [*(str(bound) for bound in LATENCY_BUCKETS_S), "+Inf"]
    yield HistogramMetricFamily(
        f"{PREFIX}name_latency_seconds",
        "From the first frame with the face to a name.",
        buckets=list(zip(names, accumulate(snapshot.latency.buckets), strict=True)),
        sum_value=snapshot.latency.total_s,
    )


def _stages(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    family = SummaryMetricFamily(f"{PREFIX}stage_seconds", "How long each stage takes.", labels=["stage"])
    for stage, total in snapshot.stages.items():
        family.add_metric([stage], total.times, total.total_s)
    yield family


def _queues(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    health, outbox = snapshot.health, snapshot.health.outbox
    yield _gauge("outbox_waiting", "Events that wait for the broker.", outbox.waiting)
    yield _counter("outbox_dropped", "Events ever lost because the outbox was full.", outbox.dropped)
    yield _counter("outbox_late", "Events sent to visit/late.", outbox.late)
    yield _gauge("outbox_on_disk", "Whether a power cut would lose nothing.", outbox.on_disk)
    if health.diary is not None:
        yield _gauge("diary_visits", "Visits in the diary.", health.diary.visits)
        yield _gauge("diary_bytes", "Size of the diary.", health.diary.size_mb * 1e6)
        yield _gauge("diary_on_disk", "Whether the diary can be written.", health.diary.on_disk)
    if health.strangers is not None:
        yield _gauge("strangers_kept", "Strangers who would be recognised again.", health.strangers.kept)


def _notices(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    if not snapshot.notices:
        return
    counts = {
        "sent": "Notices that were sent.",
        "failed": "Attempts to send a notice that failed.",
        "dropped": "Notices that were given up.",
    }
    for name, text in counts.items():
        family = CounterMetricFamily(f"{PREFIX}notices_{name}", text, labels=["channel"])
        for channel, found in snapshot.notices.items():
            family.add_metric([channel], getattr(found, name))
        yield family
    waiting = GaugeMetricFamily(f"{PREFIX}notices_waiting", "Notices that wait.", labels=["channel"])
    for channel, found in snapshot.notices.items():
        waiting.add_metric([channel], found.waiting)
    yield waiting


def _gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    """What is not known has no sample."""
    family = GaugeMetricFamily(f"{PREFIX}{name}", text)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", text, value=value)
