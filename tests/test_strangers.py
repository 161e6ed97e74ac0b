"""Strangers who come again: who is taken for whom, and what every sequence of visits keeps true."""

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.faces import ENROLMENT_LIMITS
from edge.config.visits import MatchSettings, VisitSettings
from edge.events import Event, EventKind, StrangerVisits
from edge.models import card
from edge.models.card import Calibration
from edge.records import Box, Image, Outcome, SeenFaces, Vector, read_only
from edge.visits.good_faces import KEPT, NEEDED, GoodFaces, is_good
from edge.visits.matcher import Matcher
from edge.visits.strangers import KnownStrangers, Stranger, StrangerWatch
from edge.visits.thresholds import again_threshold, threshold_for
from support.people import Door, alike, gallery_of, quality, somebody
from support.publishing import match

CALIBRATION = card.read_card(card.find("mobilefacenet")).calibration or pytest.fail("the card is calibrated")
TARGET = 0.001
PICTURE = read_only(np.full((200, 200, 3), 90, np.uint8))
PLACE = Box(60, 60, 120, 120)


def unknown(visit: str, probe: Vector | None, at: float = 10.0, kind: EventKind = EventKind.UNKNOWN) -> Event:
    return Event(kind, visit, 1, at, at - 4.0, 0.1, match=match(Outcome.UNKNOWN), probe=probe)


def ended(visit: str, probe: Vector | None, at: float = 20.0, outcome: Outcome = Outcome.UNKNOWN) -> Event:
    return Event(EventKind.ENDED, visit, 3, at, at - 14.0, 0.1, match=match(outcome), probe=probe)


def kept(number: int, vector: Vector, times: int = 1, first: float = 0.0, last: float = 0.0) -> Stranger:
    return Stranger(number, times, first, last, vector)


def watch(*people: Stranger, numbers: int = 9) -> StrangerWatch:
    found = StrangerWatch(CALIBRATION, TARGET)
    found.known = KnownStrangers(people)
    found.add_numbers(range(10, 10 + numbers))
    return found


# The bar


def test_the_bar_follows_from_target_calibration_and_the_number_of_strangers() -> None:
    """A tenth of the target, shared by everybody who is kept: as strict as a name for so many templates would be."""
    for target, strangers in itertools.product((0.01, 0.001), (1, 5, 30)):
        bar = again_threshold(CALIBRATION, target, strangers)
        as_a_name = threshold_for(MatchSettings(false_alarm_target=target / 10), CALIBRATION, strangers)
        assert bar == as_a_name
    bars = [again_threshold(CALIBRATION, TARGET, n).similarity for n in (0, 1, 2, 10, 33)]
    assert bars == sorted(bars) and bars[0] == bars[1] < bars[2] < bars[3] < bars[4]
    assert again_threshold(CALIBRATION, TARGET, 10).within_data
    strictest = again_threshold(CALIBRATION, TARGET, 500)
    assert (strictest.similarity, strictest.within_data) == (CALIBRATION.points[-1][0], False), "not extrapolated"


def test_another_calibration_gives_another_bar() -> None:
    lax = Calibration("data", "command", [(0.1, 0.5), (0.3, 1e-6)])
    assert again_threshold(lax, TARGET, 10).similarity < 0.3 < again_threshold(CALIBRATION, TARGET, 10).similarity


@pytest.mark.parametrize(("off", "again"), [(0.001, True), (-0.001, False)])
def test_a_visitor_at_the_bar_is_somebody_who_came_before(off: float, again: bool) -> None:
    who = somebody(1)
    seen = watch(kept(3, who, times=5, first=100.0, last=900.0))
    visits = seen.mark(unknown("v", alike(who, seen.bar + off)), 1000.0).stranger
    assert visits == (StrangerVisits(3, 6, 100.0, 900.0, 996.0) if again else StrangerVisits(10, 1, 996.0, None, 996.0))


def test_the_more_strangers_the_higher_the_bar_of_each_visit() -> None:
    who = somebody(1)
    crowd = [kept(n, somebody(n)) for n in range(2, 30)]
    probe = alike(who, again_threshold(CALIBRATION, TARGET, 1).similarity + 0.01)
    marked = [each.mark(unknown("v", probe), 0.0) for each in (watch(kept(1, who)), watch(kept(1, who), *crowd))]
    assert [event.stranger and event.stranger.times for event in marked] == [2, 1]


# One visit


def test_the_number_of_a_visit_stays_until_it_ends() -> None:
    who = somebody(1)
    seen = watch()
    first = seen.mark(unknown("v", who), 1000.0)
    last = seen.mark(ended("v", who), 1010.0)
    assert first.stranger == last.stranger == StrangerVisits(10, 1, 996.0, None, 996.0)


def test_better_faces_at_the_end_may_show_that_somebody_new_came_before() -> None:
    who = somebody(1)
    seen = watch(kept(3, who))
    assert seen.mark(unknown("v", alike(who, 0.4)), 1000.0).stranger == StrangerVisits(10, 1, 996.0, None, 996.0)
    assert seen.mark(ended("v", who), 1010.0).stranger == StrangerVisits(3, 2, 0.0, 0.0, 996.0)
    assert seen.numbers[0] == 11, "the number that was announced is not used again"


