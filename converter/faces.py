"""Representative faces: found and aligned by the box's own stages, and varied when there are few."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import edge
from converter.datasets import DatasetError
from converter.embeddings import central
from edge.capture.media_files import expand
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.faces import align
from edge.faces.framing import Framing
from edge.faces.loading import load_detector, load_face_mesh
from edge.models.card import InputSpec
from edge.models.tflite import to_tensor
from edge.records import Face, Image
from edge.terminal import print_left_out

PORTRAITS = Path(edge.__file__).parent / "demo" / "portraits"
"""The bundled portraits; their licences allow passing on what is computed from them."""


@dataclass(frozen=True, slots=True, eq=False)
class LocatedFace:
    """A face in a picture."""

    image: Image
    five: NDArray[np.float32]
    """(5, 2) px: eyes, nose, mouth corners."""
    mesh: NDArray[np.float32]
    """(468, 3) px."""


@dataclass(frozen=True, slots=True, eq=False)
class RepresentativeFaces:
    """The faces found in some pictures."""

    found: list[LocatedFace]
    without: list[Path]
    """Pictures in which no face was found."""
    unreadable: list[str]
    """What is wrong with pictures that cannot be read."""


class FaceFinder:
    """The box's detector and landmarks, without an embedder."""

    def __init__(self) -> None:
        self._detector = load_detector(ModelSettings(), DetectSettings())
        self._mesh = load_face_mesh(ModelSettings())

    def every(self, image: Image) -> list[LocatedFace]:
        """All faces of a picture, best detection first."""
        return [self._located(image, face) for face in self._detector.detect(image)]

    def central(self, image: Image) -> LocatedFace | None:
        """The face nearest to the middle of a picture; None: no face was found."""
        faces = self._detector.detect(image)
        return self._located(image, central(faces, image)) if faces else None

    def _located(self, image: Image, face: Face) -> LocatedFace:
        landmarks = self._mesh.locate(image, face)
        return LocatedFace(image, landmarks.five, landmarks.mesh)


def find_faces(paths: Sequence[Path], limit: int) -> RepresentativeFaces:
    """Faces of up to `limit` pictures in files and folders, spread evenly over what there is.

    Raises DatasetError when there is no picture, or no face in any.
    """
    left_out: list[str] = []
    files = [file for file, _ in expand(paths, videos=False, left_out=left_out) if file.is_file()]
    print_left_out(left_out)
    if not files:
        raise DatasetError(f"{', '.join(map(str, paths))}: no photos found; give photos of faces, or a folder of them")
    chosen = [files[i] for i in sorted({round(i) for i in np.linspace(0, len(files) - 1, limit)})]
    finder, faces = FaceFinder(), RepresentativeFaces([], [], [])
    for file in chosen:
        try:
            image = shrunk(read_photo(file))
        except PhotoError as error:
            faces.unreadable.append(str(error))
            continue
        seen = finder.every(image)
        faces.found.extend(seen)
        if not seen:
            faces.without.append(file)
    if not faces.found:
        raise DatasetError(
            f"{', '.join(map(str, paths))}: no face in any of {len(chosen)} photos, {len(faces.unreadable)} of which "
            "cannot be read; give a folder of portraits"
        )
    return faces


def crops(faces: Sequence[LocatedFace], framing: Framing, size: int, count: int, seed: int = 0) -> list[Image]:
    """`count` crops (size, size, 3), BGR: each face as it is, then varied until there are enough."""
    plain = [framing.crop(face.image, face.five, face.mesh, size) for face in faces[:count]]
    return plain + varied(faces, framing, size, count - len(plain), seed)


def varied(faces: Sequence[LocatedFace], framing: Framing, size: int, count: int, seed: int = 0) -> list[Image]:
    """`count` variations, all faces in turn."""
    generator = np.random.default_rng(seed)
    return [_varied(faces[i % len(faces)], framing, size, generator) for i in range(count)]


def noise(size: int, count: int) -> list[Image]:
    """`count` pictures (size, size, 3) of noise, from faint to strong."""
    random = np.random.default_rng(0)
    strengths = np.linspace(10, 100, count)
    return [np.clip(random.normal(128, s, (size, size, 3)), 0, 255).astype(np.uint8) for s in strengths]


def tensors(pictures: Sequence[Image], spec: InputSpec) -> list[NDArray[np.float32]]:
    """(1, h, w, c) each, normalised as the card says."""
    return [to_tensor(picture, spec)[None] for picture in pictures]


def _varied(face: LocatedFace, framing: Framing, size: int, random: np.random.Generator) -> Image:
    """The face placed a little wrong, mirrored, in other light, out of focus, noisy: what a door camera sees."""
    template = framing.template(face.five, face.mesh, size)
    middle, unit = size / 2, size / 112
    turn = np.deg2rad(random.normal(0, 5))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    placed = (template - middle) @ rotation.T * np.exp(random.normal(0, 0.03)) + middle
    placed += random.normal(0, 1.5 * unit, 2) + random.normal(0, unit, template.shape)
    crop = align.crop(face.image, face.five, placed.astype(np.float32), size)
    crop = crop[:, ::-1] if random.random() < 0.5 else crop
    return relit(crop.astype(np.float32), random)


def relit(pixels: NDArray[np.float32], random: np.random.Generator) -> Image:
    """A picture 0..255 in other light, mostly out of focus, sometimes noisy."""
    gamma = 255 * (pixels / 255) ** np.exp(random.normal(0, 0.15))
    middle = gamma.mean()
    lit = (gamma - middle) * np.exp(random.normal(0, 0.12)) + middle * np.exp(random.normal(0, 0.1))
    lit *= np.exp(random.normal(0, 0.04, 3))
    if random.random() < 0.6:
        lit = cv2.GaussianBlur(lit, (0, 0), random.uniform(0.3, 1.5) * pixels.shape[0] / 112)
    if random.random() < 0.3:
        lit = lit + random.normal(0, random.uniform(1, 3), pixels.shape)
    relit: Image = np.clip(np.round(lit), 0, 255).astype(np.uint8)
    return relit
