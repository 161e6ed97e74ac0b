"""Which face of each photo is the person's, on faces made of vectors: the person is never mixed up with a bystander."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.faces import QualitySettings
from edge.faces.face_choice import BY_FAR, CENTRAL, largest_face
from edge.faces.likeness import LEAD, STRAY_RATE, LikenessBar, main_group
from edge.faces.photo_faces import PhotoFaces
from edge.faces.photo_set import EnrolmentPhoto, PhotoDecision, decide
from edge.models import card
from edge.models.similarity import assumed
from edge.records import Vector
from support.faces import HEIGHT, WIDTH, face, photo
from support.people import alike, somebody

BAR = LikenessBar(card.read_card(card.find("mobilefacenet")).calibration)
ADA, BEN, EVE = somebody(1), somebody(2), somebody(3)


def decided(
    *photos: PhotoFaces,
    known: Sequence[Vector] = (),
    picks: Sequence[int | None] = (),
    bar: LikenessBar = BAR,
    others: Sequence[Vector] = (),
) -> list[PhotoDecision]:
    numbers = [*picks, *[None] * (len(photos) - len(picks))]
    given_photos = [EnrolmentPhoto(one, number) for one, number in zip(photos, numbers, strict=True)]
    return decide(given_photos, known, bar, QualitySettings(), "pick one", others)


def like(person: Vector, seed: int, similarity: float = 0.8) -> Vector:
    return alike(person, similarity, seed=100 + seed)


def test_a_face_alone_is_taken_without_a_word() -> None:
    (found,) = decided(photo(face(600, 100, ADA)))
    assert found.chosen and (found.chosen.number, found.chosen.why, found.reason) == (1, "", "")


def test_nothing_to_compare_with_only_by_far_the_largest_and_central() -> None:
    large, small, aside = (
        face(600, 200, ADA),
        face(200, 200 / BY_FAR - 1, BEN),
        face(WIDTH * (0.51 + CENTRAL), 200, ADA),
    )
    (found,) = decided(photo(large, small))
    assert found.chosen and found.chosen.portrait is large and found.chosen.by_size
    assert found.chosen.why == ("face 2 of 2, 200 px wide, at the centre: by far the largest, and in the middle")
    for rest in (face(200, 200 / BY_FAR + 1, BEN), face(200, 250, BEN)):
        (refused,) = decided(photo(large, rest))
        assert refused.chosen is None
        assert "2 faces in it, none by far the largest and central: 1: " in refused.reason
        assert refused.reason.endswith("; pick one, or crop the photo")
    (refused,) = decided(photo(aside, small))
    assert refused.chosen is None, "large, but not in the middle"
    (refused,) = decided(photo(large, small), others=[BEN, like(ADA, 1)])
    assert refused.chosen is None
    assert "2 faces in it, and the largest is like somebody else in the gallery (similarity 0.80): 1" in refused.reason
    (found,) = decided(photo(large, small), others=[BEN])
    assert found.chosen and found.chosen.portrait is large


def test_a_large_face_that_cannot_be_used_is_refused_and_the_small_one_stays_out() -> None:
    (found,) = decided(photo(face(600, 200, None), face(100, 60, BEN)))
    assert found.chosen is None and found.reason.startswith("the face is too blurred")


def test_likeness_beats_size() -> None:
    group = photo(face(600, 300, BEN), face(100, 60, like(ADA, 1)))
    alone, grouped = decided(photo(face(600, 100, ADA)), group)
    assert alone.chosen and grouped.chosen
    assert grouped.chosen.number == 1 and not grouped.chosen.by_size
    assert "like the other photos (similarity 0.80; the next face" in grouped.chosen.why


def test_templates_from_before_count_as_the_persons_photos() -> None:
    group = photo(face(600, 300, BEN), face(100, 60, like(ADA, 1)))
    (found,) = decided(group, known=[ADA])
    assert found.chosen and found.chosen.number == 1
    (refused,) = decided(group, known=[EVE])
    assert refused.chosen is None and "none is like the other photos" in refused.reason


def test_two_faces_that_are_both_like_the_person_are_refused() -> None:
    """A person beside a poster of theirs, or beside a twin."""
    (refused,) = decided(photo(face(300, 200, like(ADA, 1)), face(900, 200, like(ADA, 2))), known=[ADA])
    assert refused.chosen is None and "1 and 2 are both like the other photos" in refused.reason


def test_a_prominent_face_needs_to_be_no_more_alike_than_the_only_face_of_a_photo() -> None:
    between = (BAR.similarity(STRAY_RATE) + 0.01 + BAR.similarity(1e-3, 2)) / 2
    odd = like(ADA, 4, between)
    (large,) = decided(photo(face(600, 300, odd), face(100, 60, BEN)), known=[ADA])
    (small,) = decided(photo(face(600, 300, BEN), face(100, 60, odd)), known=[ADA])
    assert large.chosen and large.chosen.number == 2
    assert small.chosen is None


def test_a_photo_of_somebody_else_is_set_aside() -> None:
    *own, stray = decided(*(photo(face(600, 100, like(ADA, n))) for n in range(3)), photo(face(600, 100, BEN)))
    assert all(one.chosen and not one.set_aside for one in own)
    assert stray.set_aside and stray.reason.startswith("unlike the person's other photos: similarity")


def test_the_templates_from_before_outweigh_any_number_of_new_photos() -> None:
    found = decided(*(photo(face(600, 100, like(BEN, n))) for n in range(3)), known=[ADA])
    assert all(one.set_aside for one in found)


def test_a_photo_of_somebody_else_is_set_aside_though_it_is_saved_three_times() -> None:
    own = [photo(face(600, 100, like(ADA, n))) for n in range(2)]
    strays = [photo(face(600, 100, like(BEN, 1, 0.99))) for _ in range(3)]
    assert [one.set_aside for one in decided(*own, *strays)] == [False, False, True, True, True]


def test_of_two_photos_that_do_not_look_alike_nobody_can_say_which_is_wrong() -> None:
    assert not any(one.set_aside for one in decided(photo(face(600, 100, ADA)), photo(face(600, 100, BEN))))


def test_a_picked_face_is_taken_whatever_the_others_show_and_is_one_to_compare_with() -> None:
    group = photo(face(600, 300, BEN), face(100, 60, ADA))
    picked, other, stray = decided(group, photo(face(600, 90, like(ADA, 1))), photo(face(600, 90, EVE)), picks=[1])
    assert picked.chosen and picked.chosen.number == 1 and "picked by number" in picked.chosen.why
    assert not other.set_aside and stray.set_aside
    (against,) = decided(group, known=[EVE], picks=[2])
    assert against.chosen and not against.set_aside


def test_a_face_chosen_by_size_gives_way_to_the_one_that_all_photos_share() -> None:
    shared = [photo(face(600, 300, like(ADA, n)), face(100, 60, somebody(50 + n))) for n in range(3)]
    crowd = photo(face(600, 300, EVE), face(100, 60, like(ADA, 9)))
    *_, found = decided(*shared, crowd)
    assert found.chosen and found.chosen.number == 1 and not found.chosen.by_size


def test_without_a_calibration_the_threshold_of_the_owner_is_the_bar() -> None:
    bar = LikenessBar(assumed(0.45))
    assert bar.similarity(1e-3) == pytest.approx(0.45)
    assert bar.leads(0.6, 0.4) and not bar.leads(0.5, 0.47)
    first, stray, second = decided(*(photo(face(600, 90, v)) for v in (ADA, BEN, like(ADA, 1))), bar=bar)
    assert (first.set_aside, stray.set_aside, second.set_aside) == (False, True, False)


def test_where_hardly_any_photos_are_alike_none_is_set_aside() -> None:
    """An embedder that cannot tell people apart must not lose most of somebody's photos."""
    strangers = [somebody(20 + n) for n in range(3)]
    two = [ADA, like(ADA, 1)]
    assert not any(one.set_aside for one in decided(*(photo(face(600, 90, v)) for v in [*two, *strangers])))
    stray = decided(*(photo(face(600, 90, v)) for v in [*two, *strangers[:2]]))
    assert [one.set_aside for one in stray] == [False, False, True, True]