def test_a_visit_without_enough_good_faces_is_nobodys() -> None:
    seen = watch(kept(3, somebody(1)))
    assert seen.mark(unknown("v", None), 0.0).stranger is None
    assert seen.mark(ended("v", None), 0.0).stranger is None


def test_good_faces_that_come_late_count_at_the_end() -> None:
    seen = watch(kept(3, somebody(1)))
    assert seen.mark(unknown("v", None), 1000.0).stranger is None
    assert seen.mark(ended("v", somebody(1)), 1010.0).stranger == StrangerVisits(3, 2, 0.0, 0.0, 996.0)


@pytest.mark.parametrize("kind", [EventKind.STARTED, EventKind.RECOGNIZED, EventKind.UNCERTAIN])
def test_only_unknown_visitors_are_strangers(kind: EventKind) -> None:
    seen = watch(kept(3, somebody(1)))
    event = unknown("v", somebody(1), kind=kind)
    assert seen.mark(event, 0.0) is event
    assert seen.mark(ended("v", somebody(1), outcome=Outcome.RECOGNIZED), 0.0).stranger is None


def test_two_people_who_are_here_together_are_never_one_stranger() -> None:
    """Twins: the second one is nobody, rather than the first one once more, and no new stranger either."""
    who = somebody(1)
    seen = watch(kept(3, who))
    assert seen.mark(unknown("v1", who), 0.0).stranger is not None
    assert seen.mark(unknown("v2", alike(who, 0.9)), 0.0).stranger is None
    seen.mark(ended("v1", who), 0.0)
    assert seen.mark(ended("v2", alike(who, 0.9)), 0.0).stranger is None
    assert seen.mark(unknown("v3", who), 0.0).stranger is not None


def test_somebody_new_is_not_taken_for_one_who_is_still_here() -> None:
    who = somebody(1)
    seen = watch(kept(3, who))
    assert seen.mark(unknown("v1", who), 0.0).stranger is not None
    assert seen.mark(unknown("v2", alike(who, 0.4)), 1000.0).stranger == StrangerVisits(10, 1, 996.0, None, 996.0)
    last = seen.mark(ended("v2", alike(who, 0.9)), 1010.0).stranger
    assert last is not None and last.number == 10


def test_a_correction_says_whom_it_was_taken_for() -> None:
    """So that the stranger, who is known now, is forgotten."""
    seen = watch(kept(3, somebody(1)))
    seen.mark(unknown("v", somebody(1)), 0.0)
    named = Event(EventKind.RECOGNIZED, "v", 2, 1.0, 0.0, 0.1, corrects=1, match=match())
    assert seen.mark(named, 0.0).stranger is not None
    last = seen.mark(ended("v", None, outcome=Outcome.RECOGNIZED), 0.0)
    assert seen.mark(named, 0.0).stranger is None, "the visit has ended"
    assert last.stranger is not None and last.stranger.number == 3


def test_without_numbers_a_new_stranger_gets_none_and_a_known_one_is_still_recognised() -> None:
    seen = watch(kept(3, somebody(1)), numbers=0)
    assert seen.mark(unknown("v1", somebody(2)), 0.0).stranger is None
    assert seen.mark(unknown("v2", somebody(1)), 0.0).stranger is not None


# Good faces


def test_a_good_face_is_one_that_could_be_enrolled() -> None:
    good = quality()
    assert is_good(good, ENROLMENT_LIMITS)
    worse = [
        {"eye_distance_px": 11.9}, {"sharpness": 2.4}, {"brightness": 24.0}, {"brightness": 226.0}, {"presence": 0.4},
        {"pose": replace(good.pose, yaw=46.0)},
    ]  # fmt: skip
    assert [is_good(replace(good, **each), ENROLMENT_LIMITS) for each in worse] == [False] * len(worse)


def added(faces: GoodFaces, *each: tuple[Vector, float], image: Image | None = PICTURE) -> GoodFaces:
    for vector, score in each:
        faces.add(quality(score), vector, image, PLACE)
    return faces


def test_too_few_good_faces_say_nothing() -> None:
    who = somebody(1)
    faces = added(GoodFaces(), *[(who, 0.5)] * (NEEDED - 1))
    assert faces.probe is None
    probe = added(faces, (who, 0.5)).probe
    assert probe is not None and float(probe @ who) == pytest.approx(1.0, abs=1e-5)


def test_the_best_pictures_that_differ_are_kept() -> None:
    who = somebody(1)
    others = [alike(who, 0.8, seed) for seed in range(50, 55)]
    faces = added(GoodFaces(), (who, 0.5), (alike(who, 0.98), 0.4), *[(v, 0.6 + n / 100) for n, v in enumerate(others)])
    assert [face.quality for face in faces.kept] == pytest.approx([0.64, 0.63, 0.62])
    better = added(faces, (alike(others[4], 0.99), 0.9))
    assert [face.quality for face in better.kept] == pytest.approx([0.9, 0.63, 0.62]), "it takes its twin's place"
    assert len(faces.kept) == KEPT


