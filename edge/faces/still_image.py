"""Every face of a still picture, including close-ups, each once."""

from dataclasses import replace

import cv2
import numpy as np

from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.quality import assess
from edge.records import Face, Image, Landmarks, read_only

BORDER = 0.5
"""Fraction of each side to add: shrinks a face that fills the picture to a size that the detector knows."""
SAME_POINTS = 0.5
"""Eye distances between the points of two detections of one face, at most.

On close crops of lfw-dev they were at most 0.25 for one face found twice, and at least 1.66 for two faces.
"""


def all_portraits(analyser: Analyser, image: Image) -> list[AnalysedFace]:
    """Analyse every face of a BGR picture, best detection first; the usable ones are embedded.

    A face cropped so tightly that the detector misses it is found with a border added.
    """
    return each_once(analyser.portraits(image) or _closeups(analyser, image))


def each_once(portraits: list[AnalysedFace]) -> list[AnalysedFace]:
    """Leave out detections whose landmarks are those of a better one: one face, found twice."""
    kept: list[AnalysedFace] = []
    for portrait in portraits:
        if not any(_same_points(portrait.landmarks, other.landmarks) for other in kept):
            kept.append(portrait)
    return kept


def _same_points(one: Landmarks, other: Landmarks) -> bool:
    eyes = max(float(np.linalg.norm(marks.five[1] - marks.five[0])) for marks in (one, other))
    apart = float(np.linalg.norm(one.five - other.five, axis=1).mean())
    return apart <= SAME_POINTS * eyes


def _closeups(analyser: Analyser, image: Image) -> list[AnalysedFace]:
    across, down = round(image.shape[1] * BORDER), round(image.shape[0] * BORDER)
    framed = np.asarray(cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT), np.uint8)
    found = [analyser.look(framed, face) for face in analyser.detector.detect(framed)]
    moved = [_moved(portrait, image, -across, -down, analyser) for portrait in found]
    return [analyser.embed(portrait) if portrait.quality.usable else portrait for portrait in moved]


def _moved(portrait: AnalysedFace, image: Image, dx: int, dy: int, analyser: Analyser) -> AnalysedFace:
    """Move the portrait to pixels of `image` and assess it again: what lies in the border is cut off."""
    shift = np.array([dx, dy, 0], np.float32)
    face, marks = portrait.face, portrait.landmarks
    landmarks = Landmarks(read_only(marks.mesh + shift), read_only(marks.five + shift[:2]), marks.presence, marks.pose)
    placed = Face(face.box.moved(dx, dy), face.score, face.keypoints + shift[:2])
    quality = assess(image, landmarks, analyser.limits)
    return replace(portrait, face=placed, landmarks=landmarks, quality=quality)
