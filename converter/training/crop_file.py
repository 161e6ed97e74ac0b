"""The crops of a data set, read from their file, one batch after the other."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


class CropFile:
    """An array (n, side, side, channels) of uint8 in a .npy file, none of which stays in memory.

    Not a memory map: every page that was read counts as memory of the process until the system takes it back, so that a
    training would seem to need as much as the file is large.
    """

    def __init__(self, path: Path) -> None:
        """Raises ValueError when the file holds something else, or is cut off."""
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"{path}: version {version} of the format was found; 1.0 is expected")
            shape, by_column, kind = np.lib.format.read_array_header_1_0(file)
            self._start = file.tell()
        if kind != np.uint8 or by_column or len(shape) != 4:
            raise ValueError(f"{path}: {kind} of {shape} was found; uint8 of (crops, side, side, channels) is expected")
        self.shape: tuple[int, ...] = shape
        self._bytes = int(np.prod(shape[1:], dtype=np.int64))
        if path.stat().st_size != self._start + shape[0] * self._bytes:
            raise ValueError(f"{path}: cut off: {path.stat().st_size} bytes were found")
        self._file = path.open("rb", buffering=0)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.integer]) -> Pixels:
        """The crops with these numbers (m,). It may be called from several threads. Raises IndexError and OSError."""
        if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < len(self)):
            raise IndexError(f"crops 0 to {len(self) - 1}")
        places = [self._start + row * self._bytes for row in rows.tolist()]
        for at in places if hasattr(os, "posix_fadvise") else ():
            # The disk fetches them side by side.
            os.posix_fadvise(self._file.fileno(), at, self._bytes, os.POSIX_FADV_WILLNEED)
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for crop, at in zip(pixels, places, strict=True):
            if os.preadv(self._file.fileno(), [memoryview(crop).cast("B")], at) < self._bytes:
                raise OSError(f"{self._file.name}: cut off while it was read")
        return pixels
