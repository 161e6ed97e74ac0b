"""At night faces look more alike: what that does to names, and to what belongs to one visit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edge.config.visits import VisitSettings
from edge.events import Event, EventKind
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.models.card import Calibration, find, read_card
from edge.records import Doubt, Outcome, Quality, SeenFaces, Vector
from edge.sightings import Sighting
from edge.visits.decision import is_ignored
from edge.visits.fusion import FusedFaces
from edge.visits.infrared_scale import InfraredScale, infrared_scale, likeness
from edge.visits.lookalikes import MatchRule, look_alikes
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.rejection import price_of
from edge.visits.strangers import KnownStrangers, Stranger, StrangerWatch
from edge.visits.thresholds import linking_thresholds
from support.people import AT, DIMENSIONS, PLACE, alike, quality, somebody
from support.publishing import match as answer

DAY = Calibration("by day", "none", [(0.2, 1e-1), (0.4, 1e-3), (0.6, 1e-5)])
NIGHT = Calibration("at night", "none", [(0.3, 1e-1), (0.5, 1e-3), (0.7, 1e-5)])
ADA, BEN = somebody(1), somebody(2)


def gallery(*templates: tuple[Vector, bool], of: str = "ada") -> Gallery:
    marks = [Template("x", 1.0, AT, infrared) for _, infrared in templates]
    return Gallery.empty(EmbedderId("vectors", "0" * 64), DIMENSIONS).with_templates(
        of, [vector for vector, _ in templates], marks, AT
    )


def matcher(known: Gallery, infrared: Calibration | None = NIGHT) -> Matcher:
    return Matcher(known, 0.4, 0.05, DAY, infrared=infrared)


def _marked(seen: Quality) -> Quality:
    return replace(seen, infrared=True)


def test_the_scale_keeps_rates_and_never_raises_a_similarity() -> None:
    scale = InfraredScale(NIGHT, DAY)
    similarities = np.linspace(-1, 1, 201).astype(np.float32)
    translated = scale.translated(similarities)
    assert (np.diff(translated) > 0).all()
    assert (translated <= similarities).all()
    for at_night, by_day in ((0.3, 0.2), (0.5, 0.4), (0.6, 0.5), (0.7, 0.6), (0.9, 0.8)):
        assert float(scale.translated(np.array([at_night], np.float32))[0]) == pytest.approx(by_day, abs=1e-5)
    easier = Calibration("easier at night", "none", [(0.1, 1e-1), (0.3, 1e-3)])
    assert (InfraredScale(easier, DAY).translated(similarities) == similarities).all()


def test_without_two_calibrations_that_meet_there_is_no_scale() -> None:
    rare = Calibration("rare", "none", [(0.7, 1e-6), (0.8, 1e-7)])
    for infrared, ordinary in ((None, DAY), (NIGHT, None), (rare, DAY), (DAY, rare)):
        assert infrared_scale(infrared, ordinary) is None


@pytest.mark.parametrize(("probe", "template", "outcome"), [
    (True, True, Outcome.UNKNOWN),
    (True, False, Outcome.RECOGNIZED),
    (False, True, Outcome.RECOGNIZED),
    (False, False, Outcome.RECOGNIZED),
])  # fmt: skip
def test_only_two_infrared_faces_need_more_similarity(probe: bool, template: bool, outcome: Outcome) -> None:
    at_the_threshold = alike(ADA, 0.45)
    match = matcher(gallery((ADA, template))).match(at_the_threshold, infrared=probe)
    assert match.outcome is outcome
    assert matcher(gallery((ADA, template)), None).match(at_the_threshold, infrared=probe).outcome is Outcome.RECOGNIZED


def test_the_better_of_day_and_night_templates_names_a_visitor_at_night() -> None:
    known = matcher(gallery((ADA, False), (BEN, True)))
    for probe, expected in ((alike(BEN, 0.8), 0.7), (alike(ADA, 0.6), 0.6)):
        match = known.match(probe, infrared=True)
        assert match.person is not None
        assert match.person.similarity == pytest.approx(expected, abs=0.02)


def test_a_match_at_night_leaves_the_next_one_by_day_alone() -> None:
    known = matcher(gallery((ADA, True)))
    before = known.match(alike(ADA, 0.45))
    known.match(alike(ADA, 0.45), infrared=True)
    assert known.match(alike(ADA, 0.45)) == before


def test_one_infrared_face_makes_a_visit_infrared_and_joining_keeps_it() -> None:
    day, dusk = FusedFaces(), FusedFaces()
    day.add(quality(), ADA, 0.0)
    assert not day.infrared
    dusk.add(_marked(quality()), ADA, 0.0)
    day.absorb(dusk)
    assert day.infrared


def test_linking_at_night_needs_more_similarity() -> None:
    linking = linking_thresholds(DAY, NIGHT)
    assert (linking.under(infrared=False).same, linking.under(infrared=True).same) == pytest.approx((0.4, 0.5))
    assert linking_thresholds(DAY).under(infrared=True) == linking_thresholds(DAY)


@pytest.mark.parametrize(("infrared", "visits"), [(False, 1), (True, 2)])
def test_somebody_who_takes_a_strangers_place_at_night_is_noticed(infrared: bool, visits: int) -> None:
    """A likeness that says "the same person" by day (0.36 > 0.3) is doubtful at night (< 0.4)."""
    ids = (f"v{n}" for n in itertools.count(1))
    manager = VisitManager(
        VisitSettings(), linking_thresholds(DAY, NIGHT), matcher(gallery((somebody(9), False))), lambda: next(ids),
        pictures=False,
    )  # fmt: skip
    seen = _marked(quality()) if infrared else quality()
    faces = [alike(ADA, 0.98, seed=n) for n in range(100, 110)]
    faces += [alike(alike(ADA, 0.36), 0.98, seed=n) for n in range(200, 210)]
    started = 0
    for n, face in enumerate(faces):
        at = n / 10
        events = manager.update([Sighting(1, at, PLACE, 0.0, seen, face)], {1}, at)
        started += sum(event.kind.value == "started" for event in events)
    assert started == visits


def test_only_pairs_of_infrared_faces_are_translated() -> None:
    faces = SeenFaces(np.stack([ADA, alike(ADA, 0.5)]), np.array([True, False]))
    others = SeenFaces(np.stack([alike(ADA, 0.5, 7), alike(ADA, 0.6, 8)]), np.array([True, False]))
    raw = faces.vectors @ others.vectors.T
    found = likeness(faces, others, InfraredScale(NIGHT, DAY))
    assert found[0, 0] == pytest.approx(raw[0, 0] - 0.1, abs=1e-5)
    found[0, 0] = raw[0, 0]
    assert (found == raw).all()
    assert (likeness(faces, others, None) == raw).all()


@pytest.mark.parametrize(("probe", "template", "anchor", "doubt"), [
    (True, True, True, Doubt.REJECTED),
    (True, False, True, None),
    (False, False, True, Doubt.REJECTED),
    (True, False, False, Doubt.REJECTED),
    (False, True, False, Doubt.REJECTED),
])  # fmt: skip
def test_a_rejected_visit_and_the_person_are_compared_on_one_scale(
    probe: bool, template: bool, anchor: bool, doubt: Doubt | None
) -> None:
    """The visitor is 0.08 nearer to the rejected visit than to Ada; seen both in infrared light, that is no lead."""
    visitor = alike(ADA, 0.60)
    rejected = {"ada": SeenFaces.of(alike(visitor, 0.68), infrared=anchor)}
    known = Matcher(gallery((ADA, template)), 0.4, 0.05, DAY, rejected, None, NIGHT)
    assert known.match(visitor, infrared=probe).doubt is doubt


@pytest.mark.parametrize(("probe", "kept", "ignored"), [
    (True, True, False), (True, False, True), (False, True, True), (False, False, True),
])  # fmt: skip
def test_another_stranger_at_night_is_not_ignored_for_looking_alike(probe: bool, kept: bool, ignored: bool) -> None:
    eve = somebody(4)
    known = Matcher(gallery((ADA, False)), 0.4, 0.05, DAY, None, SeenFaces.of(eve, infrared=kept), NIGHT)
    assert known.ignores(alike(eve, 0.45), infrared=probe) is ignored


def test_what_an_infrared_rejection_leaves_to_the_persons_own_photos() -> None:
    """Their own infrared photo is 0.6 like the other and 0.55 like the rejected visit, both 0.1 less by day's scale."""
    own, rejected = alike(ADA, 0.6, 5), alike(ADA, 0.55, 6)
    for marks, anchor, spare in (
        ((True, True), True, 0.6 + 0.05 - 0.55),
        ((True, True), False, 0.6 - 0.1 + 0.05 - 0.55),
        ((False, False), True, 0.6 + 0.05 - 0.55),
    ):
        known = matcher(gallery((ADA, marks[0]), (own, marks[1])))
        price = price_of(SeenFaces.of(rejected, infrared=anchor), known.gallery.seen(known.gallery.people[0]), known)
        assert price.spare == pytest.approx(spare, abs=1e-3)


