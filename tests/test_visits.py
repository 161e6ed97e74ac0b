"""One visit, one decision: whatever the tracks do."""

import numpy as np
import pytest

from edge.config.visits import VisitSettings
from edge.events import EventKind
from edge.records import Problem
from support.people import Door, alike, gallery_of, somebody

ADA, BEN, STRANGER = somebody(1), somebody(2), somebody(3)
KNOWN = gallery_of(ada=ADA, ben=BEN)


def test_a_long_visit_is_three_events() -> None:
    door = Door(KNOWN)
    door.show(60, t1=alike(ADA, 0.8))
    door.leave_empty(10)
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit1 ended"]
    assert [event.sequence for event in door.events] == [0, 1, 2]


def test_a_name_needs_several_usable_faces() -> None:
    door = Door(KNOWN, VisitSettings(gap_s=5, min_faces=3))
    door.show(0.2, t1=alike(ADA, 0.8))
    assert door.announced() == ["visit1 started"]
    door.show(0.1, t1=alike(ADA, 0.8))
    assert door.announced() == ["visit1 started", "visit1 recognized ada"]
    assert door.events[1].usable_faces == 3
    assert door.events[1].latency_s == pytest.approx(0.2)


def test_a_stranger_is_unknown_once_patience_is_over() -> None:
    door = Door(KNOWN, VisitSettings(gap_s=5, patience_s=3, patience_faces=8))
    door.show(2.9, t1=STRANGER)
    assert door.announced() == ["visit1 started"]
    door.show(20, t1=STRANGER)
    assert door.announced() == ["visit1 started", "visit1 unknown"]
    assert door.events[1].match is not None
    assert door.events[1].match.person is None


def test_patience_is_long_enough_for_a_face_that_gets_better() -> None:
    door = Door(KNOWN)
    door.show(1, t1=alike(ADA, 0.4))
    door.show(1.5, t1=alike(ADA, 0.9, seed=98))
    assert door.announced() == ["visit1 started", "visit1 recognized ada"]


def test_two_people_are_two_visits() -> None:
    door = Door(KNOWN)
    door.show(3, t1=alike(ADA, 0.8), t2=alike(BEN, 0.7))
    door.leave_empty(6)
    assert sorted(door.announced()) == [
        "visit1 ended",
        "visit1 recognized ada",
        "visit1 started",
        "visit2 ended",
        "visit2 recognized ben",
        "visit2 started",
    ]


def test_two_people_in_one_frame_never_share_a_name() -> None:
    door = Door(KNOWN)
    door.show(6, t1=alike(ADA, 0.6), t2=alike(ADA, 0.8))
    assert "visit2 recognized ada" in door.announced()
    assert "visit1 uncertain" in door.announced()
    assert "visit1 recognized ada" not in door.announced()


def test_back_within_the_gap_is_the_same_visit() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.leave_empty(3)
    door.show(2, t2=alike(ADA, 0.8, seed=98))
    door.leave_empty(6)
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit1 ended"]


def test_a_stranger_back_within_the_gap_is_the_same_visit() -> None:
    door = Door(KNOWN)
    door.show(4, t1=STRANGER)
    door.leave_empty(3)
    door.show(4, t2=alike(STRANGER, 0.7))
    assert door.announced() == ["visit1 started", "visit1 unknown"]


def test_back_after_the_gap_is_a_new_visit() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.leave_empty(6)
    door.show(2, t2=alike(ADA, 0.8))
    assert door.announced()[2:] == ["visit1 ended", "visit2 started", "visit2 recognized ada"]


def test_somebody_else_within_the_gap_is_a_new_visit() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.leave_empty(1)
    door.show(2, t2=alike(BEN, 0.8, seed=98))
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit2 started", "visit2 recognized ben"]


def test_a_track_that_changes_hands_does_not_keep_the_name() -> None:
    door = Door(KNOWN)
    door.show(3, t1=alike(ADA, 0.8))
    door.show(1, t1=STRANGER)
    door.show(4, t2=STRANGER)
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit2 started", "visit2 unknown"]


def test_a_few_odd_frames_do_not_end_a_visit() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.show(0.2, t1=STRANGER)
    door.show(2, t1=alike(ADA, 0.8))
    assert door.announced() == ["visit1 started", "visit1 recognized ada"]


