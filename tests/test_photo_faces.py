"""What counts as a face of a photo, how faces are numbered, and how their places are described."""

from dataclasses import replace

import numpy as np
import pytest

from edge.faces import photo_faces
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.photo_faces import Refusal, read_faces
from edge.records import Box, Image, Problem
from support.faces import HEIGHT, WIDTH, analysed, face, photo
from support.people import somebody
from support.portraits import analyser

PICTURE: Image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


class NoDetector:
    def detect(self, image: Image) -> list[object]:
        return []


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[AnalysedFace]:
    """What the analyser sees in any picture."""
    found: list[AnalysedFace] = []

    def portraits(_: Analyser, __: Image) -> list[AnalysedFace]:
        return found

    monkeypatch.setattr(photo_faces, "all_portraits", portraits)
    return found


def read() -> list[AnalysedFace]:
    return list(read_faces(replace(analyser(), detector=NoDetector()), PICTURE).faces)


def not_a_face(x: float, side: float) -> AnalysedFace:
    return analysed(Box(x, 100, x + side, 100 + side), None, problem=Problem.NOT_A_FACE)


def test_faces_are_numbered_from_left_to_right(seen: list[AnalysedFace]) -> None:
    right, left = face(900, 200, somebody(1)), face(100, 80, somebody(2))
    seen += [right, left]
    assert read() == [left, right]


def test_a_large_profile_counts_beside_a_face_and_a_small_one_does_not(seen: list[AnalysedFace]) -> None:
    """Somebody in the background must not be taken for the person, whose profile is hardly a face."""
    background, profile, speck = face(900, 100, somebody(1)), not_a_face(300, 51), not_a_face(600, 49)
    seen += [background, profile, speck]
    assert read() == [profile, background]


def test_without_a_face_the_best_of_what_is_hardly_one_says_why(seen: list[AnalysedFace]) -> None:
    profile = not_a_face(300, 100)
    seen += [profile, not_a_face(600, 40)]
    assert read() == [profile]
    seen.clear()
    with pytest.raises(Refusal, match="no face found"):
        read()


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (100, 100, "at the top left"),
        (600, 400, "at the centre"),
        (1150, 790, "at the bottom right"),
        (-5, 400, "at the left"),
        (WIDTH, HEIGHT, "at the bottom right"),
    ],
)
def test_a_place_is_given_in_thirds(x: float, y: float, place: str) -> None:
    shown = photo(face(x, 80, somebody(1), y))
    assert shown.listed() == f"1: 80 px wide, {place}"
