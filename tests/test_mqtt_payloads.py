"""The payloads against their schema, and the schema files against the code."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from edge.events import Event, EventKind, StrangerVisits
from edge.mqtt import contract as schema
from edge.mqtt.payloads import (
    CommandResult,
    GalleryHealth,
    HealthPayload,
    ModelHealth,
    OutboxHealth,
    SoftwareHealth,
    StageLatency,
    StrangersHealth,
    rfc3339,
    rounded_inwards,
)
from edge.mqtt.visit_payloads import marked, names_others, visit_payload
from edge.records import Candidate, Doubt, Outcome, Problem
from support.publishing import ADA, ORIGIN, event, match, quality, recognized

DOCS = Path(__file__).parents[1] / "docs"


def encoded(happened: Event, wall_offset: float = 0.0) -> dict[str, Any]:
    document = msgspec.json.decode(msgspec.json.encode(visit_payload(happened, wall_offset=wall_offset, origin=ORIGIN)))
    valid(document, "visit")
    return document


def valid(document: Any, name: str) -> None:
    contract = schema.json_schemas()[name]
    jsonschema.Draft202012Validator(contract).validate(document)
    shape = contract["$defs"][contract["$ref"].rsplit("/", 1)[-1]]
    assert set(document) == set(shape["properties"]) == set(shape["required"])


def test_a_recognition_says_who_and_how_surely() -> None:
    document = encoded(recognized(at=100.25, started_at=98.0), wall_offset=1_748_800_000.0)

    assert document == {
        "event_type": "recognized",
        "event_id": "v1/1",
        "visit_id": "v1",
        "sequence": 1,
        "device_id": "front-door",
        "camera": "porch",
        "person_id": "ada",
        "person_name": "Ada Lovelace",
        "candidates": [],
        "similarity": 0.7123,
        "threshold": 0.42,
        "margin": 0.4023,
        "false_match_rate": 0.00012,
        "provisional": False,
        "usable_faces": 5,
        "quality": 0.877,
        "problem": None,
        "box": [10, 21, 100, 119],
        "started_at": "2025-06-01T17:48:18.000Z",
        "decided_at": "2025-06-01T17:48:20.250Z",
        "latency_ms": 250,
        "gallery_version": "2025-06-01/3",
        "model": "mobilefacenet",
        "late": False,
        "delayed": False,
        "clock_set": True,
        "corrects": None,
        "stranger": None,
        "liveness": None,
        "spoof": None,
        "challenge": None,
        "schema_version": 1,
    }


def test_a_correction_names_the_event_that_it_corrects() -> None:
    assert encoded(recognized(sequence=2, corrects=1))["corrects"] == "v1/1"
    assert encoded(recognized(sequence=1))["corrects"] is None


def test_only_uncertain_events_have_candidates() -> None:
    unknown = encoded(event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), quality=quality()))
    uncertain = encoded(event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN), quality=quality()))

    assert "ada" not in msgspec.json.encode(unknown).decode().lower()
    assert unknown["similarity"] == 0.7123
    assert [c["id"] for c in uncertain["candidates"]] == ["ada", "grace"]
    assert uncertain["person_id"] is None is uncertain["person_name"]


def test_whom_an_uncertain_visitor_cannot_be_is_no_candidate() -> None:
    """Too few faces for a name, or the name is taken: the second person has nothing to do with it."""
    behind = msgspec.structs.replace(match(Outcome.UNCERTAIN), doubt=Doubt.TAKEN)
    payload = encoded(event(EventKind.UNCERTAIN, match=behind, quality=quality()))
    assert [c["name"] for c in payload["candidates"]] == ["Ada Lovelace"]
    assert payload["margin"] == 0.4023


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_keeps_to_the_schema(kind: EventKind) -> None:
    assert encoded(event(kind, problem=Problem.TOO_DARK, box=None))["event_type"] == kind


def test_a_stranger_is_told_by_number_and_times() -> None:
    came = StrangerVisits(3, 6, 1_700_000_000.0, 1_700_086_400.0, 1_700_090_000.0)
    unknown = event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=came)

    assert encoded(unknown)["stranger"] == {
        "id": "stranger-3",
        "times": 6,
        "first_seen": "2023-11-14T22:13:20.000Z",
        "last_seen": "2023-11-15T22:13:20.000Z",
    }
    first = replace(unknown, stranger=replace(came, times=1, last_seen=None))
    assert encoded(first)["stranger"]["last_seen"] is None
    assert encoded(event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)))["stranger"] is None


def test_somebody_who_has_a_name_is_no_stranger() -> None:
    """A correction, whose visit had a stranger's number before."""
    assert encoded(recognized(stranger=StrangerVisits(3, 6, 0.0, 0.0, 0.0)))["stranger"] is None


