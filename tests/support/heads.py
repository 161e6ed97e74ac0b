"""Meshes of a head that turns, and of pictures of one that are turned, bent or exchanged."""

import functools

import numpy as np
from numpy.typing import NDArray

from edge.faces.landmarks import describe
from edge.records import Landmarks
from support.portraits import COLLINS, analyser, read_picture

Mesh = NDArray[np.float32]


@functools.cache
def head() -> Mesh:
    """The mesh (468, 3) of a portrait, turned to face the camera, around the origin and 100 px high."""
    image = read_picture(COLLINS)
    face = max(analyser().detector.detect(image), key=lambda found: found.box.area_px)
    landmarks = analyser().look(image, face).landmarks
    mesh = landmarks.mesh - landmarks.mesh.mean(0)
    mesh = mesh * (100 / np.ptp(mesh[:, 1]))
    return np.asarray(rotation(-landmarks.pose.yaw) @ mesh.T, np.float32).T


def rotation(yaw_deg: float, pitch_deg: float = 0.0) -> NDArray[np.float64]:
    """(3, 3); a positive yaw turns towards the image's right, a positive pitch downwards."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    about_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return np.asarray(about_y @ about_x, np.float64)


def seen(points: NDArray[np.float64], depth: NDArray[np.float64], rng: np.random.Generator, noise: float) -> Mesh:
    """Points (468, 3) as a camera five heads away sees them; `depth` (468,) is what a network would add."""
    scale = 500 / (500 + points[:, 2:])
    flat = points[:, :2] * scale + rng.normal(0, noise, (len(points), 2))
    return np.column_stack([flat + 300, depth]).astype(np.float32)


def turned_head(yaw_deg: float, pitch_deg: float = 0.0, *, seed: int = 0, noise: float = 0.4) -> Landmarks:
    """A head that is turned."""
    points = (rotation(yaw_deg, pitch_deg) @ head().T).T
    return describe(seen(points, points[:, 2], np.random.default_rng(seed), noise), 1.0)


def turned_picture(
    yaw_deg: float, pitch_deg: float = 0.0, *, of: float = 0.0, bend: float = 0.0, seed: int = 0, noise: float = 0.4
) -> Landmarks:
    """A picture that is turned; it shows a head turned by `of`, and is bent about an upright axis.

    `bend` is the depth of the bend in widths of the picture: 0.3 is half a tube. The network still imagines the depth
    of the head that the picture shows.
    """
    shown = (rotation(of) @ head().T).T
    width = np.ptp(shown[:, 0])
    paper = np.column_stack([shown[:, :2], bend * 4 * shown[:, 0] ** 2 / width])
    points = (rotation(yaw_deg, pitch_deg) @ paper.T).T
    return describe(seen(points, shown[:, 2], np.random.default_rng(seed), noise), 1.0)
