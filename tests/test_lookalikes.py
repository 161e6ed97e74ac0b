"""Who cannot be told apart, at what margin they could be, and what would help: on templates of known similarity."""

import numpy as np
import pytest

from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.models.card import Calibration
from edge.records import Vector
from edge.visits.lookalikes import CAMERA, SAME, LookAlikes, MatchRule, look_alikes, pair_in_words
from support.people import AT, DIMENSIONS, alike, somebody

RULE = MatchRule(0.5, 0.05, Calibration(data="", command="", points=[(0.4521, 1e-3), (0.6, 1e-5)]))
ADA = somebody(1)


def gallery(qualities: tuple[float, ...] = (), **people: list[Vector]) -> Gallery:
    made = Gallery.empty(EmbedderId("vectors", "0" * 64), DIMENSIONS)
    for name, vectors in people.items():
        scores = [*qualities, *[1.0] * len(vectors)]
        templates = [Template(f"{i}.jpg", scores[i - 1], AT) for i in range(1, len(vectors) + 1)]
        made = made.with_templates(name, vectors, templates, AT)
    return made


def triangle(own: float, across: float) -> tuple[list[Vector], list[Vector]]:
    """Two people with two templates each: `own` alike among themselves, `across` alike between the people."""
    order = [[1, own, across, across], [own, 1, across, across], [across, across, 1, own], [across, across, own, 1]]
    rows = np.linalg.cholesky(np.array(order)).astype(np.float32)
    vectors = np.zeros((4, DIMENSIONS), np.float32)
    vectors[:, :4] = rows
    return [vectors[0], vectors[1]], [vectors[2], vectors[3]]


def found(own: float, across: float) -> LookAlikes:
    ada, ben = triangle(own, across)
    (pair,) = look_alikes(gallery(ada=ada, ben=ben), RULE)
    return pair


def test_people_who_are_unlike_are_not_listed() -> None:
    for across in (0.44, 0.2):
        ada, ben = triangle(0.8, across)
        assert look_alikes(gallery(ada=ada, ben=ben), RULE) == []
    assert look_alikes(gallery(), RULE) == []
    assert look_alikes(gallery(ada=[ADA]), RULE) == []


def test_people_are_listed_from_where_a_visitor_can_be_uncertain() -> None:
    """At the threshold, somebody less similar by no more than the margin makes a visitor uncertain."""
    pair = found(0.51, 0.47)
    assert (pair.named, pair.uncertain, pair.wrong) == (0, 4, 0)


@pytest.mark.parametrize(
    ("own", "across", "counts", "margin"),
    [
        (0.80, 0.60, (4, 0, 0), 0.2),
        (0.63, 0.60, (0, 4, 0), 0.03),
        (0.60, 0.62, (0, 4, 0), None),
        (0.50, 0.66, (0, 0, 4), None),
    ],
)
def test_every_template_is_tried_as_a_visitor(
    own: float, across: float, counts: tuple[int, int, int], margin: float | None
) -> None:
    pair = found(own, across)
    assert pair.tried == 4
    assert (pair.named, pair.uncertain, pair.wrong) == counts
    assert pair.lead == pytest.approx(own - across, abs=1e-3)
    assert pair.margin == (None if margin is None else pytest.approx(margin, abs=1e-3))
    assert pair.similarity == pytest.approx(across, abs=1e-3)
    assert pair.false_match_rate == pytest.approx(10 ** -(3 + (across - 0.4) * 10), rel=0.05) or across > 0.6


def test_the_margin_that_is_told_tells_them_apart() -> None:
    """With exactly that margin every template is named by the matcher's rule, and with a larger one it is not."""
    ada, ben = triangle(0.63, 0.60)
    for margin, named in ((0.0299, 4), (0.0301, 0)):
        (pair,) = look_alikes(gallery(ada=ada, ben=ben), MatchRule(0.5, margin, None))
        assert pair.named == named


def test_people_who_are_alike_and_can_be_told_apart_need_no_advice() -> None:
    ada, ben = triangle(0.8, 0.6)
    more = [*ada, alike(ada[0], 0.9, seed=1)], [*ben, alike(ben[0], 0.9, seed=2)]
    (pair,) = look_alikes(gallery(ada=more[0], ben=more[1]), RULE)
    assert pair.named == pair.tried == 6 and pair.advice == []


