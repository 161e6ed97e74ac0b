"""The pictures that an embedder is trained with: aligned crops by person, split by person into three sets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.faces import FaceFinder
from converter.files import replacing, write_whole
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.faces import align
from edge.models.card import InputSpec
from edge.records import Image
from edge.terminal import progress

LEAST_PEOPLE = 2
"""The fewest people that can be told apart, in each set."""
LEAST_PICTURES = 2
STORE, INDEX = "crops.npy", "crops.json"

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.int32]


class Dataset:
    """Crops and whose they are. The crops stay on disk; a batch of them is read at a time."""

    def __init__(self, store: Pixels, rows: NDArray[np.int64], person: Numbers, people: list[str]) -> None:
        """`store` (m, side, side, channels) has the colours in the network's order, and may be mapped from a file.

        `rows` (n,): the crops of this set; `person` (n,): an index into `people` for each of them.
        """
        self._store, self._rows = store, rows
        self.person, self.people = person, people
        self._order = np.argsort(person, kind="stable").astype(np.int32)
        self._ends = np.searchsorted(person[self._order], np.arange(len(people) + 1))

    def __len__(self) -> int:
        """How many crops it has."""
        return len(self._rows)

    def pixels(self, chosen: NDArray[np.integer]) -> Pixels:
        """The crops with these numbers, read into memory."""
        return np.asarray(self._store[self._rows[chosen]])

    def own(self, person: int) -> Numbers:
        """The numbers of a person's crops."""
        return self._order[self._ends[person] : self._ends[person + 1]]

    def of(self, chosen: Sequence[int]) -> "Dataset":
        """These people only, with new numbers from 0."""
        kept = np.isin(self.person, chosen)
        renumbered = {old: new for new, old in enumerate(chosen)}
        person = np.array([renumbered[int(p)] for p in self.person[kept]], np.int32)
        return Dataset(self._store, self._rows[kept], person, [self.people[i] for i in chosen])


@dataclass(frozen=True, slots=True, eq=False)
class CroppedDataset:
    """A data set, and the photos that could not be used."""

    dataset: Dataset
    digest: str
    """The SHA-256 of all crops, shortened."""
    faceless: list[Path]
    unreadable: list[str]


class DataSplit(NamedTuple):
    """No person is in more than one of the sets."""

    training: Dataset
    validation: Dataset
    """Chooses the best epoch and the learning rate."""
    test: Dataset | None
    """Chooses nothing."""


class _Index(msgspec.Struct, frozen=True):
    """What the crops in a store are of."""

    key: str
    digest: str
    seen: list[int]
    """The files that show a face, by their place in the list. The store has a row for every file."""
    unreadable: dict[int, str]


def crop_all(
    pictures: dict[str, list[Path]], spec: InputSpec, template: NDArray[np.float32], folder: Path
) -> CroppedDataset:
    """The central face of every picture, aligned by the box's own stages; cached in `folder`.

    Photos that cannot be read or show no face are listed and left out. Raises DatasetError when nothing is left.
    """
    every = [(name, path) for name, paths in pictures.items() for path in paths]
    key = _fingerprint(every, spec, template)
    index = _read(folder / INDEX, key) or _crop([path for _, path in every], spec, template, folder, key)
    if not index.seen:
        raise DatasetError(f"no face in any of {len(every)} pictures, {len(index.unreadable)} of which cannot be read")
    names = sorted({every[i][0] for i in index.seen})
    number = {name: i for i, name in enumerate(names)}
    person = np.array([number[every[i][0]] for i in index.seen], np.int32)
    without = set(range(len(every))) - set(index.seen) - set(index.unreadable)
    store = np.load(folder / STORE, mmap_mode="r", allow_pickle=False)
    dataset = Dataset(store, np.array(index.seen, np.int64), person, names)
    unreadable = list(index.unreadable.values())
    return CroppedDataset(dataset, index.digest, [every[i][1] for i in sorted(without)], unreadable)


def split(dataset: Dataset, validation: float, test: float, seed: int) -> DataSplit:
    """Share out the people at random; those with a single picture are in no set. `test` 0: there is no test set.

    Raises DatasetError when there are too few people for that.
    """
    counts = np.bincount(dataset.person, minlength=len(dataset.people))
    several = np.flatnonzero(counts >= LEAST_PICTURES)
    needed = LEAST_PEOPLE * (3 if test else 2)
    if len(several) < needed:
        less = f"; with --test 0, {2 * LEAST_PEOPLE} are enough" if test else ""
        raise DatasetError(
            f"{len(several)} people have {LEAST_PICTURES} pictures with a face or more; {needed} are needed to train "
            f"on some and to judge by the others{less}"
        )
    shuffled = np.random.default_rng(seed).permutation(several)
    tested = int(np.clip(round(test * len(several)), LEAST_PEOPLE, len(several) - 2 * LEAST_PEOPLE)) if test else 0
    most = len(several) - tested - LEAST_PEOPLE
    held = tested + int(np.clip(round(validation * len(several)), LEAST_PEOPLE, most))
    parts = (shuffled[held:], shuffled[tested:held], shuffled[:tested])
    training, validating, testing = (dataset.of(sorted(part.tolist())) for part in parts)
    return DataSplit(training, validating, testing if tested else None)


def _crop(files: Sequence[Path], spec: InputSpec, template: NDArray[np.float32], folder: Path, key: str) -> _Index:
    """Write the crop of every file to the store, blank where there is none, one after the other.

    Not through a memory map: with a full disk, that ends the process instead of raising OSError.
    """
    finder, digest = FaceFinder(), hashlib.sha256()
    seen: list[int] = []
    unreadable: dict[int, str] = {}
    blank = np.zeros(spec.shape[1:], np.uint8)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *spec.shape[1:])}
    with replacing(folder / STORE) as part:
        with part.open("wb") as store:
            np.lib.format.write_array_header_1_0(store, header)
            for number, file in enumerate(progress(files, "faces")):
                crop = None
                try:
                    face = finder.central(shrunk(read_photo(file)))
                    crop = align.crop(face.image, face.five, template, spec.shape[1]) if face else None
                except PhotoError as error:
                    unreadable[number] = str(error)
                if crop is not None:
                    seen.append(number)
                raw = (blank if crop is None else _coloured(crop, spec.channels)).tobytes()
                digest.update(raw)
                store.write(raw)
        # An index never describes another store.
        (folder / INDEX).unlink(missing_ok=True)
    index = _Index(key, digest.hexdigest()[:16], seen, unreadable)
    write_whole(folder / INDEX, msgspec.json.encode(index))
    return index


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


def _read(path: Path, key: str) -> _Index | None:
    """The index of cached crops; None: there are none, or they are of other pictures."""
    try:
        index = msgspec.json.decode(path.read_bytes(), type=_Index)
    except (OSError, msgspec.DecodeError):
        return None
    return index if index.key == key and (path.parent / STORE).is_file() else None
