"""The safetensors layout, read without copying: https://github.com/huggingface/safetensors#format.

Our own reader and writer, because the library copies every tensor that it reads, while a large gallery is mapped into
memory and shared. The reader is stricter; the writer gives the library's bytes, so any safetensors tool reads them.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

MAX_HEADER = 100_000_000
"""The library's limit."""
MAX_TENSORS = 16
METADATA = "__metadata__"
ALIGNMENT = 8
_TYPES: dict[str, type[np.generic]] = {"F32": np.float32, "F64": np.float64, "U8": np.uint8}


class Malformed(ValueError):
    """Not the safetensors layout; the text says what is wrong."""


class _TensorEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[list[Annotated[int, Meta(ge=0, le=2**40)]], Meta(max_length=4)]
    data_offsets: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]


def write_tensors(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Encode metadata and contiguous float32, float64 or uint8 tensors: wide types first, then by name."""
    names = {np.dtype(kind): name for name, kind in _TYPES.items()}
    header: dict[str, object] = {METADATA: metadata}
    parts, end = [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        begin, end = end, end + tensor.nbytes
        header[name] = _TensorEntry(names[tensor.dtype], list(tensor.shape), (begin, end))
        parts.append(tensor.tobytes())
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def read_tensors(content: memoryview) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Metadata and tensors; the tensors are read-only views of the content. Raises Malformed."""
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
    return metadata, {name: _view(entry, data) for name, entry in listed.items()}


def _check_whole(listed: dict[str, _TensorEntry], size: int) -> None:
    """Tensors must lie one after another and fill the file: no gaps to hide in, no overlaps, nothing missing."""
    end = 0
    for entry in sorted(listed.values(), key=lambda e: e.data_offsets):
        kind = _TYPES.get(entry.dtype)
        if kind is None:
            raise Malformed(f"a tensor is of type {entry.dtype[:20]!r}; allowed: {', '.join(_TYPES)}")
        begin, stop = entry.data_offsets
        if begin != end or stop - begin != math.prod(entry.shape) * np.dtype(kind).itemsize:
            raise Malformed("its header does not fit its contents")
        end = stop
    if end != size:
        raise Malformed(f"its tensors take {end} bytes, but {size} are there: it was cut off, or something was added")


def _view(entry: _TensorEntry, data: memoryview) -> NDArray[Any]:
    begin, stop = entry.data_offsets
    array = np.frombuffer(data[begin:stop], _TYPES[entry.dtype]).reshape(entry.shape)
    array.flags.writeable = False
    return array
