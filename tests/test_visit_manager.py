"""Visits at their edges: looks, doubts, links, rings and gaps, with vectors whose cosines are exact."""

import itertools
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edge.config.visits import VisitSettings
from edge.events import ChallengeResult, Event, EventKind
from edge.records import Box, Image, Problem, Vector
from edge.sightings import Sighting
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import LinkingThresholds
from support.people import AT, DIMENSIONS, PLACE, gallery_of, quality

SETTINGS = VisitSettings(gap_s=5, min_faces=3, look_interval_s=0.5, recheck_s=2, max_looks=5, link_wait_s=1.5)
LINKING = LinkingThresholds(same=0.5, different=0.25, doubtful=0.25)


def direction(*axes: int) -> Vector:
    """The unit vector halfway between so many axes; 1, 4 or 16 have exact coordinates."""
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[list(axes)] = 1 / np.sqrt(len(axes))
    return vector


ADA = direction(0)
HALF_ADA = direction(0, 1, 2, 3)
QUARTER_ADA = direction(*range(16))
BEN = direction(20)
NOBODY = direction(40)


def manager(settings: VisitSettings = SETTINGS, *, pictures: bool = False, threshold: float = 0.9) -> VisitManager:
    ids = (f"v{n}" for n in itertools.count(1))
    matcher = Matcher(gallery_of(ada=ADA, ben=BEN), threshold, 0.05, None)
    return VisitManager(settings, LINKING, matcher, lambda: next(ids), pictures=pictures)


def look(
    track: int, at: float, what: Vector | Problem | None, *, since: float = 0.0, score: float = 0.8, box: Box = PLACE
) -> Sighting:
    if what is None:
        return Sighting(track, at, box, since)
    if isinstance(what, Problem):
        return Sighting(track, at, box, since, quality(score, what))
    return Sighting(track, at, box, since, quality(score), what)


def show(visits: VisitManager, *sightings: Sighting, image: Image | None = None) -> list[str]:
    """What one frame leads to, as `v1 started`; tracks that are not in it are lost."""
    events = visits.update(sightings, {s.track_id for s in sightings}, sightings[0].at, image)
    return told(events)


def told(events: list[Event]) -> list[str]:
    return [f"{event.visit_id} {event.kind.value}" for event in events]


def nothing(visits: VisitManager, now: float) -> list[str]:
    return told(visits.update([], set(), now))


def recognized(visits: VisitManager, track: int = 1, until: float = 1.0) -> None:
    for n in range(3):
        show(visits, look(track, until - 0.2 + n / 10, ADA))


def test_a_visit_follows_a_visitor_who_is_renamed() -> None:
    visits = manager()
    for i in range(4):
        visits.update([look(1, i * 0.5, ADA)], {1}, i * 0.5)
    gallery = visits.matcher.gallery
    visits.matcher = Matcher(gallery.renamed(gallery.people[0], "Countess", AT), 0.9, 0.05, None)
    [ended] = visits.flush(9)
    assert (
        ended.match
        and ended.match.person
        and (ended.match.person.person_id, ended.match.person.name)
        == (
            "ada",
            "Countess",
        )
    )


def test_a_face_is_looked_at_again_after_the_interval() -> None:
    visits = manager()
    assert visits.wants_look(1, 0.0)
    show(visits, look(1, 1.0, None))
    assert visits.wants_look(1, 1.0), "seen, but not looked at"
    show(visits, look(1, 1.0, NOBODY))
    assert not visits.wants_look(1, 1.49)
    assert visits.wants_look(1, 1.5)


def test_after_enough_looks_an_undecided_face_is_looked_at_less_often() -> None:
    visits = manager()
    for n in range(4):
        show(visits, look(1, n / 10, NOBODY))
    assert visits.wants_look(1, 1.0)
    show(visits, look(1, 1.0, NOBODY))
    assert not visits.wants_look(1, 2.99)
    assert visits.wants_look(1, 3.0)
    show(visits, look(1, 3.0, NOBODY))
    assert not visits.wants_look(1, 4.99)


