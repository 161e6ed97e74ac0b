"""The pictures that an embedder is trained with: aligned crops by person, some people held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.faces import FaceFinder
from converter.files import replacing
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.faces import align
from edge.models.card import InputSpec
from edge.records import Image
from edge.terminal import progress

LEAST_PEOPLE = 2
"""The fewest people that can be told apart, in training and among those held out."""
LEAST_PICTURES = 2

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Crops and whose they are."""

    pixels: Pixels
    """(n, side, side, channels), in the order of colours that the network takes."""
    person: Numbers
    """(n,) index into `people`."""
    people: list[str]

    def of(self, chosen: Sequence[int]) -> "Dataset":
        """These people only, with new numbers from 0."""
        kept = np.isin(self.person, chosen)
        renumbered = {old: new for new, old in enumerate(chosen)}
        person = np.array([renumbered[int(p)] for p in self.person[kept]], np.int32)
        return Dataset(self.pixels[kept], person, [self.people[i] for i in chosen])


@dataclass(frozen=True, slots=True, eq=False)
class CroppedDataset:
    """A data set, and the photos that could not be used."""

    dataset: Dataset
    faceless: list[Path]
    unreadable: list[str]


def crop_all(
    pictures: dict[str, list[Path]], spec: InputSpec, template: NDArray[np.float32], store: Path
) -> CroppedDataset:
    """The central face of every picture, aligned by the box's own stages; cached in `store` (.npz).

    Photos that cannot be read or show no face are listed and left out. Raises DatasetError when nothing is left.
    """
    every = [(name, path) for name, paths in pictures.items() for path in paths]
    key = _fingerprint(every, spec, template)
    crops = _read(store, key)
    if crops is None:
        crops = _crop([path for _, path in every], spec, template)
        _write(store, key, crops)
    if not crops.files:
        raise DatasetError(f"no face in any of {len(every)} pictures, {len(crops.unreadable)} of which cannot be read")
    names = sorted({every[i][0] for i in crops.files})
    number = {name: i for i, name in enumerate(names)}
    person = np.array([number[every[i][0]] for i in crops.files], np.int32)
    without = set(range(len(every))) - set(crops.files) - set(crops.unreadable)
    dataset = Dataset(crops.pixels, person, names)
    return CroppedDataset(dataset, [every[i][1] for i in sorted(without)], list(crops.unreadable.values()))


def split(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """(training set, held out): no person is in both; people with a single picture are in neither.

    Raises DatasetError when there are too few people for that.
    """
    counts = np.bincount(dataset.person, minlength=len(dataset.people))
    several = np.flatnonzero(counts >= LEAST_PICTURES)
    if len(several) < 2 * LEAST_PEOPLE:
        raise DatasetError(
            f"{len(several)} people have {LEAST_PICTURES} pictures with a face or more; {2 * LEAST_PEOPLE} are needed "
            "to train on some and to be judged by the others"
        )
    shuffled = np.random.default_rng(seed).permutation(several)
    held = int(np.clip(round(share * len(several)), LEAST_PEOPLE, len(several) - LEAST_PEOPLE))
    return dataset.of(sorted(shuffled[held:].tolist())), dataset.of(sorted(shuffled[:held].tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class _Crops:
    """The crops from a list of files."""

    pixels: Pixels
    files: list[int]
    """The file of each crop, by its place in the list."""
    unreadable: dict[int, str]


def _crop(files: Sequence[Path], spec: InputSpec, template: NDArray[np.float32]) -> _Crops:
    finder = FaceFinder()
    crops: dict[int, Image] = {}
    unreadable: dict[int, str] = {}
    for number, file in enumerate(progress(files, "faces")):
        try:
            face = finder.central(shrunk(read_photo(file)))
        except PhotoError as error:
            unreadable[number] = str(error)
            continue
        if face:
            crops[number] = _coloured(align.crop(face.image, face.five, template, spec.shape[1]), spec.channels)
    pixels = np.stack(list(crops.values())) if crops else np.zeros((0, *spec.shape[1:]), np.uint8)
    return _Crops(pixels, list(crops), unreadable)


def _coloured(crop: Image, channels: str) -> Pixels:
    if channels == "grey":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None], np.uint8)
    return crop[..., ::-1] if channels == "rgb" else crop


def _fingerprint(every: Sequence[tuple[str, Path]], spec: InputSpec, template: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(f"{spec.shape} {spec.channels}".encode() + template.tobytes())
    for name, path in every:
        stat = path.stat()
        digest.update(f"{name}\0{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _read(store: Path, key: str) -> _Crops | None:
    """The cached crops; None: there are none, they are of other pictures, or the file was cut off."""
    try:
        with np.load(store, allow_pickle=False) as kept:
            if str(kept["key"]) != key:
                return None
            unreadable = dict(zip(kept["unreadable_at"].tolist(), kept["unreadable"].tolist(), strict=True))
            return _Crops(kept["pixels"], kept["seen"].tolist(), unreadable)
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _write(store: Path, key: str, crops: _Crops) -> None:
    with replacing(store) as part:
        np.savez(
            part,
            key=np.array(key),
            pixels=crops.pixels,
            seen=np.array(crops.files, np.int64),
            unreadable_at=np.array(list(crops.unreadable), np.int64),
            unreadable=np.array(list(crops.unreadable.values()), dtype=np.str_),
        )
