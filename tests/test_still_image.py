"""Each face of a still picture is reported once, however close it was cropped."""

import numpy as np
import pytest

from converter.embeddings import central
from edge.faces.photo_faces import read_faces
from edge.faces.still_image import each_once
from edge.records import Box
from support.data_sets import data_set
from support.faces import analysed
from support.people import somebody
from support.portraits import analyser, read_picture


def test_two_boxes_with_the_same_landmarks_are_one_face() -> None:
    whole = analysed(Box(100, 100, 180, 180), somebody(1))
    half = analysed(Box(110, 106, 186, 182), somebody(1))
    neighbour = analysed(Box(190, 100, 270, 180), somebody(2))
    assert each_once([whole, half, neighbour]) == [whole, neighbour]
    assert each_once([half, whole, neighbour]) == [half, neighbour], "the better detection comes first, and stays"


TWICE = {
    "Ron_Gonzales": 1.15,
    "Azra_Akin": 1.0,
    "Carin_Koch": 0.9,
    "Brian_Grazier": 1.0,
    "Jennifer_Garner": 0.9,
    "Fatmir_Limaj": 1.15,
}
"""Person -> a crop, in widths of the detector's box, in which it finds the one face as two boxes."""


@pytest.mark.parametrize("person", TWICE)
def test_a_close_crop_of_one_face_shows_one_face(person: str) -> None:
    picture = read_picture(data_set("lfw-dev") / "images" / person / f"{person}_0001.jpg")
    assert len(read_faces(analyser(), _cut(picture, TWICE[person])).faces) == 1


def _cut(picture: np.ndarray, factor: float) -> np.ndarray:
    box = central(analyser().detector.detect(picture), picture).box
    (x, y), half = box.centre, box.width * factor / 2
    left, top = max(0, int(x - half)), max(0, int(y - half))
    return np.ascontiguousarray(picture[top : int(y + half), left : int(x + half)])


def test_a_bystander_is_another_face() -> None:
    picture = read_picture(data_set("lfw-dev") / "images" / "Roberto_Tovar" / "Roberto_Tovar_0001.jpg")
    assert len(read_faces(analyser(), _cut(picture, 2.0)).faces) == 2