def test_a_doubt_makes_a_decided_visit_worth_a_look() -> None:
    visits = manager(VisitSettings(gap_s=5, look_interval_s=0.5, recheck_s=2, max_looks=50))
    recognized(visits)
    assert not visits.wants_look(1, 2.9)
    assert visits.wants_look(1, 3.0)
    show(visits, look(1, 1.25, NOBODY))
    assert visits.wants_look(1, 1.75)
    show(visits, look(1, 1.75, ADA))
    assert not visits.wants_look(1, 2.5), "the doubt is gone"


def test_looks_that_show_no_usable_face_are_repeated_at_once_until_the_name_is_withheld() -> None:
    visits = manager(VisitSettings(gap_s=5, look_interval_s=0.1, recheck_s=2, max_looks=50))
    recognized(visits)
    assert not visits.wants_look(1, 2.9)
    for at in (3.0, 3.1, 3.2):
        assert visits.wants_look(1, at)
        show(visits, look(1, at, Problem.TURNED_AWAY))
    label = visits.label(1)
    assert label is not None
    assert label[1] is None, "withheld"
    assert not visits.wants_look(1, 5.1)
    assert visits.wants_look(1, 5.2)


def test_a_label_has_the_best_name_so_far() -> None:
    visits = manager(VisitSettings(gap_s=5, min_faces=3, provisional=True), threshold=0.4)
    assert visits.label(1) is None
    show(visits, look(1, 0.0, Problem.TOO_DARK))
    assert visits.label(1) == ("v1", None)
    show(visits, look(1, 0.1, ADA))
    first = visits.label(1)
    assert first is not None and first[1] is not None and first[1].person is not None
    for n in range(2, 9):
        show(visits, look(1, n / 10, HALF_ADA))
    final = visits.label(1)
    assert final is not None and final[1] is not None
    assert final[1] is not first[1]
    assert visits.label(2) is None


def test_the_picture_is_that_of_the_best_look() -> None:
    visits = manager(pictures=True)
    images = [np.full((2, 2, 3), n, np.uint8) for n in range(4)]
    boxes = [Box(n, n, n + 10, n + 10) for n in range(4)]
    scores = [0.0, 0.5, 0.5, 0.4]
    kept = []
    for n in range(4):
        sighting = look(1, n / 10, ADA, score=scores[n], box=boxes[n])
        events = visits.update([sighting], {1}, n / 10, images[n])
        kept += [(event.picture, event.picture_box, event.box) for event in events]
    assert kept == [(images[0], boxes[0], boxes[0]), (images[1], boxes[1], boxes[2])]
    [ended] = visits.flush(1.0)
    assert (ended.picture is images[1], ended.picture_box, ended.box) == (True, boxes[1], boxes[3])


def test_no_picture_is_kept_unless_wanted_and_there() -> None:
    for visits, image in ((manager(), np.zeros((2, 2, 3), np.uint8)), (manager(pictures=True), None)):
        events = visits.update([look(1, 0.0, ADA)], {1}, 0.0, image)
        assert [(event.picture, event.picture_box) for event in events] == [(None, None)]


def test_an_event_says_how_long_it_took_and_on_what_it_rests() -> None:
    visits = manager()
    [started] = visits.update([look(1, 2.0, Problem.TOO_DARK, since=1.5)], {1}, 2.0)
    assert (started.sequence, started.at, started.started_at, started.latency_s) == (0, 2.0, 1.5, 0.5)
    assert (started.usable_faces, started.match, started.problem, started.provisional) == (0, None, None, False)
    assert started.quality is not None and started.quality.problem is Problem.TOO_DARK
    for at in (2.1, 2.2):
        assert show(visits, look(1, at, ADA)) == []
    [named] = visits.update([look(1, 2.3, ADA)], {1}, 2.3)
    assert (named.sequence, named.usable_faces, named.provisional) == (1, 3, False)
    assert named.quality is not None and named.quality.usable
    [ended] = visits.flush(9.0)
    assert (ended.sequence, ended.kind, ended.match, ended.problem) == (2, EventKind.ENDED, named.match, None)
    [early] = manager().update([look(1, 1.0, ADA, since=1.5)], {1}, 1.0)
    assert early.latency_s == 0