def test_people_who_look_alike_only_in_infrared_light_are_not_listed() -> None:
    ben = [alike(ADA, 0.42, 5), alike(ADA, 0.41, 6)]
    rule = MatchRule(0.4, 0.05, DAY, InfraredScale(NIGHT, DAY))
    for infrared, listed in ((False, 1), (True, 0)):
        marks = [Template("x", 1.0, AT, infrared)] * 2
        known = gallery((ADA, infrared), (alike(ADA, 0.9), infrared)).with_templates("ben", ben, marks, AT)
        assert len(look_alikes(known, rule)) == listed
    closer = gallery((ADA, True), (alike(ADA, 0.9), True)).with_templates("ben", [alike(ADA, 0.6, 5)], marks[:1], AT)
    (pair,) = look_alikes(closer, rule)
    assert pair.similarity == pytest.approx(0.5, abs=1e-3)
    assert pair.false_match_rate == pytest.approx(1e-4, rel=0.02), "as rare as by day at 0.5"
    assert pair.lead == pytest.approx((0.9 - 0.1) - (0.6 - 0.1), abs=0.05), "its own other photo is infrared too"


@pytest.mark.parametrize(("infrared", "times"), [(False, 2), (True, 1)])
def test_a_new_stranger_at_night_is_not_taken_for_one_who_came_before(infrared: bool, times: int) -> None:
    eve = somebody(4)
    watch = StrangerWatch(DAY, 0.05, InfraredScale(NIGHT, DAY))
    watch.known = KnownStrangers((Stranger(1, 1, 0.0, 0.0, eve),))
    watch.add_numbers([2])
    seen = _marked(quality()) if infrared else quality()
    probe = alike(eve, watch.bar + 0.05)
    came = Event(EventKind.UNKNOWN, "v", 1, 10.0, 6.0, 0.1, match=answer(Outcome.UNKNOWN), quality=seen, probe=probe)
    stranger = watch.mark(came, 10.0).stranger
    assert stranger is not None and stranger.times == times


@pytest.mark.parametrize("infrared", [False, True])
def test_a_visit_at_night_is_ignored_by_the_bar_of_the_night(infrared: bool) -> None:
    eve, faces = somebody(4), FusedFaces()
    faces.add(_marked(quality()) if infrared else quality(), alike(eve, 0.45), 0.0)
    known = Matcher(gallery((ADA, False)), 0.4, 0.05, DAY, None, SeenFaces.of(eve, infrared=True), NIGHT)
    assert is_ignored(known, faces, EventKind.UNKNOWN) is not infrared


@pytest.mark.parametrize("name", ["mobilefacenet", "mobilefacenet-int8"])
def test_each_bundled_embedder_is_calibrated_for_infrared_light_which_needs_more_similarity(name: str) -> None:
    card = read_card(find(name))
    assert card.calibration is not None and card.infrared_calibration is not None
    for rate in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        assert card.infrared_calibration.similarity_at(rate)[0] > card.calibration.similarity_at(rate)[0]
