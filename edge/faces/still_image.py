"""Every face of a still picture, close-ups included."""

from dataclasses import replace

import cv2
import numpy as np

from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.quality import assess
from edge.records import Face, Image, Landmarks, read_only

BORDER = 0.5
"""Of each side: brings a face that fills the picture down to a size that the detector knows."""


def all_portraits(analyser: Analyser, image: Image) -> list[AnalysedFace]:
    """Every face of a BGR picture, best detection first; the usable ones are embedded.

    A face cropped so tightly that the detector misses it is found once there is something around it.
    """
    return analyser.portraits(image) or _closeups(analyser, image)


def _closeups(analyser: Analyser, image: Image) -> list[AnalysedFace]:
    across, down = round(image.shape[1] * BORDER), round(image.shape[0] * BORDER)
    framed = np.asarray(cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_CONSTANT), np.uint8)
    found = [analyser.look(framed, face) for face in analyser.detector.detect(framed)]
    moved = [_moved(portrait, image, -across, -down, analyser) for portrait in found]
    return [analyser.embed(portrait) if portrait.quality.usable else portrait for portrait in moved]


def _moved(portrait: AnalysedFace, image: Image, dx: int, dy: int, analyser: Analyser) -> AnalysedFace:
    """The portrait in pixels of `image`, judged by them too: what lies in the border is cut off."""
    shift = np.array([dx, dy, 0], np.float32)
    face, marks = portrait.face, portrait.landmarks
    landmarks = Landmarks(read_only(marks.mesh + shift), read_only(marks.five + shift[:2]), marks.presence, marks.pose)
    placed = Face(face.box.moved(dx, dy), face.score, face.keypoints + shift[:2])
    quality = assess(image, landmarks, analyser.limits)
    return replace(portrait, face=placed, landmarks=landmarks, quality=quality)