def test_a_visit_ends_when_the_gap_is_over_not_before() -> None:
    visits = manager()
    recognized(visits, until=1.0)
    assert nothing(visits, 5.99) == []
    assert nothing(visits, 6.0) == ["v1 ended"]
    assert nothing(visits, 7.0) == []


def test_the_second_doubt_in_a_row_splits_and_the_gap_counts_from_the_last_sure_look() -> None:
    visits = manager()
    recognized(visits, until=1.0)
    assert show(visits, look(1, 1.5, NOBODY)) == []
    assert show(visits, look(1, 1.75, ADA)) == []
    assert show(visits, look(1, 2.25, NOBODY)) == []
    assert show(visits, look(1, 2.5, NOBODY)) == []
    assert visits.label(1) == ("v2", None)
    assert show(visits, look(1, 2.75, NOBODY)) == ["v2 started"]
    assert show(visits, look(1, 6.74, NOBODY)) == []
    events = visits.update([look(1, 6.75, NOBODY)], {1}, 6.75)
    [ended] = [event for event in events if event.visit_id == "v1"]
    assert (ended.kind, ended.usable_faces) == (EventKind.ENDED, 4)


def test_a_look_that_the_gallery_knows_as_somebody_else_splits_at_once() -> None:
    visits = manager()
    recognized(visits, until=1.0)
    show(visits, look(1, 1.5, BEN))
    assert visits.label(1) == ("v2", None)
    show(visits, look(1, 1.6, BEN))
    assert show(visits, look(1, 1.7, BEN)) == ["v2 started", "v2 recognized"]


def test_a_face_exactly_as_different_as_allowed_is_no_doubt() -> None:
    visits = manager()
    recognized(visits)
    for at in (1.25, 1.5, 1.75):
        assert visits.update([look(1, at, QUARTER_ADA)], {1}, at) == []
    [ended] = visits.flush(2.0)
    assert ended.usable_faces == 6


def test_the_second_face_of_a_visit_may_be_doubted_already() -> None:
    visits = manager()
    for at, what in ((0.0, ADA), (0.1, NOBODY), (0.2, NOBODY)):
        show(visits, look(1, at, what))
    assert visits.label(1) == ("v2", None)


def test_a_face_as_alike_as_the_same_person_joins_at_once() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, HALF_ADA, since=3.0)) == []
    assert visits.label(2) is not None and visits.label(1) is None
    assert nothing(visits, 7.9) == []
    [ended] = visits.update([], set(), 8.0)
    assert (ended.visit_id, ended.kind, ended.usable_faces) == ("v1", EventKind.ENDED, 4)


def test_a_face_less_alike_than_other_people_starts_at_once() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, BEN, since=3.0)) == ["v2 started"]


def test_a_face_in_between_waits_for_time_or_for_enough_faces() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, QUARTER_ADA, since=3.0)) == []
    assert show(visits, look(2, 4.25, QUARTER_ADA, since=3.0)) == []
    assert show(visits, look(2, 4.5, None, since=3.0)) == ["v2 started"]

    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, QUARTER_ADA, since=3.0)) == []
    assert show(visits, look(2, 4.75, None, since=3.0)) == ["v2 started"]

    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, QUARTER_ADA, since=3.0)) == []
    assert show(visits, look(2, 3.1, QUARTER_ADA, since=3.0)) == []
    assert show(visits, look(2, 3.2, QUARTER_ADA, since=3.0)) == ["v2 started"]


