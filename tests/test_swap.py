"""A name belongs to the person in front of the camera now: see docs/10-how-it-works.md, "Whose name it is"."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.visits import VisitSettings
from edge.records import Candidate, Match, Outcome, Problem, Vector
from edge.visits.fusion import FusedFaces
from edge.visits.swap import LOOKS_TO_SPLIT, Verdict, judge
from edge.visits.thresholds import LinkingThresholds
from support.people import Door, alike, gallery_of, quality, somebody

ADA, BEN, CAT = somebody(1), somebody(2), somebody(3)
STRANGERS = [somebody(seed) for seed in (11, 12)]
KNOWN = gallery_of(ada=ADA, ben=BEN)
PEOPLE: list[tuple[str | None, Vector]] = [("ada", ADA), ("ben", BEN), (None, STRANGERS[0]), (None, STRANGERS[1])]


def named(door: Door, track: int = 1) -> str | None:
    label = door.visits.label(track)
    match = label[1] if label else None
    return match.person.person_id if match and match.person else None


@pytest.mark.parametrize("newcomer", ["ben", None])
def test_whoever_takes_the_place_gets_a_visit_of_their_own(newcomer: str | None) -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.show(5, t1=alike(BEN, 0.8) if newcomer else STRANGERS[0])
    second = "recognized ben" if newcomer else "unknown"
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit2 started", f"visit2 {second}"]


def test_a_known_newcomer_is_noticed_at_the_first_look_and_a_stranger_at_the_second() -> None:
    for newcomer, looks in ((BEN, 1), (STRANGERS[0], 2)):
        door = Door(KNOWN)
        door.show(2, t1=alike(ADA, 0.8))
        for look in range(1, 4):
            door.show(0.1, t1=alike(newcomer, 0.8, seed=98))
            assert (named(door) == "ada") == (look < looks)


@pytest.mark.parametrize("newcomer", ["ben", None])
def test_somebody_who_steps_in_front_of_another_keeps_their_visit(newcomer: str | None) -> None:
    """They take over the other's track while their own is out of sight, but not lost yet."""
    face = alike(BEN, 0.8) if newcomer else STRANGERS[0]
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.show(0.2 if newcomer is None else 1.5, t1=alike(ADA, 0.8), t2=face)
    for _ in range(10):
        door.now += 0.1
        door.events += door.visits.update([door._sighting(1, face)], {1, 2}, door.now)
    door.show(4, t1=face)
    second = "recognized ben" if newcomer else "unknown"
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit2 started", f"visit2 {second}"]


def test_somebody_else_who_appears_in_anothers_place_does_not_join_a_face_that_is_out_of_sight() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8), t2=STRANGERS[0])
    for _ in range(10):
        door.now += 0.1
        door.events += door.visits.update([door._sighting(1, STRANGERS[1])], {1, 2}, door.now)
    door.show(0.5, t1=STRANGERS[1], t2=STRANGERS[0])
    started = [line for line in door.announced() if line.endswith("started")]
    assert started == ["visit1 started", "visit2 started", "visit3 started"]


def test_the_old_visit_ends_where_and_when_its_visitor_was_last_seen() -> None:
    door = Door(KNOWN, VisitSettings(gap_s=2))
    door.show(2, t1=alike(ADA, 0.8))
    door.show(1, t1=None)
    door.show(4, t1=STRANGERS[0])
    ended = next(e for e in door.events if e.kind.value == "ended")
    assert ended.visit_id == "visit1"
    assert ended.at == pytest.approx(2 + 2, abs=0.11), "the gap counts from the last look that showed her"


def test_two_odd_looks_are_not_a_visit() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.show(0.2, t1=STRANGERS[0])
    door.show(4, t1=alike(ADA, 0.8))
    door.leave_empty(20)
    assert door.announced() == ["visit1 started", "visit1 recognized ada", "visit1 ended"]


def test_a_name_is_withheld_while_no_look_confirms_it() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    door.show(0.1 * (LOOKS_TO_SPLIT + 1), t1=Problem.TURNED_AWAY)
    assert named(door) is None
    door.show(0.1, t1=alike(ADA, 0.8))
    assert named(door) == "ada"