def test_a_provisional_name_is_followed_by_one_final_decision() -> None:
    door = Door(KNOWN, VisitSettings(gap_s=5, provisional=True))
    door.show(0.1, t1=alike(ADA, 0.6))
    assert door.announced() == ["visit1 started", "visit1 recognized ada provisional"]
    # Like the first look, but nearer to somebody else of the gallery.
    first, ben = alike(ADA, 0.6), BEN
    door.show(8, t1=(0.4 * first + 0.9 * ben) / np.linalg.norm(0.4 * first + 0.9 * ben))
    assert [kind for kind in door.announced() if "provisional" not in kind] == [
        "visit1 started",
        "visit1 recognized ben",
    ]


def test_too_close_to_call_is_uncertain_and_names_both() -> None:
    between = ADA + BEN
    between /= float((between @ between) ** 0.5)
    door = Door(KNOWN)
    door.show(5, t1=between)
    assert door.announced() == ["visit1 started", "visit1 uncertain"]
    match = door.events[1].match
    assert match is not None and match.best is not None and match.runner_up is not None
    assert {match.best.person_id, match.runner_up.person_id} == {"ada", "ben"}


def test_a_face_never_good_enough_is_said_at_the_end() -> None:
    door = Door(KNOWN)
    door.show(10, t1=Problem.TOO_DARK)
    assert door.announced() == ["visit1 started"]
    door.leave_empty(6)
    assert door.announced()[1:] == ["visit1 no_usable_face", "visit1 ended"]
    assert door.events[1].problem is Problem.TOO_DARK


def test_what_is_not_a_face_is_no_visit() -> None:
    door = Door(KNOWN)
    door.show(10, t1=Problem.NOT_A_FACE)
    door.leave_empty(10)
    assert door.announced() == []
    assert door.visits.label(1) is None
    assert door.visits.flush(door.now) == []


def test_one_good_look_is_not_enough_for_a_name_even_at_the_end() -> None:
    door = Door(KNOWN)
    door.show(0.1, t1=alike(ADA, 0.9))
    door.leave_empty(6)
    assert door.announced() == ["visit1 started", "visit1 uncertain", "visit1 ended"]


def test_flush_decides_and_ends_what_is_open() -> None:
    door = Door(KNOWN)
    door.show(0.5, t1=STRANGER, t2=Problem.TOO_SMALL)
    kinds = [event.kind for event in door.visits.flush(door.now)]
    assert kinds.count(EventKind.ENDED) == 2
    assert EventKind.UNKNOWN in kinds
    assert EventKind.NO_USABLE_FACE in kinds
    assert door.visits.flush(door.now) == []


def test_a_decided_visit_is_looked_at_only_now_and_then() -> None:
    door = Door(KNOWN, VisitSettings(gap_s=5, recheck_s=2))
    door.show(0.2, t1=alike(ADA, 0.8))
    assert door.visits.wants_look(1, door.now + 0.1)
    door.show(1, t1=alike(ADA, 0.8))
    assert not door.visits.wants_look(1, door.now + 0.1)
    assert door.visits.wants_look(1, door.now + 2)


def test_an_empty_gallery_knows_nobody() -> None:
    door = Door(gallery_of())
    door.show(5, t1=ADA)
    assert door.announced() == ["visit1 started", "visit1 unknown"]


def test_ringing_starts_a_visit_at_once_and_the_next_face_is_the_ringers() -> None:
    door = Door(KNOWN)
    door.leave_empty(1)
    visit_id, events = door.visits.ring(door.now)
    door.events += events
    assert door.visits.ring(door.now) == (visit_id, [])
    assert door.announced() == ["visit1 started"]
    door.leave_empty(2)
    door.show(3, t1=alike(ADA, 0.8))
    assert door.visits.ring(door.now) == ("visit1", [])
    door.leave_empty(6)
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit1 ended"]
    assert door.events[1].latency_s > 2, "counted from the ring"


def test_who_rings_and_is_never_seen_has_been_there_all_the_same() -> None:
    door = Door(KNOWN)
    door.events += door.visits.ring(door.now)[1]
    door.leave_empty(6)
    assert door.announced() == ["visit1 started", "visit1 no_usable_face", "visit1 ended"]
    assert all(event.box is None for event in door.events)


def test_who_is_in_sight_and_rings_is_one_visit() -> None:
    door = Door(KNOWN)
    door.show(3, t1=STRANGER)
    assert door.visits.ring(door.now) == ("visit1", [])
    door.show(3, t1=STRANGER)
    assert door.announced() == ["visit1 started", "visit1 unknown"]