def test_a_face_in_between_that_is_lost_starts_a_visit_of_its_own() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    show(visits, look(2, 3.0, QUARTER_ADA, since=3.0))
    assert nothing(visits, 3.1) == ["v2 started"]


def test_a_face_in_between_with_the_same_name_joins() -> None:
    """The gallery knows both faces as Ada, who has turned her head meanwhile."""
    visits = manager(threshold=0.25)
    recognized(visits)
    nothing(visits, 2.0)
    assert show(visits, look(2, 3.0, QUARTER_ADA, since=3.0)) == []
    assert visits.label(2) is not None
    assert show(visits, look(2, 6.9, None, since=3.0)) == [], "no visit of its own has begun"


def test_a_face_in_between_with_another_name_does_not_join() -> None:
    rather_ben = (0.4 * ADA + np.sqrt(1 - 0.4**2) * BEN).astype(np.float32)
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    said = [show(visits, look(2, at, rather_ben, since=3.0)) for at in (3.0, 3.1, 3.2)]
    assert said == [[], [], ["v2 started", "v2 recognized"]]

    rather_ada = (0.4 * BEN + np.sqrt(1 - 0.4**2) * ADA).astype(np.float32)
    visits = manager()
    for at in (0.8, 0.9, 1.0):
        show(visits, look(1, at, BEN))
    nothing(visits, 2.0)
    said = [show(visits, look(2, at, rather_ada, since=3.0)) for at in (3.0, 3.1, 3.2)]
    assert said == [[], [], ["v2 started", "v2 recognized"]]


def test_somebody_unrecognisable_waits_and_then_belongs_to_who_was_here_last() -> None:
    visits = manager()
    show(visits, look(1, 0.8, ADA), look(2, 0.8, BEN))
    show(visits, look(1, 1.0, ADA), look(2, 1.0, BEN))
    show(visits, look(1, 2.0, ADA))
    nothing(visits, 2.5)
    assert show(visits, look(3, 3.0, Problem.TOO_DARK, since=3.0)) == []
    assert show(visits, look(3, 4.25, Problem.TOO_DARK, since=3.0)) == []
    assert visits.label(3) == ("v3", None)
    assert show(visits, look(3, 4.5, Problem.TOO_DARK, since=3.0)) == []
    label = visits.label(3)
    assert label is not None
    assert label[0] == "v1"


def test_somebody_unrecognisable_who_is_lost_belongs_to_who_was_here_last_at_once() -> None:
    visits = manager()
    recognized(visits, until=1.0)
    nothing(visits, 2.0)
    show(visits, look(2, 3.0, Problem.TOO_DARK, since=3.0))
    assert nothing(visits, 3.1) == []
    assert nothing(visits, 7.9) == [], "the gap counts from the second face"
    assert nothing(visits, 8.0) == ["v1 ended"]


def test_a_face_joins_the_most_similar_of_those_who_left() -> None:
    visits = manager()
    show(visits, look(1, 1.0, BEN), look(2, 1.0, HALF_ADA), look(3, 1.0, NOBODY))
    nothing(visits, 2.0)
    assert show(visits, look(4, 3.0, ADA)) == []
    label = visits.label(4)
    assert label is not None
    assert label[0] == "v2"


def test_two_people_in_sight_are_never_given_one_name() -> None:
    visits = manager(threshold=0.4)
    said = [show(visits, look(1, at, HALF_ADA), look(2, at, ADA)) for at in (0.0, 0.1, 0.2)]
    assert said == [["v1 started", "v2 started"], [], ["v2 recognized"]]
    assert told(visits.flush(0.3)) == ["v1 uncertain", "v1 ended", "v2 ended"]


