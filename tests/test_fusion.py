"""Fused faces: a weighted mean, its best face, and what was most often wrong."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.records import Problem, Quality, Vector
from edge.visits.fusion import KEPT, FusedFaces
from support.people import alike, quality, somebody

ADA, BEN = somebody(1), somebody(2)
Look = tuple[Quality, Vector | None]

usable = st.builds(lambda score, seed: (quality(score), somebody(seed)), st.floats(0, 1), st.integers(0, 5))
unusable = st.builds(lambda score, problem: (quality(score, problem), None), st.floats(0, 1), st.sampled_from(Problem))
looks = st.lists(usable | unusable, max_size=8)


def gathered(some: list[Look], start: float = 0.0) -> FusedFaces:
    fused = FusedFaces()
    for n, (worth, embedding) in enumerate(some):
        fused.add(worth, embedding, start + n)
    return fused


def test_the_better_face_weighs_more() -> None:
    fused = gathered([(quality(0.9), ADA), (quality(0.3), BEN)]).embedding
    assert fused is not None
    expected = 0.9 * ADA + 0.3 * BEN
    assert fused == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert not fused.flags.writeable


def test_even_a_face_of_no_worth_weighs_one_in_a_hundred() -> None:
    fused = gathered([(quality(1.0), ADA), (quality(0.0), BEN)]).embedding
    assert fused is not None
    expected = ADA + 0.01 * BEN
    assert fused == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert gathered([(quality(0.0), ADA)]).similarity(ADA) == pytest.approx(1)


@given(looks, looks)
def test_absorbing_is_as_if_all_had_been_seen_in_one_place(first: list[Look], second: list[Look]) -> None:
    apart, together = gathered(first), gathered(first + second)
    apart.absorb(gathered(second, start=len(first)))
    assert apart.count == together.count == sum(embedding is not None for _, embedding in first + second)
    assert apart.best_quality == together.best_quality
    assert apart.any_face == together.any_face
    assert apart.age(100) == together.age(100)
    assert apart.main_problem == together.main_problem
    assert (apart.embedding is None) == (together.embedding is None)
    if apart.embedding is not None and together.embedding is not None:
        assert apart.embedding == pytest.approx(together.embedding, abs=1e-4)


@given(looks)
def test_the_best_face_is_usable_if_any_is_and_then_the_sharpest(some: list[Look]) -> None:
    best = gathered(some).best_quality
    ranked = [(worth.usable, worth.score) for worth, _ in some]
    assert (None if best is None else (best.usable, best.score)) == max(ranked, default=None)


@given(looks)
def test_only_what_is_not_a_face_is_no_face(some: list[Look]) -> None:
    assert gathered(some).any_face == any(worth.problem is not Problem.NOT_A_FACE for worth, _ in some)


def test_of_two_equally_good_faces_the_first_is_the_best() -> None:
    first, second = quality(0.5), quality(0.5)
    assert gathered([(first, ADA), (second, BEN)]).best_quality is first
    fused = gathered([(first, ADA)])
    fused.absorb(gathered([(second, BEN)]))
    assert fused.best_quality is first


def test_the_main_problem_is_the_most_frequent() -> None:
    dark, small = (quality(0.1, Problem.TOO_DARK), None), (quality(0.1, Problem.TOO_SMALL), None)
    assert gathered([dark, small, small]).main_problem is Problem.TOO_SMALL
    assert gathered([small, dark, dark]).main_problem is Problem.TOO_DARK
    assert gathered([(quality(), ADA)]).main_problem is None


def test_age_counts_from_the_first_usable_face() -> None:
    fused = FusedFaces()
    assert fused.age(7.0) == 0
    fused.add(quality(0.1, Problem.TOO_DARK), None, 1.0)
    assert fused.age(7.0) == 0
    fused.add(quality(), ADA, 2.0)
    fused.add(quality(), ADA, 4.0)
    assert fused.age(7.0) == 5


def test_without_a_usable_face_nobody_is_similar() -> None:
    fused = gathered([(quality(0.1, Problem.TOO_DARK), None)])
    assert (fused.embedding, fused.similarity(ADA), fused.count) == (None, -1, 0)
    fused.add(quality(), ADA, 1.0)
    assert fused.similarity(BEN) == pytest.approx(float(ADA @ BEN), abs=1e-6)


def faces_of(vector: Vector, count: int, seed: int, likeness: float = 0.95, score: float = 0.8) -> list[Look]:
    return [(quality(score), alike(vector, likeness, seed=seed + n)) for n in range(count)]


def test_faces_that_look_alike_are_one_group() -> None:
    fused = gathered(faces_of(ADA, 8, 100))
    [group] = fused.groups(3)
    assert (group.count, group.embedding @ ADA > 0.95) == (8, True)


def test_covered_faces_do_not_drag_good_ones_down() -> None:
    covered = alike(ADA, 0.5, seed=77)
    fused = gathered(faces_of(covered, 20, 100, score=0.96) + faces_of(ADA, 4, 200))
    everybody, *groups = fused.groups(3)
    assert everybody.count == 24
    assert float(everybody.embedding @ ADA) < 0.8
    assert sorted(group.count for group in groups) == [4, 20]
    assert max(float(group.embedding @ ADA) for group in groups) > 0.95


def test_a_group_too_small_to_name_anybody_is_no_probe() -> None:
    fused = gathered(faces_of(ADA, 6, 100) + faces_of(BEN, 2, 200))
    assert len(fused.groups(2)) == 3
    assert [group.count for group in fused.groups(3)] == [8, 6]
    assert FusedFaces().groups(1) == []


def test_a_long_visit_keeps_its_sum_and_its_kinds_of_faces() -> None:
    few = faces_of(BEN, 3, 500)
    many = faces_of(ADA, 4 * KEPT, 100)
    fused = gathered([*few, *many])
    total = sum((e * np.float32(q.score) for q, e in [*few, *many] if e is not None), np.zeros_like(ADA))
    assert fused.count == 4 * KEPT + 3
    assert fused.embedding == pytest.approx(total / np.linalg.norm(total), abs=1e-4)
    assert max(float(group.embedding @ BEN) for group in fused.groups(3)) > 0.9, "three odd ones are not lost"


def at_degrees(*angles: float) -> list[Look]:
    """Equally good faces in one plane, at these angles to each other."""
    radians = np.deg2rad(angles)
    rows = np.zeros((len(angles), 8), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(radians), np.sin(radians)
    return [(quality(0.8), row) for row in rows]


def test_faces_that_change_little_by_little_are_one_group() -> None:
    # The outermost differ by more than COHERENT allows, the means of the two halves do not.
    assert len(gathered(at_degrees(0, 10, 20, 30, 40, 50)).groups(1)) == 1
    assert len(gathered(at_degrees(0, 10, 20, 80, 90, 100)).groups(1)) == 3


def test_a_face_between_two_groups_goes_to_the_nearer_mean() -> None:
    # The outermost faces, at -40 and 60 degrees, have their middle at 10; the means of the groups have theirs at 23.
    groups = gathered(at_degrees(-40, 0, 0, 0, 0, 20, 60, 60, 60, 60, 60, 60, 60)).groups(1)
    assert sorted(group.count for group in groups[1:]) == [6, 7]


def test_at_most_32_embeddings_are_kept_and_none_is_lost() -> None:
    # The corners of a simplex: every two of them are less alike than a right angle.
    corners = np.eye(33, dtype=np.float32) - np.float32(1 / 33)
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    faces = FusedFaces()
    for n, corner in enumerate(corners, 1):
        faces.add(quality(0.5 + n / 100), corner, float(n))
        assert (faces.count, len(faces._sums)) == (n, min(n, 32))
    expected = (corners * (0.5 + np.arange(1, 34)[:, None] / 100)).sum(0)
    assert faces.embedding == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_one_infrared_face_makes_a_visit_infrared() -> None:
    # Stricter thresholds hold at night, so that one such face is enough.
    day, night = quality(0.8), replace(quality(0.8), infrared=True)
    assert not gathered([(day, ADA), (day, ADA)]).infrared
    assert gathered([(night, ADA), (day, ADA)]).infrared
    assert gathered([(day, ADA), (night, ADA)]).infrared
    for first, second in ((day, night), (night, day), (day, day)):
        visit = gathered([(first, ADA)])
        visit.absorb(gathered([(second, ADA)]))
        assert visit.infrared == (night in {first, second})
