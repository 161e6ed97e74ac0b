"""A plane and a head differ, however either is turned."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.liveness_fakes import turned
from edge.visits.relief import STILL, nose_offset, turn_between
from support.heads import turned_head, turned_picture
from support.portraits import HOPPER, analyser, read_picture

ANGLES = st.floats(-55, 55)


@settings(max_examples=150, deadline=None)
@given(yaw=ANGLES, pitch=st.floats(-40, 40), of=st.floats(-15, 15), seed=st.integers(0, 1000))
def test_a_picture_never_looks_solid_however_it_is_turned(yaw: float, pitch: float, of: float, seed: int) -> None:
    first, second = turned_picture(0, of=of), turned_picture(yaw, pitch, of=of, seed=seed)
    turn = turn_between(first.mesh, second.mesh)
    assert turn.relief < 0.04
    assert turn.foreshortening < 0.39 or turn.depth < 0.08


@settings(max_examples=100, deadline=None)
@given(yaw=st.one_of(st.floats(-50, -24), st.floats(24, 50)), seed=st.integers(0, 1000))
def test_a_head_that_turns_always_looks_solid(yaw: float, seed: int) -> None:
    first, second = turned_head(0), turned_head(yaw, seed=seed)
    turn = turn_between(first.mesh, second.mesh)
    assert turn.relief > 0.2 * abs(np.sin(np.radians(yaw)))
    moved = nose_offset(second.mesh) - nose_offset(first.mesh)
    assert moved * np.sign(yaw) > 0.15 * abs(np.sin(np.radians(yaw)))


@settings(max_examples=100, deadline=None)
@given(yaw=ANGLES, bend=st.floats(0, 0.3), seed=st.integers(0, 1000))
def test_the_nose_of_a_bent_picture_stays_on_its_line(yaw: float, bend: float, seed: int) -> None:
    first, second = turned_picture(0, bend=bend), turned_picture(yaw, bend=bend, seed=seed)
    assert abs(nose_offset(second.mesh) - nose_offset(first.mesh)) < 0.05


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(0.3, 3), dx=st.floats(-200, 200), dy=st.floats(-200, 200), roll=st.floats(-60, 60))
def test_moving_a_face_about_is_no_turn(scale: float, dx: float, dy: float, roll: float) -> None:
    first = turned_head(0).mesh[:, :2]
    cos, sin = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    moved = scale * first @ np.array([[cos, sin], [-sin, cos]]) + [dx, dy]
    turn = turn_between(first, moved.astype(np.float32))
    assert turn.foreshortening < 0.02
    assert turn.relief < 0.001


def test_points_without_extent_are_no_turn() -> None:
    point = np.zeros((468, 2), np.float32)
    assert turn_between(point, point) == STILL
    assert nose_offset(point) == 0


@pytest.mark.parametrize("yaw", [-50, -40, -30, 30, 40, 50])
def test_a_real_print_looks_flat_to_the_landmark_network(yaw: int) -> None:
    """It imagines a head everywhere, but not one that is turned."""
    photo = read_picture(HOPPER)
    height, width = photo.shape[:2]
    tilted = cv2.warpPerspective(photo, turned((width, height), yaw), (width, height), borderValue=(90, 90, 90))
    meshes = []
    for image in (photo, np.asarray(tilted, np.uint8)):
        face = max(analyser().detector.detect(image), key=lambda found: found.box.area_px)
        meshes.append(analyser().look(image, face).landmarks)
    assert abs(meshes[1].pose.yaw - meshes[0].pose.yaw) < 15
    assert turn_between(meshes[0].mesh, meshes[1].mesh).depth < 0.2
