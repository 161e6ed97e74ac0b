"""The safetensors layout, read without copying: https://github.com/huggingface/safetensors#format.

Our own reader and writer, because the library copies every tensor that it reads, while a large gallery is mapped into
memory and shared. The reader is stricter; the writer gives the library's bytes, so any safetensors tool reads them.
Neither needs numpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np

MAX_HEADER = 100_000_000
"""The library's limit."""
MAX_TENSORS = 16
METADATA = "__metadata__"
ALIGNMENT = 8
_TYPES = {"F32": ("float32", 4), "F64": ("float64", 8), "U8": ("uint8", 1)}
"""The layout's names of types -> numpy's, and how many bytes a number takes."""


class Malformed(ValueError):
    """Not the safetensors layout; the text says what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An array as bytes."""

    dtype: str
    """F32, F64 or U8."""
    shape: tuple[int, ...]
    data: memoryview
    """Its bytes, row by row."""

    @classmethod
    def of(cls, array: NDArray[Any]) -> Tensor:
        """The tensor of a float32, float64 or uint8 array."""
        dtype = next(name for name, (kind, _) in _TYPES.items() if kind == array.dtype.name)
        return cls(dtype, array.shape, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    @classmethod
    def of_bytes(cls, content: bytes) -> Tensor:
        return cls("U8", (len(content),), memoryview(content))

    def array(self) -> NDArray[Any]:
        """A read-only view of the bytes."""
        found = np.frombuffer(self.data, _TYPES[self.dtype][0]).reshape(self.shape)
        found.flags.writeable = False
        return found

    def __str__(self) -> str:
        return f"{_TYPES[self.dtype][0]}{self.shape}"


class _TensorEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[list[Annotated[int, Meta(ge=0, le=2**40)]], Meta(max_length=4)]
    data_offsets: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]


def write_tensors(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> bytes:
    """Encode metadata and tensors: wide types first, then by name."""
    header: dict[str, object] = {METADATA: metadata}
    parts, end = [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-_TYPES[item[1].dtype][1], item[0])):
        begin, end = end, end + len(tensor.data)
        header[name] = _TensorEntry(tensor.dtype, list(tensor.shape), (begin, end))
        parts.append(tensor.data)
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def read_tensors(content: memoryview) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors; the tensors are views of the content. Raises Malformed."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(MAX_HEADER, len(content) - 8):
        raise Malformed("its header is cut off, or it is not a safetensors file")
    try:
        entries = msgspec.json.decode(content[8 : 8 + length], type=dict[str, msgspec.Raw])
        metadata = msgspec.json.decode(entries.pop(METADATA, msgspec.Raw(b"{}")), type=dict[str, str])
        if len(entries) > MAX_TENSORS:
            raise Malformed(f"its header lists {len(entries)} tensors; allowed: {MAX_TENSORS}")
        listed = {name: msgspec.json.decode(entry, type=_TensorEntry) for name, entry in entries.items()}
    except RecursionError as error:
        raise Malformed("its header is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"its header cannot be read: {error}") from error
    data = content[8 + length :]
    _check_whole(listed, len(data))
    return metadata, {name: _tensor(entry, data) for name, entry in listed.items()}


def _check_whole(listed: dict[str, _TensorEntry], size: int) -> None:
    """Tensors must lie one after another and fill the file: no gaps to hide in, no overlaps, nothing missing."""
    end = 0
    for entry in sorted(listed.values(), key=lambda e: e.data_offsets):
        if entry.dtype not in _TYPES:
            raise Malformed(f"a tensor is of type {entry.dtype[:20]!r}; allowed: {', '.join(_TYPES)}")
        begin, stop = entry.data_offsets
        if begin != end or stop - begin != math.prod(entry.shape) * _TYPES[entry.dtype][1]:
            raise Malformed("its header does not fit its contents")
        end = stop
    if end != size:
        raise Malformed(f"its tensors take {end} bytes, but {size} are there: it was cut off, or something was added")


def _tensor(entry: _TensorEntry, data: memoryview) -> Tensor:
    begin, stop = entry.data_offsets
    return Tensor(entry.dtype, tuple(entry.shape), data[begin:stop])
