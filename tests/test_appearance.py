"""A glance at the pixels of a face says whether a close look is due."""

import cv2
import numpy as np

from edge.faces.appearance import AppearanceWatch, thumbnail
from edge.records import Box, Image

BOX = Box(40, 30, 140, 150)


def picture(seed: int, light: float = 1.0, shift: int = 0) -> Image:
    """Something with structure, the same for the same seed."""
    coarse = np.random.default_rng(seed).uniform(20, 200, (8, 8, 3)).astype(np.float32)
    image = cv2.resize(coarse, (200, 180), interpolation=cv2.INTER_CUBIC) * light
    return np.asarray(np.roll(image.clip(0, 255), shift, axis=1), np.uint8)


def test_the_same_face_has_not_changed_whatever_the_light_and_a_small_step() -> None:
    watch = AppearanceWatch()
    assert watch.changed(picture(1), {7: BOX}) == set()
    assert watch.changed(picture(1, light=0.5), {7: BOX}) == set()
    assert watch.changed(picture(1, light=0.5, shift=2), {7: BOX}) == set()


def test_another_face_in_the_same_place_has_changed_once() -> None:
    watch = AppearanceWatch()
    watch.changed(picture(1), {7: BOX, 8: BOX.moved(50, 0)})
    assert watch.changed(picture(2), {7: BOX}) == {7}
    assert watch.changed(picture(2), {7: BOX}) == set()


def test_a_new_track_has_not_changed() -> None:
    watch = AppearanceWatch()
    watch.changed(picture(1), {7: BOX})
    assert watch.changed(picture(2), {9: BOX}) == set()


def test_any_box_gives_a_finite_thumbnail() -> None:
    image = picture(3)
    boxes = [Box(-50, -50, 10, 10), Box(195, 170, 400, 400), Box(20, 20, 20, 20), Box(500, 500, 600, 600)]
    assert all(np.isfinite(thumbnail(image, box)).all() for box in boxes)
    assert np.isfinite(thumbnail(np.full((50, 50, 3), 9, np.uint8), Box(0, 0, 50, 50))).all()