def test_the_ringer_is_who_has_started_and_was_seen_last() -> None:
    visits = manager()
    show(visits, look(1, 1.0, ADA), look(2, 1.0, BEN), look(3, 1.0, Problem.NOT_A_FACE))
    events = visits.update([look(2, 2.0, BEN), look(3, 2.0, Problem.NOT_A_FACE)], {1, 2, 3}, 2.0)
    assert events == []
    assert visits.ring(2.0) == ("v2", [])


def test_ringing_starts_the_visit_of_whoever_is_in_sight() -> None:
    visits = manager()
    show(visits, look(1, 1.0, Problem.NOT_A_FACE))
    visit_id, events = visits.ring(1.5)
    assert (visit_id, told(events)) == ("v1", ["v1 started"])
    assert visits.ring(1.6) == ("v1", [])


def test_a_ring_after_somebody_left_is_somebody_elses() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    visit_id, events = visits.ring(3.0)
    assert (visit_id, told(events)) == ("v2", ["v2 started"])
    assert (events[0].started_at, events[0].latency_s, events[0].box) == (3.0, 0.0, None)
    # Even though the next face is the first visitor's.
    assert show(visits, look(2, 4.0, ADA, since=4.0)) == []
    label = visits.label(2)
    assert label is not None
    assert label[0] == "v2"
    assert nothing(visits, 6.0) == ["v1 ended"]
    assert nothing(visits, 8.9) == []
    assert nothing(visits, 9.0)[-1] == "v2 ended"


def test_what_is_not_a_face_is_forgotten_when_it_is_lost_and_not_before() -> None:
    visits = manager()
    assert show(visits, look(1, 1.0, Problem.NOT_A_FACE)) == []
    assert visits.label(1) is not None
    assert nothing(visits, 1.1) == []
    assert visits.flush(1.2) == []


def test_at_the_end_of_all_only_faces_count() -> None:
    visits = manager()
    recognized(visits)
    nothing(visits, 2.0)
    show(visits, look(2, 3.0, QUARTER_ADA, since=3.0), look(3, 3.0, Problem.NOT_A_FACE, since=3.0))
    assert told(visits.flush(3.1)) == ["v2 started", "v1 ended", "v2 unknown", "v2 ended"]
    assert visits.flush(3.2) == []


@pytest.mark.parametrize("patience_faces", [4, 5])
def test_patience_needs_its_number_of_faces_however_long_it_takes(patience_faces: int) -> None:
    visits = manager(VisitSettings(gap_s=5, patience_s=1, patience_faces=patience_faces))
    said = [show(visits, look(1, float(n), NOBODY)) for n in range(5)]
    assert said == [["v1 started"], *[["v1 unknown"] if n == patience_faces else [] for n in range(2, 6)]]


def test_what_is_said_of_one_visit_says_nothing_of_another() -> None:
    visits = manager()
    # v1 has ended, v2 to v4 are open, v5 has no face yet.
    show(visits, look(1, 0, ADA))
    nothing(visits, 9)
    faces = [(2, BEN), (3, NOBODY), (4, HALF_ADA)]
    show(visits, *(look(track, 10, who) for track, who in faces))
    show(visits, *(look(track, 10.5, who) for track, who in faces), look(5, 10.5, None))
    assert [name for name in ("v0", "v1", "v2", "v3", "v4", "v5") if visits.is_open(name)] == ["v2", "v3", "v4"]
    visits.challenged("v3", ChallengeResult.PASSED)
    ended = {event.visit_id: event.challenge for event in visits.flush(11) if event.kind is EventKind.ENDED}
    assert ended == {"v2": None, "v3": ChallengeResult.PASSED, "v4": None}