Segment = tuple[int, int, str, float]
SEGMENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(1, 14),
        st.sampled_from(["good", "good", "good", "bad", "unlooked", "away"]),
        st.floats(0.62, 0.95),
    ),
    min_size=2,
    max_size=9,
)


@given(SEGMENTS)
@settings(max_examples=150, deadline=None)
def test_no_name_stays_on_more_than_two_looks_of_somebody_else(segments: list[Segment]) -> None:
    door = Door(KNOWN, VisitSettings(gap_s=5, provisional=False))
    before, wrong_looks = -1, 0
    for number, (who, frames, how, likeness) in enumerate(segments):
        name, face = PEOPLE[who]
        if who != before:
            before, wrong_looks = who, 0
        for frame in range(frames):
            seen = alike(face, likeness, seed=1000 + 20 * number + frame)
            what = {"good": seen, "bad": Problem.TOO_BLURRED, "unlooked": None, "away": seen}[how]
            count = len(door.events)
            door.show(0.1, **({} if how == "away" else {"t1": what}))
            if how == "away":
                continue
            if what is not None:
                wrong_looks = wrong_looks + 1 if named(door) not in (None, name) else 0
                assert wrong_looks <= LOOKS_TO_SPLIT
            for event in door.events[count:]:
                if event.kind.value == "recognized":
                    assert event.match is not None
                    assert event.match.person is not None
                    assert event.match.person.person_id == name


def test_sunglasses_taken_off_correct_unknown_once() -> None:
    door = Door(KNOWN)
    covered = alike(ADA, 0.42, seed=50)
    plain = alike(ADA, 0.75, seed=51)
    assert 0.3 < float(covered @ plain) < 0.6, "one person, and not very alike"
    door.show(6, t1=covered)
    door.show(6, t1=plain)
    door.show(3, t1=covered)
    door.leave_empty(20)
    assert door.announced() == [
        "visit1 started",
        "visit1 unknown",
        "visit1 recognized ada corrected",
        "visit1 ended",
    ]
    unknown, corrected = door.events[1], door.events[2]
    assert corrected.corrects == unknown.sequence
    assert door.events[3].match is not None
    assert door.events[3].match.person is not None


def test_a_name_is_never_corrected() -> None:
    door = Door(KNOWN)
    door.show(2, t1=alike(ADA, 0.8))
    twin = (0.6 * alike(ADA, 0.8) + 0.7 * BEN) / np.linalg.norm(0.6 * alike(ADA, 0.8) + 0.7 * BEN)
    door.show(5, t1=twin.astype(np.float32))
    assert not any(event.corrects is not None for event in door.events)
    assert door.announced()[:2] == ["visit1 started", "visit1 recognized ada"]


def verdict_of(likeness: float, *, carries: str, named: str | None) -> Verdict:
    faces = FusedFaces()
    faces.add(quality(), axis(1.0), 0.0)
    person = Candidate(named, named, 0.9) if named else None
    match = Match(Outcome.RECOGNIZED if named else Outcome.UNKNOWN, person, None, 0.5, None)
    return judge(faces, axis(likeness), carries, match, LinkingThresholds(0.5, 0.125, 0.25))


def axis(likeness: float) -> Vector:
    """A unit vector of exactly that likeness to the first coordinate axis."""
    vector = np.zeros(4, np.float32)
    vector[0], vector[1] = likeness, np.sqrt(1 - likeness**2)
    return vector


@pytest.mark.parametrize(
    ("likeness", "carries", "named", "verdict"),
    [
        (0.9, "ben", "ben", Verdict.SAME),
        (0.25, "ben", None, Verdict.SAME),
        (0.125, "ben", None, Verdict.DOUBTFUL),
        (0.125, "ben", "ben", Verdict.DOUBTFUL),
        (0.25, "ben", "ada", Verdict.OTHER),
        (0.25, "ben", "cat", Verdict.OTHER),
        (0.5, "ben", "ada", Verdict.DOUBTFUL),
        (0.9, "ben", "cat", Verdict.DOUBTFUL),
    ],
)
def test_one_look_is_judged_by_likeness_and_by_the_gallery(
    likeness: float, carries: str, named: str | None, verdict: Verdict
) -> None:
    assert verdict_of(likeness, carries=carries, named=named) is verdict
