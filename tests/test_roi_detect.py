"""Detection only where faces were."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.config.faces import DetectSettings, QualitySettings
from edge.config.sections import ModelSettings
from edge.demo.box import PORTRAITS
from edge.faces.loading import load_analyser
from edge.faces.roi_detect import windows
from edge.records import Box


def test_it_finds_again_what_the_whole_look_found_in_the_same_place() -> None:
    analyser = load_analyser(ModelSettings(), DetectSettings(), QualitySettings())
    assert analyser.near is not None
    picture = np.full((480, 640, 3), 90, np.uint8)
    for x, person in ((40, "barack-obama"), (380, "joe-biden")):
        portrait = cv2.imread(str(next((PORTRAITS / person).glob("*.jpg"))))
        assert portrait is not None
        picture[100:340, x : x + 200] = cv2.resize(portrait, (200, 240), interpolation=cv2.INTER_AREA)
    whole = sorted(analyser.detector.detect(picture), key=lambda face: face.box.left)
    near = sorted(analyser.near.detect(picture, [face.box.moved(9, -6) for face in whole]), key=lambda f: f.box.left)
    assert len(whole) == len(near) == 2
    for a, b in zip(whole, near, strict=True):
        assert a.box.iou(b.box) > 0.6


coordinates = st.floats(-200, 900)
sizes = st.floats(1, 300)


@given(st.lists(st.builds(lambda x, y, s: Box(x, y, x + s, y + s), coordinates, coordinates, sizes), max_size=6))
def test_windows_lie_in_the_picture_and_cover_every_place_in_it(places: list[Box]) -> None:
    found = windows(places, 640, 480)
    assert len(found) <= len(places)
    for window in found:
        assert 0 <= window.left < window.right <= 640
        assert 0 <= window.top < window.bottom <= 480
    for place in places:
        x, y = place.centre
        if 10 < x < 630 and 10 < y < 470 and place.width > 10:
            assert any(w.left <= x <= w.right and w.top <= y <= w.bottom for w in found)


def test_two_people_side_by_side_share_a_window() -> None:
    assert len(windows([Box(100, 100, 160, 160), Box(150, 100, 210, 160)], 640, 480)) == 1
    assert len(windows([Box(100, 100, 160, 160), Box(450, 100, 510, 160)], 640, 480)) == 2
