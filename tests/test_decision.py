"""When a name is announced: the one rule, in all its cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.visits import VisitSettings
from edge.events import EventKind
from edge.records import Candidate, Match, Outcome, Vector
from edge.visits.decision import Announcement, announcement, correction, likeness, match_all, match_visit
from edge.visits.fusion import FusedFaces
from edge.visits.matcher import Matcher
from support.people import alike, gallery_of, quality, somebody

ADA, BEN, STRANGER = somebody(1), somebody(2), somebody(3)
KNOWN = Matcher(gallery_of(ada=ADA, ben=BEN), 0.5, 0.05, None)
PATIENT = VisitSettings(min_faces=3, patience_faces=8, patience_s=3.0)


def faces(count: int) -> FusedFaces:
    """Usable ones, the first at second 10."""
    gathered = FusedFaces()
    for n in range(count):
        gathered.add(quality(), ADA, 10.0 + n / 100)
    return gathered


def match(outcome: Outcome, similarity: float = 0.7) -> Match:
    return Match(outcome, Candidate("ada", "Ada", similarity), Candidate("ben", "Ben", 0.1), 0.5, None)


def decided(outcome: Outcome, count: int, *, after: float = 0.0, last: bool = False) -> EventKind | None:
    found = announcement(faces(count), match(outcome), PATIENT, 10.0 + after, last=last)
    return found.kind if found else None


def test_a_name_is_final_with_the_third_usable_face() -> None:
    assert decided(Outcome.RECOGNIZED, 2) is None
    assert decided(Outcome.RECOGNIZED, 3) is EventKind.RECOGNIZED
    found = announcement(faces(3), match(Outcome.RECOGNIZED), PATIENT, 10.0, last=False)
    assert found is not None
    assert not found.provisional


def test_a_name_on_too_few_faces_is_uncertain_at_the_end() -> None:
    found = announcement(faces(2), match(Outcome.RECOGNIZED), PATIENT, 99.0, last=True)
    assert found is not None and found.match is not None
    assert (found.kind, found.match.outcome, found.provisional) == (EventKind.UNCERTAIN, Outcome.UNCERTAIN, False)
    assert found.match.best == match(Outcome.RECOGNIZED).best
    assert found.match.person is None


def test_a_provisional_name_is_given_from_the_first_face_on_if_wanted() -> None:
    eager = VisitSettings(min_faces=3, provisional=True)
    sure = match(Outcome.RECOGNIZED)
    assert announcement(faces(1), sure, eager, 10.0, last=False) == Announcement(EventKind.RECOGNIZED, sure, True)
    assert announcement(faces(3), sure, eager, 10.0, last=False) == Announcement(EventKind.RECOGNIZED, sure, False)
    assert announcement(faces(1), match(Outcome.UNKNOWN), eager, 10.0, last=False) is None


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.UNCERTAIN])
def test_anything_but_a_name_takes_patience_in_seconds_and_in_faces(outcome: Outcome) -> None:
    kind = EventKind(outcome.value)
    assert decided(outcome, 8, after=3.0) is kind
    assert decided(outcome, 8, after=2.99) is None
    assert decided(outcome, 7, after=60.0) is None
    assert decided(outcome, 1, last=True) is kind


def test_without_a_usable_face_there_is_something_to_say_only_at_the_end() -> None:
    assert announcement(faces(0), None, PATIENT, 99.0, last=False) is None
    found = announcement(faces(0), None, PATIENT, 99.0, last=True)
    assert found == Announcement(EventKind.NO_USABLE_FACE, None)


@given(st.sampled_from(Outcome), st.integers(1, 12), st.floats(0, 10), st.booleans(), st.booleans())
def test_a_final_name_always_rests_on_enough_faces_and_the_end_is_always_final(
    outcome: Outcome, count: int, after: float, provisional: bool, last: bool
) -> None:
    settings = VisitSettings(min_faces=3, patience_faces=8, patience_s=3.0, provisional=provisional)
    found = announcement(faces(count), match(outcome), settings, 10.0 + after, last=last)
    if last:
        assert found is not None and not found.provisional
    if found is not None:
        assert found.match is not None
        assert found.kind.value == found.match.outcome.value
        assert found.kind is not EventKind.RECOGNIZED or outcome is Outcome.RECOGNIZED
        assert found.kind is not EventKind.RECOGNIZED or found.provisional == (count < 3)


def test_likeness_is_the_nearest_persons() -> None:
    assert likeness(match(Outcome.UNKNOWN, 0.3)) == 0.3
    assert likeness(None) == likeness(Match(Outcome.UNKNOWN, None, None, 0.5, None)) == -1


def test_in_a_still_picture_the_most_similar_face_gets_the_name_and_no_other_does() -> None:
    probes = [alike(ADA, 0.6), None, alike(ADA, 0.9, seed=7), alike(BEN, 0.8), STRANGER]
    matches = match_all(KNOWN, probes)
    assert [found.outcome.value if found else None for found in matches] == [
        "uncertain",
        None,
        "recognized",
        "recognized",
        "unknown",
    ]
    assert [found.person.person_id for found in matches if found and found.person] == ["ada", "ben"]
    assert match_all(KNOWN, []) == []


@given(st.lists(st.tuples(st.sampled_from(["ada", "ben"]), st.floats(0, 1), st.integers(10, 99)), max_size=5))
def test_no_two_faces_of_a_still_picture_share_a_name(some: list[tuple[str, float, int]]) -> None:
    probes = [alike(ADA if who == "ada" else BEN, similarity, seed) for who, similarity, seed in some]
    named = [found.person.person_id for found in match_all(KNOWN, probes) if found and found.person]
    assert len(set(named)) == len(named)
    alone = [KNOWN.match(probe) for probe in probes]
    assert set(named) == {found.person.person_id for found in alone if found.person}


def hybrid(*, second: Vector, count: int = 4) -> FusedFaces:
    """As many faces of Ada's as of somebody else's, which have nothing in common."""
    fused = FusedFaces()
    for n in range(count):
        fused.add(quality(0.8), alike(ADA, 0.95, seed=300 + n), float(n))
        fused.add(quality(0.8), alike(second, 0.95, seed=400 + n), float(n))
    return fused


def test_groups_that_name_different_people_are_uncertain_and_name_both() -> None:
    matcher = Matcher(gallery_of(ada=ADA, ben=BEN), 0.9, 0.05, None)
    answer = match_visit(matcher, hybrid(second=BEN), VisitSettings(), frozenset())
    assert answer is not None
    assert answer.outcome is Outcome.UNCERTAIN
    assert {candidate.person_id for candidate in answer.contenders} == {"ada", "ben"}


def test_one_group_names_the_visitor_although_all_faces_together_do_not() -> None:
    matcher = Matcher(gallery_of(ada=ADA), 0.9, 0.05, None)
    gathered = hybrid(second=somebody(9))
    assert gathered.embedding is not None
    assert matcher.match(gathered.embedding).outcome is Outcome.UNKNOWN
    answer = match_visit(matcher, gathered, VisitSettings(), frozenset())
    assert answer is not None and answer.person is not None
    assert answer.person.person_id == "ada"
    small = match_visit(matcher, hybrid(second=somebody(9), count=2), VisitSettings(min_faces=3), frozenset())
    assert small is not None
    assert small.outcome is Outcome.UNKNOWN, "a group of two names nobody where three faces are needed"


def test_only_a_name_corrects() -> None:
    matcher = Matcher(gallery_of(ada=ADA), 0.9, 0.05, None)
    gathered = hybrid(second=somebody(9))
    answer = match_visit(matcher, gathered, VisitSettings(), frozenset())
    found = correction(gathered, answer, VisitSettings())
    assert found is not None
    assert (found.kind, found.provisional) == (EventKind.RECOGNIZED, False)
    assert correction(gathered, answer, VisitSettings(min_faces=50)) is None
    assert correction(gathered, matcher.match(BEN), VisitSettings()) is None
    assert correction(gathered, None, VisitSettings()) is None
