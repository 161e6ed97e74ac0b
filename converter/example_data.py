"""A small data set to try commands on: photos of the four people of the bundled portraits, and the demo's clip.

The photos are variations of six portraits: cut out, tilted, relit and blurred. They show what a command does; a network
that is trained on them learns six pictures, not faces.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import edge
from converter.datasets import DatasetError
from converter.faces import PORTRAITS, FaceFinder, LocatedFace, relit
from converter.files import write_whole
from edge.capture.photos import read_photo
from edge.records import Image

CLIP = Path(edge.__file__).parent / "demo" / "clip.mp4"
LEARN, RECOGNISE = "people", "new"
SIDE_PX = 240
AROUND = 2.2
"""The width of a photo in widths of the face, as in LFW."""
JPEG_QUALITY = 90


class Portrayed(NamedTuple):
    """A person, and the portraits that their photos are made of."""

    name: str
    to_learn: Sequence[str]
    to_recognise: Sequence[str]


PEOPLE = (
    Portrayed(
        "Barack Obama",
        ("enroll/barack-obama/photo.jpg", "visit/barack-obama-2009.jpg"),
        ("visit/barack-obama-2010.jpg",),
    ),
    Portrayed("Eileen Collins", ("visit/eileen-collins.jpg",), ("visit/eileen-collins.jpg",)),
    Portrayed("Grace Hopper", ("enroll/grace-hopper/photo.jpg",), ("enroll/grace-hopper/photo.jpg",)),
    Portrayed("Joe Biden", ("enroll/joe-biden/photo.jpg",), ("enroll/joe-biden/photo.jpg",)),
)


def write_example_data(folder: Path, learn: int, recognise: int) -> None:
    """Write folder/people and folder/new, each with so many photos per person, and folder/clip.mp4.

    One command writes the same photos each time. Raises DatasetError when the folder holds anything already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DatasetError(f"{folder}: exists already; give a new folder, or delete this one first")
    try:
        _write_all(folder, learn, recognise)
    except BaseException:
        # A part of it would only be in the way of the next run.
        for made in (folder / LEARN, folder / RECOGNISE):
            shutil.rmtree(made, ignore_errors=True)
        (folder / CLIP.name).unlink(missing_ok=True)
        raise


def _write_all(folder: Path, learn: int, recognise: int) -> None:
    finder = FaceFinder()
    for number, person in enumerate(PEOPLE):
        random = np.random.default_rng(number)
        _write(folder / LEARN / person.name, _varied(_faces(finder, person.to_learn), learn, random))
        _write(folder / RECOGNISE / person.name, _varied(_faces(finder, person.to_recognise), recognise, random))
    shutil.copyfile(CLIP, folder / CLIP.name)


def _faces(finder: FaceFinder, portraits: Sequence[str]) -> list[LocatedFace]:
    found = [finder.central(read_photo(PORTRAITS / portrait)) for portrait in portraits]
    return [face for face in found if face is not None]


def _varied(faces: Sequence[LocatedFace], count: int, random: np.random.Generator) -> list[Image]:
    return [_photo(faces[i % len(faces)], random) for i in range(count)]


def _photo(face: LocatedFace, random: np.random.Generator) -> Image:
    """The face and what is around it, (SIDE_PX, SIDE_PX, 3), tilted in depth and in the plane, in other light."""
    middle, width = face.mesh[:, :2].mean(0), float(np.ptp(face.mesh[:, :2], axis=0).max())
    half = width * AROUND / 2 * np.exp(random.normal(0, 0.06))
    turn = np.deg2rad(random.normal(0, 6))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ rotation.T
    corners += random.normal(0, 0.06, corners.shape)
    source = (middle + random.normal(0, 0.05 * width, 2) + corners * half).astype(np.float32)
    target = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * SIDE_PX
    moved = cv2.warpPerspective(
        face.image,
        cv2.getPerspectiveTransform(source, target),
        (SIDE_PX, SIDE_PX),
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return relit(moved.astype(np.float32), random)


def _write(folder: Path, photos: Sequence[Image]) -> None:
    folder.mkdir(parents=True)
    for number, photo in enumerate(photos, 1):
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        write_whole(folder / f"{number:02}.jpg", cv2.imencode(".jpg", photo, quality)[1].tobytes())