def test_faces_from_an_earlier_frame_have_no_picture_but_count() -> None:
    faces = added(GoodFaces(), *[(somebody(1), 0.5)] * NEEDED, image=None)
    assert faces.probe is not None and faces.kept == []


def test_the_pictures_do_not_hold_the_whole_frame() -> None:
    frame = np.zeros((1080, 1920, 3), np.uint8)
    faces = GoodFaces()
    faces.add(quality(), somebody(1), frame, Box(800, 400, 900, 500))
    assert faces.kept[0].picture.base is None
    assert faces.kept[0].picture.shape == (220, 220, 3)


def test_only_visits_of_unknown_people_carry_probes_and_only_when_asked() -> None:
    """Through the visit manager: an unknown visitor, and one who is known."""
    ada, eve = somebody(1), somebody(2)
    for limits in (ENROLMENT_LIMITS, None):
        door = Door(gallery_of(ada=ada), VisitSettings(gap_s=1))
        door.visits._good_faces = limits
        door.show(6, t1=eve)
        door.leave_empty(2)
        door.show(6, t2=ada)
        door.leave_empty(2)
        carried = {(e.visit_id, e.kind) for e in door.events if e.probe is not None}
        assert carried == ({("visit1", EventKind.UNKNOWN), ("visit1", EventKind.ENDED)} if limits else set())


def test_an_ignored_stranger_is_not_grouped() -> None:
    eve = somebody(2)
    door = Door(gallery_of(ada=somebody(1)), VisitSettings(gap_s=1))
    door.visits.matcher = Matcher(door.gallery, 0.5, 0.05, None, ignored=SeenFaces.of(eve, infrared=False))
    door.visits._good_faces = ENROLMENT_LIMITS
    door.show(6, t1=eve)
    door.leave_empty(2)
    assert [event.kind for event in door.events] == [EventKind.STARTED, EventKind.ENDED]
    assert all(event.probe is None and event.good_faces == () for event in door.events)


# Everything, in any order

PEOPLE = [somebody(seed) for seed in range(100, 106)]


@dataclass
class Street:
    """Strangers come and go, are named, discarded and forgotten; what should be known is kept by hand."""

    watch: StrangerWatch = field(default_factory=lambda: StrangerWatch(CALIBRATION, TARGET))
    known: dict[int, Stranger] = field(default_factory=dict)
    owner: dict[int, int] = field(default_factory=dict)
    """Which of PEOPLE a number was given to, ever."""
    now: float = 0.0
    visits: int = 0

    def come(self, person: int, blur: float) -> None:
        """One visit; `blur` is how unlike themselves they look, 0..1: above some point they are somebody new."""
        self.now += 100.0
        self.visits += 1
        probe = alike(PEOPLE[person], 1.0 - blur, seed=200 + self.visits)
        if len(self.watch.numbers) < 4:
            self.watch.add_numbers(range(self.next, self.next + 8))
        first = self.watch.mark(unknown(f"v{self.visits}", probe), self.now).stranger
        who = self.watch.mark(ended(f"v{self.visits}", probe), self.now + 5).stranger
        assert first == who is not None
        before = self.known.get(who.number)
        assert (before is None) == (who.times == 1)
        assert self.owner.setdefault(who.number, person) == person, "a number is used for one person, ever"
        if before is not None:
            assert (who.times, who.first_seen, who.last_seen) == (before.times + 1, before.first_seen, before.last_seen)
        # As the file does it: the mean of the visits.
        mean = probe if before is None else before.embedding + probe
        self.known[who.number] = Stranger(
            who.number, who.times, who.first_seen, who.seen, (mean / np.linalg.norm(mean)).astype(np.float32)
        )
        self.show()

    @property
    def next(self) -> int:
        return max([0, *self.owner, *self.watch.numbers]) + 1

    def forget(self, which: int) -> None:
        """Named, discarded or expired: it makes no difference to the watch."""
        if self.known:
            del self.known[sorted(self.known)[which % len(self.known)]]
        self.show()

    def show(self) -> None:
        self.watch.known = KnownStrangers(tuple(self.known.values()))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(0, len(PEOPLE) - 1), st.floats(0.0, 0.6)),
        st.tuples(st.just("forget"), st.integers(0, 9), st.just(0.0)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_no_two_people_ever_share_a_number(sequence: list[tuple[str, int, float]]) -> None:
    street = Street()
    for what, which, blur in sequence:
        if what == "come":
            street.come(which, blur)
        else:
            street.forget(which)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(PEOPLE) - 1), max_size=30))
def test_people_who_look_like_themselves_are_counted_exactly(visitors: list[int]) -> None:
    street = Street()
    for person in visitors:
        street.come(person, 0.2)
    counted = {street.owner[number]: stranger.times for number, stranger in street.known.items()}
    assert counted == {person: visitors.count(person) for person in set(visitors)}
