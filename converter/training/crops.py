"""Photos -> the pictures that a network is fed, by the box's own stages, kept on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import msgspec
import numpy as np

from converter.datasets import DatasetError
from converter.faces import FaceFinder
from converter.files import replacing, write_whole
from converter.keras_file import DAMAGED
from converter.training.crop_file import CropFile, Pixels
from converter.training.dataset import Dataset
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from edge.records import Image
from edge.terminal import progress, safe

STORE, INDEX = "crops.npy", "crops.json"
MEASURED = 60
"""From how many pictures the size of faces in whole pictures is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class CroppedDataset:
    """A data set, and the photos that could not be used."""

    dataset: Dataset
    digest: str
    """The SHA-256 of all crops, shortened."""
    faceless: list[Path]
    unreadable: list[str]
    times: float | None
    """How many times the face's box whole pictures are wide, in the median; None: aligned, or no face was found."""


class _Index(msgspec.Struct, frozen=True):
    """What the crops in a store are of."""

    key: str
    digest: str
    seen: list[int]
    """The files that show a face, by their place in the list. The store has a row for every file."""
    unreadable: dict[int, str]
    times: float | None = None


def crop_all(pictures: dict[str, list[Path]], spec: InputSpec, framing: Framing | None, folder: Path) -> CroppedDataset:
    """The central face of every picture, as `framing` has it; None: the whole picture. Cached in `folder`.

    Photos that cannot be read or show no face are listed and left out. Raises DatasetError when nothing is left.
    """
    every = [(name, path) for name, paths in pictures.items() for path in paths]
    key = _fingerprint(every, spec, framing)
    index = _read(folder / INDEX, key) or _crop([path for _, path in every], spec, framing, folder, key)
    if not index.seen:
        raise DatasetError(f"no face in any of {len(every)} pictures, {len(index.unreadable)} of which cannot be read")
    names = sorted({every[i][0] for i in index.seen})
    number = {name: i for i, name in enumerate(names)}
    person = np.array([number[every[i][0]] for i in index.seen], np.int32)
    without = set(range(len(every))) - set(index.seen) - set(index.unreadable)
    dataset = Dataset(stored(folder), np.array(index.seen, np.int64), person, names)
    unreadable = list(index.unreadable.values())
    return CroppedDataset(dataset, index.digest, [every[i][1] for i in sorted(without)], unreadable, index.times)


def stored(folder: Path) -> CropFile:
    """All crops of a folder, (m, side, side, channels), read when they are asked for; blank without a face."""
    return CropFile(folder / STORE)


def _crop(files: Sequence[Path], spec: InputSpec, framing: Framing | None, folder: Path, key: str) -> _Index:
    """Write the crop of every file to the store, blank where there is none, one after the other.

    Not through a memory map: with a full disk, that ends the process instead of raising OSError.
    """
    finder, digest, size = FaceFinder(), hashlib.sha256(), spec.shape[1]
    seen: list[int] = []
    unreadable: dict[int, str] = {}
    blank = np.zeros(spec.shape[1:], np.uint8)
    times = None if framing else _times(finder, files)
    with replacing(folder / STORE) as part:
        with part.open("wb") as store:
            write_header(store, len(files), spec)
            for number, file in enumerate(progress(files, "faces")):
                crop = None
                try:
                    crop = _cut(shrunk(read_photo(file)), finder, framing, size)
                except PhotoError as error:
                    unreadable[number] = safe(str(error))
                if crop is not None:
                    seen.append(number)
                raw = (blank if crop is None else coloured(crop, spec.channels)).tobytes()
                digest.update(raw)
                store.write(raw)
        # An index never describes another store.
        (folder / INDEX).unlink(missing_ok=True)
    index = _Index(key, digest.hexdigest()[:16], seen, unreadable, times)
    write_whole(folder / INDEX, msgspec.json.encode(index))
    return index


def write_header(store: BinaryIO, count: int, spec: InputSpec) -> None:
    """The beginning of a store of so many crops."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *spec.shape[1:])}
    np.lib.format.write_array_header_1_0(store, header)


def _cut(image: Image, finder: FaceFinder, framing: Framing | None, size: int) -> Image | None:
    """The crop of a picture; None: it shows no face."""
    if framing is None:
        return whole(image, size)
    face = finder.central(image)
    return framing.crop(face.image, face.five, face.mesh, size) if face else None


def whole(image: Image, size: int) -> Image:
    """The largest square in the middle of a picture, (size, size, 3)."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _times(finder: FaceFinder, files: Sequence[Path]) -> float | None:
    """How many times the face's box the pictures are wide, in the median of some; None: no face in any."""
    spread = [files[i] for i in sorted({round(i) for i in np.linspace(0, len(files) - 1, MEASURED)})]
    found = list(_widths(finder, spread))
    return round(float(np.clip(np.median(found), 1.0, 8.0)), 2) if found else None


def _widths(finder: FaceFinder, files: Sequence[Path]) -> Iterator[float]:
    for file in files:
        try:
            image = shrunk(read_photo(file))
        except PhotoError:
            # It is reported when it is its turn to be cropped.
            continue
        if face := finder.central(image):
            yield min(image.shape[:2]) / max(float(np.ptp(face.mesh[:, :2], axis=0).max()), 1.0)


def coloured(crop: Image, channels: str) -> Pixels:
    """A BGR crop with the colours of the network: `rgb`, `bgr` or `grey`."""
    if channels == "grey":
        return np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[..., None], np.uint8)
    return crop[..., ::-1] if channels == "rgb" else crop


def _fingerprint(every: Sequence[tuple[str, Path]], spec: InputSpec, framing: Framing | None) -> str:
    digest = hashlib.sha256(f"{spec.shape} {spec.channels}".encode())
    if framing is not None:
        digest.update(b"" if framing.alignment is None else framing.alignment.tobytes())
        digest.update(f"{framing.times}".encode() * (framing.times is not None))
    for name, path in every:
        # Not the whole path: an archive is unpacked into another folder each time.
        digest.update(f"{name}\0{path.name}\0{_state(path)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        # A link that leads nowhere; it is reported when it is its turn to be cropped.
        return ""
    return f"{stat.st_size}\0{stat.st_mtime_ns}"


def _read(path: Path, key: str) -> _Index | None:
    """The index of cached crops; None: there are none, or they are of other pictures."""
    try:
        index = msgspec.json.decode(path.read_bytes(), type=_Index)
    except (OSError, msgspec.DecodeError):
        return None
    return index if index.key == key and _is_whole(path.parent) else None


def _is_whole(folder: Path) -> bool:
    try:
        return len(stored(folder)) > 0
    except DAMAGED:
        return False
