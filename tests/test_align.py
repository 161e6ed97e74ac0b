"""The similarity transform, and that a crop has its points on the template."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.faces.align import crop, similarity_transform
from edge.models import card
from edge.records import Landmarks, Pose
from support.networks import embedder

TEMPLATE = np.array(card.read_card(card.find("mobilefacenet")).alignment, np.float32)


def similarity(scale: float, degrees: float, dx: float, dy: float) -> np.ndarray:
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    return np.array([[cos, -sin, dx], [sin, cos, dy]])


@settings(deadline=None)
@given(st.floats(0.05, 20), st.floats(-180, 180), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_a_similarity_is_recovered(scale: float, degrees: float, dx: float, dy: float) -> None:
    wanted = similarity(scale, degrees, dx, dy)
    source = TEMPLATE.astype(np.float64)

    found = similarity_transform(source, source @ wanted[:, :2].T + wanted[:, 2])

    assert np.allclose(found, wanted, rtol=1e-6, atol=1e-5)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_no_other_similarity_comes_nearer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    source, target = generator.normal(0, 30, (5, 2)), generator.normal(50, 30, (5, 2))

    def error(matrix: np.ndarray) -> float:
        return float(((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())

    best = similarity_transform(source, target)
    assert np.isclose(best[0, 0], best[1, 1])
    assert np.isclose(best[0, 1], -best[1, 0])
    for _ in range(20):
        other = similarity(1 + generator.normal(0, 0.05), generator.normal(0, 5), *generator.normal(0, 2, 2))
        combined = np.column_stack([other[:, :2] @ best[:, :2], other[:, :2] @ best[:, 2] + other[:, 2]])
        assert error(best) <= error(combined) + 1e-6


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = TEMPLATE * [-1, 1]

    assert np.linalg.det(similarity_transform(mirrored, TEMPLATE)[:, :2]) > 0


def test_points_of_a_turned_small_face_land_on_the_template() -> None:
    placed = similarity(1.7, 24, 180, 60)
    five = (TEMPLATE @ placed[:, :2].T + placed[:, 2]).astype(np.float32)
    image = np.zeros((480, 640, 3), np.uint8)
    for x, y in five.round().astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255

    aligned = crop(image, five, TEMPLATE, 112)

    assert aligned.shape == (112, 112, 3)
    bright = np.argwhere(aligned[..., 0] > 128)[:, ::-1]
    for point in TEMPLATE:
        near = bright[np.linalg.norm(bright - point, axis=1) < 5]
        assert np.linalg.norm(near.mean(0) - point) < 0.8


def test_a_face_beyond_the_border_is_black_there() -> None:
    five = TEMPLATE - [60, 0]
    seen = Landmarks(np.zeros((468, 3), np.float32), five.astype(np.float32), 1.0, Pose(0, 0, 0))

    aligned = embedder().crop(np.full((112, 112, 3), 200, np.uint8), seen)

    assert (aligned[20:90, :55] == 0).all()
    assert (aligned[20:90, 65:] == 200).all()