def test_the_bar_rises_with_the_number_of_comparisons() -> None:
    assert BAR.similarity(STRAY_RATE, 10) == pytest.approx(BAR.similarity(1e-3))
    assert BAR.calibration is not None
    second = BAR.calibration.similarity_at(1e-3 * LEAD)[0]
    assert BAR.leads(BAR.similarity(1e-3) + 0.001, second - 0.001)
    assert not BAR.leads(BAR.similarity(1e-3) - 0.001, second + 0.001)


def test_photos_are_linked_through_others_between_them() -> None:
    """Youth and age are unlike, and a photo between them is like both."""
    young, old = somebody(7), somebody(8)
    between = ((young + old) / np.linalg.norm(young + old)).astype(np.float32)
    assert main_group([young, old, between, BEN], 0, BAR).tolist() == [True, True, True, False]


BYSTANDERS = st.lists(
    st.tuples(st.floats(20, WIDTH - 20), st.floats(20, HEIGHT - 20), st.floats(20, 400), st.floats(-0.2, 0.3)),
    min_size=1,
    max_size=4,
)
PLACE = st.tuples(st.floats(20, WIDTH - 20), st.floats(20, HEIGHT - 20), st.floats(20, 400))


def composite(
    place: tuple[float, float, float], vector: Vector, others: list[tuple[float, float, float, float]], seed: int
) -> PhotoFaces:
    faces = [face(place[0], place[2], vector, place[1])]
    strangers = [alike(ADA, likeness, seed=1000 + seed * 10 + n) for n, (*_, likeness) in enumerate(others)]
    faces += [face(x, side, stranger, y) for (x, y, side, _), stranger in zip(others, strangers, strict=True)]
    return photo(*faces)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(PLACE, BYSTANDERS), min_size=1, max_size=4),
    st.lists(st.floats(0.5, 0.95), min_size=1, max_size=4),
    st.booleans(),
    st.floats(0.3, 0.95),
)
def test_with_another_photo_of_the_person_no_bystander_is_ever_enrolled(
    groups: list[tuple[tuple[float, float, float], list[tuple[float, float, float, float]]]],
    own: list[float],
    enrolled: bool,
    likeness: float,
) -> None:
    """Whatever the sizes and places: the person's own face, or none."""
    vectors = [like(ADA, 500 + n, likeness) for n in range(len(groups))]
    photos = [
        composite(place, v, others, n) for n, ((place, others), v) in enumerate(zip(groups, vectors, strict=True))
    ]
    others = [like(ADA, n, similarity) for n, similarity in enumerate(own)]
    alone = [] if enrolled else [photo(face(600, 100, v)) for v in [ADA, *others]]
    found = decided(*alone, *photos, known=[ADA, *others] if enrolled else [])[len(alone) :]
    for one, vector in zip(found, vectors, strict=True):
        assert one.chosen is None or one.chosen.portrait.embedding is vector
        assert one.chosen is None or one.chosen.why


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(PLACE, BYSTANDERS), min_size=1, max_size=4))
def test_without_one_a_choice_is_always_said_and_rests_on_size_or_on_faces_chosen_so(
    groups: list[tuple[tuple[float, float, float], list[tuple[float, float, float, float]]]],
) -> None:
    photos = [composite(place, like(ADA, n), others, n) for n, (place, others) in enumerate(groups)]
    found = decided(*photos)
    for one, shown in zip(found, photos, strict=True):
        if one.chosen is None:
            assert one.reason
            continue
        assert f"face {one.chosen.number} of {len(shown.faces)}" in one.chosen.why
        if one.chosen.by_size:
            sizes = sorted((f.face.box.short_side for f in shown.faces), reverse=True)
            assert one.chosen.portrait.face.box.short_side == sizes[0] >= BY_FAR * sizes[1]
            assert abs(one.chosen.portrait.face.box.centre[0] / WIDTH - 0.5) <= CENTRAL
            assert largest_face(shown) is not None
    if any(one.chosen and not one.chosen.by_size for one in found):
        assert any(largest_face(shown) for shown in photos)