def test_a_face_that_is_like_nobody_is_neither_named_nor_uncertain() -> None:
    pair = found(0.46, 0.48)
    assert (pair.named, pair.uncertain, pair.wrong, pair.tried) == (0, 0, 0, 4)


def test_with_one_photo_each_there_is_nothing_to_try() -> None:
    (pair,) = look_alikes(gallery(ada=[ADA], ben=[alike(ADA, 0.6)]), RULE)
    assert (pair.tried, pair.lead, pair.margin) == (0, None, None)
    assert pair.advice == [
        "enrol more photos of ada, who has 1 photo; three to five that differ help most",
        "enrol more photos of ben, who has 1 photo; three to five that differ help most",
    ]
    assert "With one photo each, nothing says by how much" in pair_in_words(pair, 0.05)


def test_a_photo_of_the_other_person_is_pointed_out_and_what_its_removal_brings() -> None:
    ben = somebody(2)
    stray = alike(ben, 0.8, seed=9)
    album = gallery(
        ada=[alike(ADA, 0.9, seed=s) for s in (3, 4, 5)] + [stray], ben=[alike(ben, 0.9, seed=s) for s in (6, 7, 8)]
    )
    (pair,) = look_alikes(album, RULE)
    assert pair.wrong == 1 and pair.named == 6 and pair.photos[0] == "4.jpg"
    first, second = pair.advice
    assert first.startswith("4.jpg of ada is more like ben (0.7")
    assert first.endswith("check who is in it")
    assert second.startswith("without 4.jpg of ada, the two can be told apart by a margin of 0.")


def test_the_same_person_under_two_names() -> None:
    (pair,) = look_alikes(gallery(ada=[ADA], ben=[alike(ADA, 0.95)]), RULE)
    assert pair.advice == [SAME]


def test_a_poor_photo_is_to_be_replaced_and_twins_need_the_camera() -> None:
    ada, ben = triangle(0.63, 0.60)
    three = [*ada, alike(ada[0], 0.7, seed=1)], [*ben, alike(ben[0], 0.7, seed=2)]
    (pair,) = look_alikes(gallery(ada=three[0], ben=three[1]), RULE)
    assert pair.advice == [CAMERA]
    (pair,) = look_alikes(gallery((0.3,), ada=three[0], ben=three[1]), RULE)
    assert pair.advice[0] == "replace 1.jpg of ada, of quality 0.30, with a sharp photo from the front"


def test_the_words() -> None:
    assert pair_in_words(found(0.6405, 0.60), 0.05) == (
        "ada and ben look alike (0.60): visits of either may come out as `uncertain`. At most one pair of strangers in "
        "100,000 is as similar. Of 4 photos tried as a visitor's, 0 named, 4 uncertain, 0 called by the other's name, "
        "0 unknown: a match.min_margin of 0.040 would tell them apart (it is 0.05)."
    )
    assert "no margin tells all of them apart." in pair_in_words(found(0.60, 0.62), 0.05)
    assert "they are told apart by 0.20 (match.min_margin is 0.05)." in pair_in_words(found(0.80, 0.60), 0.05)


def test_every_pair_is_compared_whatever_the_numbers_of_photos() -> None:
    """The same as comparing each two people on their own."""
    random = np.random.default_rng(4)
    people = {
        f"p{n}": [
            alike(ADA, float(random.uniform(0.3, 0.75)), seed=200 + 50 * n + k)
            for k in range(int(random.integers(1, 5)))
        ]
        for n in range(7)
    }
    names = list(people)
    alone = [
        pair
        for i, one in enumerate(names)
        for other in names[i + 1 :]
        for pair in look_alikes(gallery(**{one: people[one], other: people[other]}), RULE)
    ]
    together = look_alikes(gallery(**people), RULE)
    assert 3 < len(together) < 21
    assert {pair.names: pair.tried for pair in together} == {pair.names: pair.tried for pair in alone}
    assert [pair.similarity for pair in together] == sorted((pair.similarity for pair in together), reverse=True)


def test_the_hardest_come_first() -> None:
    three = gallery(ada=[ADA], ben=[alike(ADA, 0.6, seed=3)], eve=[alike(ADA, 0.7, seed=4)])
    assert next(pair.names for pair in look_alikes(three, RULE)) == ("ada", "eve")
