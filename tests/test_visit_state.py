"""What a visit is made of, what it takes over from another, and what its events carry."""

from dataclasses import replace

import numpy as np
import pytest

from edge.events import EventKind
from edge.records import Box, Candidate, Match, Outcome, Pose
from edge.sightings import LivenessLook, Sighting
from edge.visits.state import Visit
from edge.visits.thresholds import LinkingThresholds
from support.people import PLACE, quality, somebody

LINKING = LinkingThresholds(same=0.5, different=0.25, doubtful=0.25)
ELSEWHERE = Box(300, 200, 380, 300)
UNKNOWN = Match(Outcome.UNKNOWN, Candidate("ada", "Ada", 0.2), None, 0.5, None)
ADA = Match(Outcome.RECOGNIZED, Candidate("ada", "Ada", 0.9), None, 0.5, None)
IMAGE = np.full((480, 640, 3), 90, np.uint8)


def sighting(at: float, box: Box = PLACE) -> Sighting:
    return Sighting(7, at, box, at, quality(), somebody(1))


def visit(at: float = 0.0, box: Box = PLACE, *, faces: int = 0, name: str = "v") -> Visit:
    """A visit with so many good faces, each of them a look at a living person."""
    made = Visit.of(name, sighting(at, box), LINKING)
    for n in range(faces):
        made.faces.add(quality(), somebody(n), at + n)
        made.good_faces.add(quality(), somebody(n), IMAGE, PLACE)
        made.liveness.add(LivenessLook(at + n, np.zeros((468, 3), np.float32), Pose(0, 0, 0), 0.3, network=0.9))
    return made


def test_a_new_visit_is_sure_of_whom_it_shows() -> None:
    new = visit(3.0)
    assert (new.doubts, new.assumed, new.unconfirmed, new.decided_in) == ([], False, 0, None)
    assert (new.confirmed_at, new.confirmed_box) == (3.0, PLACE)


def test_a_look_that_confirms_it_ends_every_doubt() -> None:
    one = visit()
    one.doubts, one.unconfirmed, one.assumed = [sighting(1.0)], 2, True
    one.confirm(sighting(2.0, ELSEWHERE))
    assert (one.doubts, one.unconfirmed, one.assumed) == ([], 0, False)
    assert (one.confirmed_at, one.confirmed_box) == (2.0, ELSEWHERE)


def test_who_was_lost_was_last_seen_where_a_look_confirmed_them() -> None:
    one, doubt = visit(1.0), sighting(4.0, ELSEWHERE)
    one.see(doubt)
    one.doubts, one.unconfirmed, one.assumed = [doubt], 2, True
    assert one.lose() == [doubt]
    assert (one.doubts, one.unconfirmed, one.assumed, one.track_id) == ([], 0, False, None)
    assert (one.last_seen_at, one.box, one.log.doubtful) == (1.0, PLACE, 1)


@pytest.mark.parametrize("faces", [0, 1, 3])
def test_a_visit_that_joins_brings_all_it_saw_and_is_only_assumed_to_be_the_same_without_a_face(faces: int) -> None:
    one, other = visit(1.0, faces=1), visit(9.0, ELSEWHERE, faces=faces, name="w")
    other.doubts, other.unconfirmed, other.track_id = [sighting(9.5)], 2, 12
    one.absorb(other)
    assert (one.track_id, one.last_seen_at, one.box) == (12, 9.0, ELSEWHERE)
    assert (one.doubts, one.unconfirmed) == (other.doubts, 2)
    assert one.assumed is (faces == 0)
    assert (one.confirmed_at, one.confirmed_box) == ((9.0, ELSEWHERE) if faces else (1.0, PLACE))
    assert one.faces.count == one.good_faces.count == len(one.liveness.looks) == 1 + faces


@pytest.mark.parametrize("kind", list(EventKind))
def test_only_the_end_of_a_strangers_visit_carries_faces_and_only_its_beginning_no_liveness(kind: EventKind) -> None:
    for match, silenced in ((UNKNOWN, False), (UNKNOWN, True), (ADA, False), (None, False)):
        one = visit(faces=3)
        one.silenced = silenced
        event = one.event(kind, 8.0, match)
        stranger = match is UNKNOWN and not silenced
        assert (event.probe is not None) is stranger
        assert len(event.good_faces) == (3 if stranger and kind is EventKind.ENDED else 0)
        assert (event.liveness is None) is (kind is EventKind.STARTED)
        assert (event.silenced, event.latency_s, event.sequence, one.sequence) == (silenced, 8.0, 0, 1)


def test_any_first_picture_is_better_than_none_and_only_a_better_one_replaces_it() -> None:
    one = visit()
    for score, kept in ((0.0, True), (0.0, False), (0.4, True), (0.3, False)):
        image = np.zeros((480, 640, 3), np.uint8)
        one.keep_picture(replace(quality(), score=score), image, ELSEWHERE)
        assert (one.picture is image) is kept


def test_a_whole_face_is_kept_rather_than_a_slightly_better_one_that_leaves_the_picture() -> None:
    one = visit()
    whole, cut = Box(249, 97, 401, 249), Box(532, 97, 673, 238)
    one.keep_picture(replace(quality(), score=0.96, sharpness=107.0), IMAGE, whole)
    one.keep_picture(replace(quality(), score=1.0, sharpness=75.0), IMAGE, cut)
    assert one.picture_box == whole
