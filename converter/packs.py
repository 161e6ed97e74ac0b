"""Verification packs (`lfw.bin`, `cfp_fp.bin`, `agedb_30.bin`, `calfw.bin`, `cplfw.bin`): aligned crops, and pairs.

The format is InsightFace's (https://github.com/deepinsight/insightface, recognition/arcface_torch/eval): a pickle of
two lists, 2 n encoded crops and n flags. A pickle can run code, so that only lists, bytes, flags and arrays are read.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from converter.datasets import DatasetError, PicturePair
from converter.embeddings import PlacedPicture
from edge.capture.file_type import HEAD_BYTES, file_type

FOLDS = 10
MAX_BYTES = 2_000_000_000
FIVE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
"""Where eyes, nose and mouth corners are in the crops, in px of a crop of 112 px: InsightFace's `arcface_dst`."""


@dataclass(frozen=True, slots=True)
class Pack:
    """What a file holds: its crops, and which of them are compared."""

    name: str
    crops: list[PlacedPicture]
    pairs: list[PicturePair]


def read_pack(path: Path) -> Pack:
    """Read a pack. Raises DatasetError saying what is wrong with it."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(f"{path}: {size / 1e6:.0f} MB found; allowed: {MAX_BYTES // 10**6} MB")
        with path.open("rb") as file:
            found = _DataOnly(file).load()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except DatasetError:
        raise
    except pickle.UnpicklingError as error:
        raise DatasetError(f"{path}: no verification pack, or a damaged one: {error}") from error
    except Exception as error:
        # The pickle module raises whatever a damaged file leads it to.
        raise DatasetError(f"{path}: no verification pack, or a damaged one; download it again") from error
    return _pack(path, found)


def _pack(path: Path, found: object) -> Pack:
    match found:
        case [list(crops), list(flags)] | (list(crops), list(flags)) if all(isinstance(f, bool | int) for f in flags):
            same = [bool(flag) for flag in flags]
        case _:
            raise DatasetError(
                f"{path}: a list of crops and a list of flags are expected, found {type(found).__name__}"
            )
    if len(crops) != 2 * len(same) or not same:
        raise DatasetError(f"{path}: {len(crops)} crops and {len(same)} flags found; two crops per flag are expected")
    names = [Path(path.name, f"{number:05}") for number in range(len(crops))]
    placed = [
        PlacedPicture(name, _content(path, number, crop), FIVE / np.float32(112))
        for number, (name, crop) in enumerate(zip(names, crops, strict=True))
    ]
    folds = np.array_split(np.arange(len(same)), min(FOLDS, len(same)))
    fold_of = {int(pair): fold for fold, members in enumerate(folds) for pair in members}
    pairs = [PicturePair(names[2 * i], names[2 * i + 1], one, fold_of[i]) for i, one in enumerate(same)]
    return Pack(path.stem, placed, pairs)


def _content(path: Path, number: int, crop: object) -> bytes:
    """An encoded picture: bytes, or an array of them, as packs written with MXNet hold."""
    content = crop.content if isinstance(crop, _StoredArray) else crop
    if not isinstance(content, bytes) or not file_type(content[:HEAD_BYTES]).is_photo:
        raise DatasetError(f"{path}: crop {number} is no encoded picture; found {type(crop).__name__}")
    return content


class _StoredType:
    """A numpy type in a pickle: only bytes and flags are told apart from the rest."""

    def __init__(self, name: object, *_: object) -> None:
        if name not in {"u1", "b1", b"u1", b"b1"}:
            raise pickle.UnpicklingError(f"it has numbers of the type {name!r}; only bytes and flags are read")

    def __setstate__(self, _: object) -> None:
        """Byte order and alignment: a byte has neither."""


class _StoredArray:
    """A numpy array in a pickle: its bytes, which numpy itself never sees."""

    content: object = None

    def __setstate__(self, state: object) -> None:
        match state:
            case (_, tuple(), _StoredType(), _, bytes(content)):
                self.content = content
            case _:
                raise pickle.UnpicklingError("it has an array in another form")


def _array(*_: object) -> _StoredArray:
    return _StoredArray()


def _scalar(_: object, content: object) -> bool:
    if not isinstance(content, bytes) or len(content) != 1:
        raise pickle.UnpicklingError("it has a flag in another form")
    return content != b"\0"


def _latin1(text: object, encoding: object) -> bytes:
    """How bytes are written for Python 2."""
    if not isinstance(text, str) or encoding not in {"latin1", b"latin1"}:
        raise pickle.UnpicklingError(f"it has bytes encoded as {encoding!r}")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _StoredArray,
    ("numpy", "dtype"): _StoredType,
    ("_codecs", "encode"): _latin1,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
}
"""What a pickle may name, and what it gets for it."""


class _DataOnly(pickle.Unpickler):
    """Reads data, and refuses everything that would be called."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="bytes")

    def find_class(self, module: str, name: str) -> object:
        found = ALLOWED.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it would call {module}.{name}; only pictures and flags are read")
        return found
