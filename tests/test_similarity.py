"""What counts as similar follows the embedder, narrow or wide; for the bundled one nothing changes."""

import numpy as np
import pytest

from edge.config.visits import MatchSettings
from edge.faces.analyser import AnalysedFace
from edge.faces.coach import Coach
from edge.faces.likeness import LikenessBar, main_group
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.models import card
from edge.models.card import Calibration
from edge.models.similarity import BUNDLED_SAME, NEAR_COPY, TOO_ALIKE, alike, assumed, same_person, spread
from edge.records import Box, Face, Landmarks, Pose, Vector
from edge.visits.fusion import FusedFaces
from edge.visits.good_faces import GoodFaces
from edge.visits.lookalikes import MatchRule, look_alikes, pair_in_words
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds, name_margin
from support.people import quality

BUNDLED = card.read_card(card.find("mobilefacenet")).calibration
assert BUNDLED is not None
NARROW = Calibration("an untrained grey CNN", "none", [(0.95, 1e-1), (0.98, 1e-2), (0.99, 1e-3), (0.995, 1e-4)])
WIDE = Calibration("a network with room", "none", [(-0.3, 1e-1), (-0.1, 1e-2), (0.0, 1e-3), (0.1, 1e-4)])
ANCHOR = np.eye(8, dtype=np.float32)[0]


def at(cosine: float, axis: int = 1) -> Vector:
    """A unit vector with that cosine to ANCHOR."""
    made = np.zeros(8)
    made[0], made[axis] = cosine, np.sqrt(1 - cosine**2)
    return made.astype(np.float32)


def test_the_numbers_of_the_bundled_embedder_are_what_they_were() -> None:
    same = same_person(BUNDLED)
    assert same == BUNDLED_SAME
    for constant in (0.75, 0.9, NEAR_COPY, TOO_ALIKE, 0.995):
        assert alike(constant, same) == pytest.approx(constant, abs=1e-12)
    assert name_margin(MatchSettings(), BUNDLED) == 0.05
    linking = linking_thresholds(BUNDLED)
    assert (linking.too_alike, linking.coherent) == pytest.approx((0.97, 0.75), abs=1e-12)
    small = card.read_card(card.find("mobilefacenet-int8")).calibration
    assert small is not None
    assert alike(TOO_ALIKE, same_person(small)) == pytest.approx(0.97, abs=1e-4)
    assert name_margin(MatchSettings(), small) == 0.05


@pytest.mark.parametrize("calibration", [NARROW, WIDE, BUNDLED, assumed(0.999999), assumed(-1.0)])
def test_similar_lies_between_one_person_and_one_picture(calibration: Calibration) -> None:
    same = same_person(calibration)
    order = [same, *(alike(constant, same) for constant in (0.75, 0.9, 0.95, 0.97, 0.995))]
    assert order == sorted(order)
    assert order[-1] < 1
    assert 0 < name_margin(MatchSettings(), calibration) <= 0.2


def test_a_narrow_embedder_tells_faces_apart_that_the_constants_took_for_one() -> None:
    linking, image = linking_thresholds(NARROW), np.zeros((40, 40, 3), np.uint8)
    for too_alike, kept in ((TOO_ALIKE, 1), (linking.too_alike, 3)):
        faces = GoodFaces(too_alike)
        for n in range(3):
            faces.add(quality(), at(0.995, n + 1), image, Box(0, 0, 20, 20))
        assert len(faces.kept) == kept
    # Three photos of one person and two of another, whose photos are 0.97 alike.
    vectors = [*(at(0.998, n) for n in (1, 2, 3)), *(at(0.97, n) for n in (4, 5))]
    assert main_group(vectors, 1, LikenessBar(NARROW)).tolist() == [True, True, True, False, False]
    # A visit of both falls into two groups.
    for coherent, groups in ((0.75, 1), (linking.coherent, 3)):
        fused = FusedFaces(coherent)
        for n, vector in enumerate((at(0.9999), at(0.9999, 2), at(0.97, 4), at(0.9705, 4))):
            fused.add(quality(), vector, float(n))
        assert len(fused.groups(1)) == groups


def gallery(*cosines: float) -> Gallery:
    template = Template("a.jpg", 0.9, "2026-01-01T00:00:00Z")
    people = [
        (Person(f"p{n}", f"P{n}", [template]), [np.asarray(at(cosine, n + 1))]) for n, cosine in enumerate(cosines)
    ]
    return Gallery.of(1, "2026-01-01T00:00:00Z", EmbedderId("narrow", "0" * 64), 8, people)


def test_a_narrow_embedder_names_people_in_spite_of_the_margin() -> None:
    """With a lead of 0.05, which nobody can have where strangers are 0.99 alike, everybody would be uncertain."""
    known = gallery(0.9995, 0.991)
    for margin, outcome in ((0.05, "uncertain"), (name_margin(MatchSettings(), NARROW), "recognized")):
        assert Matcher(known, 0.995, margin, NARROW).match(ANCHOR).outcome.value == outcome


def test_the_margin_that_is_advised_is_in_the_units_of_config_yaml() -> None:
    template = Template("a.jpg", 0.9, "2026-01-01T00:00:00Z")
    people = [
        (Person("a", "Ada", [template, template]), [at(1.0), at(0.9999)]),
        (Person("b", "Ben", [template, template]), [at(0.9995, 2), at(0.9994, 2)]),
    ]
    known = Gallery.of(1, "2026-01-01T00:00:00Z", EmbedderId("narrow", "0" * 64), 8, people)
    rule = MatchRule(0.995, name_margin(MatchSettings(), NARROW), NARROW)
    (pair,) = look_alikes(known, rule)
    assert pair.lead is not None and pair.margin == pytest.approx(pair.lead / spread(0.99))
    told_apart = pair.lead >= rule.min_margin
    assert ("told apart by" in pair_in_words(pair, 0.05)) == told_apart


def portrait(embedding: Vector) -> AnalysedFace:
    landmarks = Landmarks(np.zeros((468, 3), np.float32), np.zeros((5, 2), np.float32), 1.0, Pose(0, 0, 0))
    return AnalysedFace(
        Face(Box(0, 0, 20, 20), 0.9, np.zeros((6, 2), np.float32)), landmarks, np.zeros((8, 8, 3), np.uint8), quality(),
        embedding,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("same", "cosine", "new"), [(BUNDLED_SAME, 0.98, False), (BUNDLED_SAME, 0.96, True), (0.99, 0.998, True)]
)
def test_the_coach_asks_for_something_new_by_the_scale_of_the_embedder(same: float, cosine: float, new: bool) -> None:
    coach = Coach(3, same)
    coach._taken = [portrait(ANCHOR)]
    assert (coach._not_new(portrait(at(cosine))) is None) is new


def test_with_a_narrow_embedder_photos_of_two_people_are_no_copies() -> None:
    """Taken for copies of one moment, the first two of five would decide who the person is."""
    vectors = [*(at(0.97, n) for n in (4, 5)), *(at(0.998, n) for n in (1, 2, 3))]
    vectors[1] = np.asarray((vectors[0] + 0.02 * at(0.97, 5)) / np.linalg.norm(vectors[0] + 0.02 * at(0.97, 5)))
    assert main_group(vectors, 0, LikenessBar(NARROW)).tolist() == [False, False, True, True, True]