def test_in_view_is_the_largest_face_of_a_visit_that_has_begun() -> None:
    def sized(track: int, at: float, side: int, what: Vector | Problem | None) -> Sighting:
        return look(track, at, what, box=Box(0, 0, side, side))

    visits = manager()
    assert visits.in_view() is None
    # v3 is larger, but no look has shown a face of it yet; v2 is larger than v1.
    show(visits, sized(1, 0, 20, ADA), sized(2, 0, 30, BEN), sized(3, 0, 40, None))
    assert visits.in_view() == "v2"
    show(visits, sized(1, 1, 20, ADA))
    assert visits.in_view() == "v1"
    nothing(visits, 1.5)
    assert visits.in_view() is None


def test_a_face_is_confirmed_by_the_last_look_at_it() -> None:
    visits = manager()
    assert visits.confirmed(1) is None
    show(visits, look(1, 0, None))
    assert visits.confirmed(1) is None
    for at in (0.5, 1, 1.5):
        show(visits, look(1, at, ADA))
        assert visits.confirmed(1) == "v1"
    show(visits, look(1, 2, NOBODY))
    assert visits.confirmed(1) is None
    assert visits.confirmed(2) is None


def test_the_picture_of_a_newcomer_is_of_the_look_that_was_taken_from_it() -> None:
    visits = manager(pictures=True)
    recognized(visits, until=1.0)
    images = [np.full((2, 2, 3), n, np.uint8) for n in range(3)]
    boxes = [Box(n, n, n + 10, n + 10) for n in range(3)]
    # The first doubt is the better picture, but its frame is gone by the time it is known to be a newcomer's.
    for n, score in enumerate([0.9, 0.5, 0.4]):
        show(visits, look(1, 1.5 + n / 2, NOBODY, score=score, box=boxes[n]), image=images[n])
    [ended] = [event for event in visits.flush(9) if event.visit_id == "v2" and event.kind is EventKind.ENDED]
    assert (ended.picture is images[1], ended.picture_box, ended.started_at) == (True, boxes[1], 1.5)


def test_a_name_is_withheld_after_three_looks_that_do_not_confirm_it() -> None:
    visits = manager()
    recognized(visits, until=1.0)
    named = []
    for at in (1.5, 2.0, 2.5):
        show(visits, look(1, at, Problem.TURNED_AWAY))
        label = visits.label(1)
        assert label
        named.append(label[1] is not None)
    assert named == [True, True, False]


def test_a_provisional_name_follows_who_is_renamed() -> None:
    visits = manager(VisitSettings(gap_s=5, min_faces=3, provisional=True))
    show(visits, look(1, 0.0, ADA))
    gallery = visits.matcher.gallery
    visits.matcher = Matcher(gallery.renamed(gallery.people[0], "Countess", AT), 0.9, 0.05, None)
    label = visits.label(1)
    assert label and label[1] and label[1].person
    assert label[1].person.name == "Countess"


def by_night(sighting: Sighting) -> Sighting:
    assert sighting.quality
    return replace(sighting, quality=replace(sighting.quality, infrared=True))


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True), (True, True)])
def test_only_two_infrared_faces_are_compared_by_the_stricter_thresholds(first: bool, second: bool) -> None:
    """HALF_ADA is 0.5 like ADA: the same person by day, and somebody else among two infrared faces."""
    ids = (f"v{n}" for n in itertools.count(1))
    strict = msgspec.structs.replace(LINKING, infrared=LinkingThresholds(same=0.75, different=0.6, doubtful=0.6))
    nobody = Matcher(gallery_of(ben=BEN), 0.9, 0.05, None)
    visits = VisitManager(SETTINGS, strict, nobody, lambda: next(ids), pictures=False)
    both = first and second

    before, after = look(1, 0.0, ADA), look(1, 0.5, HALF_ADA)
    show(visits, by_night(before) if first else before)
    show(visits, by_night(after) if second else after)
    assert (visits.confirmed(1) is None) == both, "the same track"

    later = look(2, 3.0, HALF_ADA, since=3.0)
    nothing(visits, 2.0)
    began = show(visits, by_night(later) if second else later)
    assert began == (["v2 started"] if both else []), "another track"
