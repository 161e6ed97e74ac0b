"""Detection only where faces were a moment ago: a small network on small regions instead of the whole picture."""

from collections.abc import Sequence
from typing import NamedTuple

from edge.faces.detect import Detector, lower_at_inner_edge, suppress_nested
from edge.records import Box, Face, Image

REGION = 3.5
"""Side of a region in face sizes: room for one step; the short-range network finds 99 % of faces of that share."""

MIN_TILE_SCORE = 0.7
"""Small parts of walls and bushes look like faces more often: below this score a third of detections are false."""


class Window(NamedTuple):
    """A part of a picture, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


class RoiDetector:
    """Finds faces in small parts of a picture: again where they were, or for the first time."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, image: Image, places: list[Box]) -> list[Face]:
        """Return the faces around the places where they are expected, in pixels of the picture, best first."""
        height, width = image.shape[:2]
        faces = []
        for window in windows(places, width, height):
            part = image[window.top : window.bottom, window.left : window.right]
            faces += [face.moved(window.left, window.top) for face in self._detector.detect(part)]
        return suppress_nested(faces)

    def search(self, image: Image, parts: Sequence[Window]) -> list[Face]:
        """Return the faces in some parts of a picture, in pixels of the picture, best first.

        Faces that are cut by a part's edge have a lower score.
        """
        height, width = image.shape[:2]
        faces = []
        for part in parts:
            found = self._detector.detect(image[part.top : part.bottom, part.left : part.right])
            placed = (face.moved(part.left, part.top) for face in found)
            faces += [lower_at_inner_edge(face, part, width, height) for face in placed]
        return suppress_nested([face for face in faces if face.score >= MIN_TILE_SCORE])


def windows(places: list[Box], width: int, height: int) -> list[Window]:
    """Return a square around each place, inside the picture; none for a place well inside another one's square."""
    found: list[Window] = []
    for place in sorted(places, key=lambda box: -box.area_px):
        x, y = place.centre
        if any(_well_inside(x, y, window) for window in found):
            continue
        half = REGION * max(place.width, place.height) / 2
        window = Window(
            max(0, int(x - half)), max(0, int(y - half)), min(width, int(x + half)), min(height, int(y + half))
        )
        if window.right - window.left >= 8 and window.bottom - window.top >= 8:
            found.append(window)
    return found


def _well_inside(x: float, y: float, window: Window) -> bool:
    side = min(window.right - window.left, window.bottom - window.top)
    rim = side / 4
    return window.left + rim < x < window.right - rim and window.top + rim < y < window.bottom - rim
