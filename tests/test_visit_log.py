"""What a visit remembers for the diary, through the manager that keeps it."""

from itertools import pairwise

from edge.events import Event, EventKind, VisitAccount
from edge.records import Doubt, Problem
from edge.sightings import Sighting
from edge.visits.visit_log import LOOKS_KEPT
from test_visit_manager import ADA, BEN, HALF_ADA, NOBODY, look, manager, show


def account(events: list[Event]) -> VisitAccount:
    [ended] = [event for event in events if event.kind is EventKind.ENDED]
    assert ended.account is not None
    return ended.account


def test_the_account_says_which_faces_were_used_and_how_similar_they_were() -> None:
    visits = manager()
    for n, what in enumerate([Problem.TURNED_AWAY, ADA, ADA, Problem.TOO_DARK, ADA]):
        show(visits, look(1, n / 10, what))
    told = account(visits.flush(1.0))
    assert (told.analysed, told.usable, told.doubtful, told.rang_at) == (5, 3, 0, None)
    assert [(found.problem, found.count) for found in told.refused] == [
        (Problem.TOO_DARK, 1),
        (Problem.TURNED_AWAY, 1),
    ]
    assert [found.similarity for found in told.looks] == [None, 1.0, 1.0, None, 1.0]
    assert [found.fused for found in told.looks] == [None, 1.0, 1.0, 1.0, 1.0]
    [decision] = told.decisions
    assert (decision.kind, decision.usable_faces, decision.picture) == (EventKind.RECOGNIZED, 3, None)
    assert len(told.embeddings) == 1 and (told.embeddings[0] == ADA).all()


def test_a_correction_and_a_ring_are_in_the_account() -> None:
    visits = manager()
    visits.ring(0.0)
    for n in range(40):
        show(visits, look(1, n / 5, HALF_ADA if n < 20 else ADA))
    visits.ring(5.0)
    told = account(visits.flush(9.0))
    kinds = [(decision.kind, decision.corrects) for decision in told.decisions]
    assert kinds == [(EventKind.UNKNOWN, None), (EventKind.RECOGNIZED, 1)]
    assert told.rang_at == 0.0


def test_a_long_visit_keeps_few_looks_spread_over_all_of_it() -> None:
    visits = manager()
    for n in range(1000):
        show(visits, look(1, float(n), Problem.TOO_DARK if n % 10 == 0 else NOBODY))
    told = account(visits.flush(2000.0))
    times = [found.at for found in told.looks]
    assert len(times) <= LOOKS_KEPT
    assert {b - a for a, b in pairwise(times)} == {32.0}
    assert (told.analysed, told.usable) == (1000, 900)
    assert [(found.problem, found.count) for found in told.refused] == [(Problem.TOO_DARK, 100)]


def test_joined_visits_tell_one_story_and_looks_of_a_successor_are_not_in_it() -> None:
    visits = manager()
    for n in range(5):
        show(visits, look(1, n / 10, ADA))
    show(visits, Sighting(1, 0.5, look(1, 0.5, None).box, 0.0))
    for n in range(10, 15):
        show(visits, look(2, n / 10, ADA, since=1.0))
    for n in range(15, 20):
        show(visits, look(2, n / 10, BEN, since=1.0))
    told = [event.account for event in visits.flush(30.0) if event.account]
    assert [(one.usable, one.doubtful) for one in told] == [(10, 1), (5, 0)]
    assert [len(one.looks) for one in told] == [10, 5]


def test_what_makes_a_visit_uncertain_is_in_its_decision() -> None:
    visits = manager(threshold=0.5)
    show(visits, look(1, 0.0, ADA), look(2, 0.0, ADA))
    show(visits, look(1, 0.1, ADA), look(2, 0.1, ADA))
    events = visits.flush(1.0)
    doubts = {e.match.doubt for e in events if e.kind is EventKind.UNCERTAIN and e.match}
    assert doubts <= {Doubt.FEW_FACES, Doubt.TAKEN} and Doubt.FEW_FACES in doubts
