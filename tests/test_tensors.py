"""The file format of galleries is safetensors: the real library reads what we write, and writes the same bytes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load, save

from edge.galleries.file import encode, identity_of
from edge.galleries.sealed import HEADER
from edge.galleries.tensors import Malformed, Tensor, read_tensors, write_tensors
from support.people import gallery_of, somebody

TYPES = st.sampled_from([np.float32, np.float64, np.uint8])
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""JSON has no lone surrogates."""


@st.composite
def tensor(draw: st.DrawFn) -> NDArray[Any]:
    shape = draw(SHAPES)
    return np.arange(np.prod(shape), dtype=draw(TYPES)).reshape(shape)


TENSORS = st.dictionaries(TEXT.filter(lambda name: name != "__metadata__"), tensor(), max_size=8)


@settings(max_examples=200, deadline=None)
@given(metadata=st.dictionaries(TEXT, TEXT, min_size=1, max_size=1), tensors=TENSORS)
def test_our_bytes_are_those_of_the_library(metadata: dict[str, str], tensors: dict[str, NDArray[Any]]) -> None:
    ours = write_tensors(metadata, {name: Tensor.of(array) for name, array in tensors.items()})
    assert ours == save(tensors, metadata=metadata)
    read_metadata, read = read_tensors(memoryview(ours))
    assert read_metadata == metadata
    assert read.keys() == tensors.keys()
    assert all(np.array_equal(read[name].array(), tensors[name]) for name in tensors)


def test_a_gallery_is_the_same_file_as_the_library_makes_of_it() -> None:
    """Galleries on boxes and desktops do not change by a byte, and neither do their signatures."""
    gallery = gallery_of(ada=somebody(1), joe=somebody(2))
    ours = encode(gallery)
    read = load(ours)
    metadata, _ = read_tensors(memoryview(ours))
    assert np.array_equal(read["embeddings"], gallery.embeddings)
    assert bytes(read["sha256"]).hex() == identity_of(gallery)
    assert ours == save(read, metadata={HEADER: metadata[HEADER]})


def test_the_reader_is_stricter_than_the_library() -> None:
    assert load(save({"w": np.zeros(2, np.float16)}))["w"].size == 2
    with pytest.raises(Malformed, match="a tensor is of type 'F16'; allowed: F32, F64, U8"):
        read_tensors(memoryview(save({"w": np.zeros(2, np.float16)})))
    with pytest.raises(Malformed, match="lists 17 tensors; allowed: 16"):
        read_tensors(memoryview(save({str(n): np.zeros(1, np.uint8) for n in range(17)})))
