"""Bias correction: what rounding the weights adds to a channel's mean is subtracted from its bias."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from converter.graph import CONVOLUTIONS, Graph, Values
from converter.passes.precision import rounded_weights


def correct_biases(graph: Graph, mean: Mapping[str, Values]) -> None:
    """For every convolution of a float graph whose weights will be int8; `mean` is a channel's, by tensor name.

    With d what rounding adds to the weights, a channel's output moves by d mean(x): Nagel et al., "Data-free
    quantization through weight equalization and bias correction", ICCV 2019, section 4.2.
    """
    for operator in graph.operators:
        source = graph.tensor_name(int(operator.inputs[0]))
        if graph.kind(operator) in CONVOLUTIONS and source in mean and len(operator.inputs) > 2:
            moved = _moved(graph, operator, mean[source])
            graph.replace(operator, 2, (graph.weights(operator, 2) - moved).astype(np.float32))


def _moved(graph: Graph, operator: Any, mean: Values) -> Values:
    """(output channels,) how far their means move."""
    weights = graph.weights(operator, 1).astype(np.float64)
    numbers, steps, axis = rounded_weights(graph, operator)
    added = numbers * steps.reshape([-1 if i == axis else 1 for i in range(weights.ndim)]) - weights
    if graph.kind(operator) == "DEPTHWISE_CONV_2D":
        alone: Values = added.reshape(-1, len(steps)).sum(0) * np.repeat(mean, len(steps) // len(mean))
        return alone
    # A dense layer over a flattened picture has more columns than the picture has channels.
    columns = added.reshape(len(steps), -1, len(mean)) if added[0].size % len(mean) == 0 else None
    moved: Values = np.zeros(len(steps)) if columns is None else columns.sum(1) @ mean
    return moved
