"""Metrics: what is counted, and the text as Prometheus's own parser reads it."""

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.events import EventKind
from edge.metrics.counters import VisitCounters
from edge.metrics.snapshot import LATENCY_BUCKETS_S, MetricsSnapshot, NoticeCounts, StageTotal
from edge.metrics.text import metrics_text
from edge.mqtt.payloads import (
    DiaryHealth,
    GalleryHealth,
    HealthPayload,
    ModelHealth,
    OutboxHealth,
    SoftwareHealth,
    rfc3339,
)
from edge.records import Outcome
from support.publishing import event, match, recognized

HEALTH = HealthPayload(
    device_id='front "door"\\\n',
    at=rfc3339(0),
    uptime_s=3600,
    state="watching",
    camera_online=True,
    fps=9.9,
    frame_age_s=0.1,
    latency={},
    frames=36000,
    frames_dropped=12,
    visits=7,
    outbox=OutboxHealth(waiting=3, dropped=1, late=2, on_disk=True),
    temperature_c=None,
    throttled=None,
    under_voltage=False,
    memory_mb=150.5,
    disk_free_mb=2000,
    threshold=0.42,
    false_alarm_target=0.001,
    gallery=GalleryHealth("3", people=4, templates=12),
    model=ModelHealth("mobilefacenet", "blazeface-back", "ai-edge-litert", []),
    software=SoftwareHealth("1.0"),
    clock_set=True,
    diary=DiaryHealth(visits=40, size_mb=0.5, on_disk=True, replaced=0, dropped=0),
)


def snapshot(counters: VisitCounters | None = None) -> MetricsSnapshot:
    counters = counters or VisitCounters()
    return MetricsSnapshot(
        health=HEALTH,
        broker_connected=False,
        decisions=counters.decisions,
        corrections=counters.corrections,
        rings=counters.rings,
        latency=counters.latency,
        stages={"landmarks": StageTotal(1.5, 500), "embed": StageTotal(4.0, 300)},
        notices={"ntfy": NoticeCounts(sent=5, failed=2, dropped=1, waiting=0)},
    )


def read(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Sample name -> label values -> value, by Prometheus's own parser."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.documentation.endswith("."), family.name
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def counted() -> VisitCounters:
    counters = VisitCounters()
    unknown = event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN))
    for heard in (
        event(),
        recognized(provisional=True, latency_s=0.1),
        recognized(latency_s=0.2),
        recognized(latency_s=0.25),
        recognized(latency_s=2.5),
        recognized(latency_s=60.0),
        unknown,
        recognized(corrects=1, latency_s=9.0),
        event(EventKind.NO_USABLE_FACE),
        event(EventKind.ENDED, match=match()),
    ):
        counters.on_event(heard)
    counters.on_ring()
    return counters


def test_final_decisions_are_counted_and_how_long_a_name_took() -> None:
    counters = counted()
    assert counters.decisions == {"recognized": 5, "unknown": 1, "uncertain": 0, "no_usable_face": 1}
    assert (counters.corrections, counters.rings) == (1, 1)
    assert counters.latency.buckets == (2, 0, 0, 0, 1, 0, 0, 1)
    assert counters.latency.total_s == pytest.approx(62.95)


def test_prometheus_reads_every_figure() -> None:
    found = read(metrics_text(snapshot(counted())))
    one = {name: values[()] for name, values in found.items() if () in values}
    assert one["whosthere_daemon_up"] == one["whosthere_camera_up"] == 1
    assert one["whosthere_broker_up"] == one["whosthere_paused"] == 0
    assert (one["whosthere_frames_total"], one["whosthere_faces_total"]) == (36000, 500)
    assert (one["whosthere_gallery_people"], one["whosthere_outbox_waiting"]) == (4, 3)
    assert one["whosthere_memory_bytes"] == 150.5 * 2**20
    assert found["whosthere_decisions_total"] == {
        ("recognized",): 5, ("unknown",): 1, ("uncertain",): 0, ("no_usable_face",): 1,
    }  # fmt: skip
    buckets = list(found["whosthere_name_latency_seconds_bucket"].items())
    assert [bound for (bound,), _ in buckets] == [*map(str, LATENCY_BUCKETS_S), "+Inf"]
    assert [count for _, count in buckets] == [2, 2, 2, 2, 3, 3, 3, 4]
    assert one["whosthere_name_latency_seconds_count"] == 4
    assert found["whosthere_stage_seconds_count"][("embed",)] == 300
    assert found["whosthere_notices_sent_total"] == {("ntfy",): 5}
    [(labels, value)] = found["whosthere_box_info"].items()
    assert (set(labels), value) == ({"mobilefacenet", 'front "door"\\\n', "1.0"}, 1), "whatever the box is called"


def test_what_is_not_known_has_no_sample() -> None:
    found = read(metrics_text(snapshot()))
    assert not {"whosthere_cpu_temperature_celsius", "whosthere_throttled", "whosthere_strangers_kept"} & set(found)
    assert found["whosthere_under_voltage"] == {(): 0}


def test_without_the_daemon_only_that_is_said() -> None:
    assert read(metrics_text(None)) == {"whosthere_daemon_up": {(): 0}}


def test_nobody_is_named() -> None:
    assert b"Ada" not in metrics_text(snapshot(counted())) and b"ada" not in metrics_text(snapshot(counted()))


def test_it_travels_as_json() -> None:
    sent = snapshot(counted())
    assert msgspec.json.decode(msgspec.json.encode(sent), type=MetricsSnapshot) == sent
