"""Analysed faces made of a box and a vector, for tests of choices that need no picture."""

import numpy as np

from edge.faces.analyser import AnalysedFace
from edge.faces.photo_faces import PhotoFaces
from edge.records import Box, Face, Landmarks, Pose, Problem, Quality, Vector

WIDTH, HEIGHT = 1200, 800
POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def analysed(
    box: Box,
    vector: Vector | None,
    *,
    pose: Pose | None = None,
    brightness: float = 120.0,
    problem: Problem | None = None,
) -> AnalysedFace:
    """A face of that box; without a vector, one that cannot be used."""
    turned = pose or Pose(0, 0, 0)
    five = POINTS * np.array([box.width, box.height], np.float32) + np.array([box.left, box.top], np.float32)
    found = problem or (None if vector is not None else Problem.TOO_BLURRED)
    return AnalysedFace(
        Face(box, 0.9, np.zeros((6, 2), np.float32)),
        Landmarks(np.zeros((468, 3), np.float32), five, 1.0, turned),
        np.zeros((112, 112, 3), np.uint8),
        Quality(0.8, box.width * 0.4, 50, brightness, turned, 1.0, found),
        vector,
    )


def face(x: float, side: float, vector: Vector | None, y: float = HEIGHT / 2) -> AnalysedFace:
    """A face centred at (x, y)."""
    return analysed(Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2), vector)


def photo(*faces: AnalysedFace) -> PhotoFaces:
    """A photo with these faces, numbered from left to right."""
    return PhotoFaces(tuple(sorted(faces, key=lambda f: f.face.box.centre)), WIDTH, HEIGHT)
