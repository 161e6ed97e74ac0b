"""The demo's verdict and view, fed with messages written by hand."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from edge.demo.expected import ExpectedVisit
from edge.demo.view import DemoView, shown

OBAMA, BIDEN, HOPPER = "Barack Obama", "Joe Biden", "Grace Hopper"
BEGIN = datetime(2025, 6, 1, 18, 0, 0, tzinfo=UTC)


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def _expected(name: str, known: bool, from_s: float, to_s: float) -> ExpectedVisit:
    return ExpectedVisit(name, _slug(name) if known else None, name if known else None, from_s, to_s)


EXPECTED = [
    _expected(OBAMA, True, 1.5, 8.9),
    _expected("Eileen Collins", False, 11.6, 19.0),
    _expected(HOPPER, True, 31.8, 39.2),
    _expected(OBAMA, True, 32.2, 39.6),
]


def _at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Box:
    """Says what a box would say."""

    def __init__(self) -> None:
        self.view = DemoView(EXPECTED, broker="127.0.0.1:1883")

    def event(
        self, visit: str, sequence: int, kind: str, started_s: float, name: str | None = None, **more: object
    ) -> None:
        topic = str(more.pop("topic", "visit"))
        document = {
            "event_type": kind,
            "event_id": f"{visit}/{sequence}",
            "visit_id": visit,
            "sequence": sequence,
            "device_id": "demo-door",
            "camera": "front door",
            "person_id": _slug(name) if name else None,
            "person_name": name,
            "candidates": [],
            "similarity": None if kind == "started" else 0.79 if name else 0.24,
            "threshold": None if kind == "started" else 0.447,
            "margin": 0.5,
            "false_match_rate": 1e-5,
            "provisional": False,
            "usable_faces": 7,
            "quality": 0.9,
            "problem": None,
            "box": [10, 20, 150, 150],
            "started_at": _at(started_s),
            "decided_at": _at(started_s + sequence),
            "latency_ms": 1250,
            "gallery_version": "3",
            "model": "mobilefacenet",
        } | more
        self.view.message(f"whosthere/demo-door/{topic}", json.dumps(document).encode())

    def visit(self, visit: str, started_s: float, name: str | None, kind: str | None = None) -> None:
        """A whole visit, decided as usual."""
        kind = kind or ("recognized" if name else "unknown")
        for sequence, step in enumerate(["started", kind, "ended"]):
            self.event(visit, sequence, step, started_s, None if step == "started" else name)

    def first_three(self) -> None:
        self.visit("a", 2.2, OBAMA)
        self.visit("b", 12.4, None)
        self.visit("c", 32.4, HOPPER)

    def all_right(self) -> None:
        self.first_three()
        self.visit("d", 32.9, OBAMA)

    @property
    def summary(self) -> str:
        text = io.StringIO()
        self.view.print_summary(Console(file=text, width=140))
        return text.getvalue()


@pytest.fixture
def box() -> Box:
    return Box()


def test_everybody_reported_rightly_passes(box: Box) -> None:
    box.all_right()
    assert box.view.passed()
    assert box.summary.count("✓") == 4
    assert "4 of 4 visitors reported correctly" in box.summary


def test_who_of_two_is_seen_first_does_not_matter(box: Box) -> None:
    box.visit("a", 2.2, OBAMA)
    box.visit("b", 12.4, None)
    box.visit("c", 32.5, OBAMA)
    box.visit("d", 32.6, HOPPER)
    assert box.view.passed()


def test_an_event_that_arrives_twice_or_late_counts_once(box: Box) -> None:
    box.first_three()
    for _ in range(2):
        for sequence, kind in enumerate(["started", "recognized", "ended"]):
            box.event("d", sequence, kind, 32.9, OBAMA if sequence else None, topic="visit/late", late=True)
    assert box.view.passed()


def test_nothing_reported_does_not_pass(box: Box) -> None:
    assert not box.view.passed()
    assert box.summary.count("not reported") == 4


def test_a_visitor_who_is_not_reported_fails_even_the_first(box: Box) -> None:
    box.visit("b", 12.4, None)
    box.visit("c", 32.4, HOPPER)
    box.visit("d", 32.9, OBAMA)
    assert not box.view.passed()
    assert box.summary.count("✓") == 3
    assert box.summary.count("not reported") == 1


@pytest.mark.parametrize(
    ("started_s", "name", "kind"),
    [(32.9, BIDEN, "recognized"), (32.9, None, "unknown"), (32.9, None, "uncertain"), (32.9, None, "no_usable_face")],
)
def test_a_wrong_answer_fails_beside_the_visitor_whom_it_is_about(
    box: Box, started_s: float, name: str | None, kind: str
) -> None:
    box.first_three()
    box.visit("d", started_s, name, kind)
    assert not box.view.passed()
    wrong = next(line for line in box.summary.splitlines() if "✗" in line)
    assert OBAMA in wrong
    assert (name or kind.replace("_", " ")) in wrong


def test_a_stranger_called_by_a_name_fails(box: Box) -> None:
    box.visit("a", 2.2, OBAMA)
    box.visit("b", 12.4, OBAMA)
    box.visit("c", 32.4, HOPPER)
    box.visit("d", 32.9, OBAMA)
    assert not box.view.passed()
    assert box.summary.count("✓") == 3


def test_a_wrong_name_fails_even_if_it_was_provisional(box: Box) -> None:
    box.first_three()
    box.event("d", 0, "started", 32.9)
    box.event("d", 1, "recognized", 32.9, BIDEN, provisional=True)
    box.event("d", 2, "recognized", 32.9, OBAMA)
    box.event("d", 3, "ended", 32.9, OBAMA)
    assert not box.view.passed()
    assert "called Joe Biden" in box.summary


def test_a_right_provisional_name_passes(box: Box) -> None:
    box.first_three()
    box.event("d", 0, "started", 32.9)
    box.event("d", 1, "recognized", 32.9, OBAMA, provisional=True)
    box.event("d", 2, "recognized", 32.9, OBAMA)
    box.event("d", 3, "ended", 32.9, OBAMA)
    assert box.view.passed()


def test_one_visitor_reported_as_two_visits_fails(box: Box) -> None:
    box.all_right()
    box.visit("e", 15.0, None)
    assert not box.view.passed()
    assert "nobody else was there" in box.summary
    assert "1 visit too many" in box.summary


def test_two_final_decisions_fail(box: Box) -> None:
    box.first_three()
    box.event("d", 0, "started", 32.9)
    box.event("d", 1, "unknown", 32.9)
    box.event("d", 2, "recognized", 32.9, OBAMA)
    box.event("d", 3, "ended", 32.9, OBAMA)
    assert not box.view.passed()
    assert "decided 2 times" in box.summary


@pytest.mark.parametrize(("steps", "told"), [((0, 1), "not ended"), ((0, 2), "never decided"), ((1, 2), "events lost")])
def test_an_incomplete_visit_fails(box: Box, steps: tuple[int, ...], told: str) -> None:
    box.first_three()
    for sequence in steps:
        box.event("d", sequence, ["started", "recognized", "ended"][sequence], 32.9, OBAMA if sequence == 1 else None)
    assert not box.view.passed()
    assert told in box.summary


def test_an_unreadable_message_fails_and_is_told(box: Box) -> None:
    box.all_right()
    box.view.message("whosthere/demo-door/visit", b'{"event_type": "arrived"}')
    assert not box.view.passed()
    assert "unreadable: whosthere/demo-door/visit" in box.summary


def test_other_topics_of_the_box_are_no_visits(box: Box) -> None:
    box.all_right()
    for topic in ("person/visit", "person/health", "last_person", "command/result", "snapshot"):
        box.view.message(f"whosthere/demo-door/{topic}", b"ON")
    box.view.message("odd", b"")
    assert box.view.passed()


def _rendered(view: DemoView) -> str:
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(view)
    return console.export_text()


def test_the_live_view_shows_who_is_there_and_the_events_so_far(box: Box) -> None:
    box.visit("a", 2.2, OBAMA)
    box.event("b", 0, "started", 12.4)
    assert "somebody; analysing" in _rendered(box.view)
    box.event("b", 1, "unknown", 12.4)
    text = _rendered(box.view)
    assert "somebody; analysing" not in text
    assert "started → Barack Obama 0.79 → ended" in text
    assert "started → unknown 0.24" in text
    assert "0.24 (needs 0.45)" in text


def test_the_live_view_shows_how_the_box_is(box: Box) -> None:
    assert "no health message yet" in _rendered(box.view)
    health = {
        "device_id": "demo-door",
        "at": _at(3),
        "uptime_s": 3,
        "state": "watching",
        "camera_online": True,
        "fps": 11.9,
        "frame_age_s": 0.1,
        "latency": {"detect": {"p50_ms": 14.2, "p95_ms": 18.4}},
        "frames": 36,
        "frames_dropped": 1,
        "visits": 0,
        "outbox": {"waiting": 0, "dropped": 0, "late": 0, "on_disk": True},
        "temperature_c": None,
        "throttled": None,
        "under_voltage": None,
        "disk_free_mb": 9000,
        "memory_mb": 140.0,
        "threshold": 0.447,
        "false_alarm_target": 0.001,
        "gallery": {"version": "3", "people": 3, "templates": 3},
        "model": {"embedder": "mobilefacenet", "detector": "blazeface", "runtime": "LiteRT", "edge_tpu": []},
        "software": {"version": "0.1.0", "on_disk": None},
        "clock_set": True,
    }
    box.view.message("whosthere/demo-door/health", json.dumps(health).encode())
    box.view.message("whosthere/demo-door/camera", b"online")
    text = _rendered(box.view)
    parts = ("demo-door", "camera online", "3 people", "0.447", "one stranger in 1,000", "11.9 fps", "detect 14/18")
    assert [part for part in parts if part not in text] == []
    box.view.message("whosthere/demo-door/health", json.dumps(health | {"state": "stopping", "fps": 0.0}).encode())
    assert _rendered(box.view) == text


def test_without_a_terminal_every_event_is_one_line(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    with shown(box.view, plain=False):
        box.view.message("whosthere/demo-door/camera", b"online")
        box.visit("a", 2.2, OBAMA)
        box.visit("a", 2.2, OBAMA)
    box.visit("b", 12.4, None)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0] == "camera online"
    assert "visit 1  recognized  Barack Obama  similarity 0.790 (needs 0.447)" in lines[2]


def test_the_summary_is_written_as_plain_text(box: Box, tmp_path: Path) -> None:
    box.all_right()
    box.view.write_summary(tmp_path / "summary.txt")
    text = (tmp_path / "summary.txt").read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "Eileen Collins" in text
    assert "4 of 4" in text
