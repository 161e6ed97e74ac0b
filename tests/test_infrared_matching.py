"""At night faces look more alike: what that does to names, and to what belongs to one visit."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edge.config.visits import VisitSettings
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.models.card import Calibration
from edge.records import Outcome, Quality, Vector
from edge.sightings import Sighting
from edge.visits.fusion import FusedFaces
from edge.visits.infrared_scale import InfraredScale, infrared_scale
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from support.people import AT, DIMENSIONS, PLACE, alike, quality, somebody

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