def test_numbers_stay_in_range_when_rounding_errors_do_not() -> None:
    twin = Candidate("ada", "Ada", 1.0000001)

    document = encoded(recognized(match=match(best=twin), quality=quality(1.0000001), latency_s=-0.001))

    assert (document["similarity"], document["quality"], document["latency_ms"]) == (1.0, 1.0, 0)


def test_a_mark_changes_nothing_else_and_survives_garbage() -> None:
    payload = msgspec.json.encode(visit_payload(recognized(), wall_offset=0.0, origin=ORIGIN))

    for mark in ("late", "delayed"):
        found = msgspec.json.decode(marked(payload, **{mark: True}))
        assert found == msgspec.json.decode(payload) | {mark: True}
    assert marked(b'{"torn', late=True) == b'{"torn'
    assert marked(b"\xff\xfe", late=True) == b"\xff\xfe"


def test_health_and_command_results_keep_to_their_schema() -> None:
    health = HealthPayload(
        device_id="front-door",
        at=rfc3339(0.0),
        uptime_s=5,
        state="watching",
        camera_online=True,
        fps=9.8,
        frame_age_s=0.1,
        latency={"detect": StageLatency(21.0, 30.5)},
        frames=49,
        frames_dropped=1,
        visits=0,
        outbox=OutboxHealth(waiting=0, dropped=0, late=0, on_disk=True),
        temperature_c=None,
        throttled=None,
        under_voltage=None,
        disk_free_mb=None,
        memory_mb=180.2,
        threshold=0.42,
        false_alarm_target=0.001,
        gallery=GalleryHealth("3", 2, 9),
        model=ModelHealth("mobilefacenet", "blazeface", "litert 2.0", ["mobilefacenet"]),
        software=SoftwareHealth("1.0"),
        clock_set=True,
        strangers=StrangersHealth(kept=3, on_disk=True, replaced=0),
    )

    valid(msgspec.json.decode(msgspec.json.encode(health)), "health")
    valid(msgspec.json.decode(msgspec.json.encode(CommandResult("pause", True, "paused", None))), "command_result")


def test_the_schema_refuses_what_is_not_the_contract() -> None:
    document = encoded(recognized())
    for wrong in ({"event_type": "seen"}, {"decided_at": "2025-06-01 17:48:20"}, {"similarity": 2}, {"box": [1, 2]}):
        with pytest.raises(jsonschema.ValidationError):
            valid(document | wrong, "visit")


def test_the_schema_files_in_docs_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in (DOCS / "schema").glob("*.json")}

    assert {name: written.get(name) for name in schema.files()} == schema.files(), (
        "run: python -m edge.mqtt.contract docs/schema"
    )


def test_the_asyncapi_document_holds_together() -> None:
    document = json.loads(schema.files()["asyncapi.json"])

    for name, operation in document["operations"].items():
        assert operation["channel"]["$ref"] == f"#/channels/{name}"
        channel = document["channels"][name]
        assert channel["messages"][name]["$ref"] == f"#/components/messages/{name}"
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])
        payload = document["components"]["messages"][name]["payload"]
        assert "$ref" not in payload or payload["$ref"].removeprefix("./") in schema.files()
        topic = channel["address"].removeprefix("{base}/{device_id}/").replace("{person_id}", "<id>")
        assert f"`{topic}`" in (DOCS / "40-mqtt.md").read_text() or topic.startswith("command/"), topic


def test_the_example_in_docs_is_a_real_payload() -> None:
    page = (DOCS / "40-mqtt.md").read_text()
    example = page.split("```json\n")[1].split("```")[0]

    valid(msgspec.json.decode(example), "visit")
    assert ADA.name in example


@pytest.mark.parametrize(("low", "high"), [(9.1434e-06, 0.26999), (9.1454e-06, 0.27), (1e-5, 0.5), (0.0012345, 1.0)])
def test_bounds_are_never_published_wider_than_they_are(low: float, high: float) -> None:
    """Home Assistant offers every value between them: the box must not refuse one."""
    published = rounded_inwards(low, high)

    assert low <= published[0] <= low * 1.01
    assert high * 0.99 <= published[1] <= high
    assert [len(f"{bound:g}".split("e")[0].replace(".", "").strip("0")) <= 3 for bound in published] == [True, True]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"person_id":"ada","candidates":[{"id":"ada"},{"id":"grace"}],"schema_version":1}', False),
        (b'{"person_id":"eve","candidates":[],"schema_version":1}', True),
        (b'{"person_id":null,"candidates":[{"id":"eve"}],"schema_version":1}', True),
        (b'{"person_id":null,"candidates":[],"schema_version":1}', False),
        (b'{"person_id": "eve","schema_version":2}', True),
        (b'{"person_id": "ada","who":[{"id":"grace"}],"schema_version":2}', False),
        (b'{"person_id":"eve","cand', True),
        (b"\xff\xfe nothing", False),
        (b"[" * 100_000, False),
    ],
)
def test_who_is_named_besides_the_gallery(payload: bytes, expected: bool) -> None:
    assert names_others(payload, {"ada", "grace"}) is expected
