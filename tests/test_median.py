"""The fast median is numpy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edge.faces.median import median

NUMBERS = st.floats(-1e6, 1e6, width=32)


@given(arrays(np.float32, array_shapes(max_dims=2, max_side=9), elements=NUMBERS))
def test_it_is_that_of_numpy(values: np.ndarray) -> None:
    assert median(values) == float(np.median(values))
