"""Slope flip and cross-layer equalisation: the same function, with weights and activations easier to quantise."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from converter.graph import Graph, Values
from converter.passes.simplify import scale_inputs, scale_outputs
from converter.passes.spaces import Space, spaces

MAX_FACTOR = 1000.0
"""The largest factor: a channel that is almost always near zero is not scaled up further."""
CAP, CAP_ROOM = 6.0, 1.25
"""Behind RELU6, a channel is scaled up until 6 is this many times the largest value seen."""
STREAM_POWER = 0.5
WIDE_POWER = 1.0


def flip_slopes(graph: Graph) -> int:
    """Flip PReLU channels whose slope is beyond ±1, so that all slopes are within it; return how many were flipped.

    With x' = -x and a' = 1/a, prelu(x, a) = -a prelu(x', a'): the convolution before takes the sign, the one after -a.
    """
    flipped = 0
    for operator in list(graph.operators):
        if graph.kind(operator) != "PRELU":
            continue
        slopes = graph.values(int(operator.inputs[1]))
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        before, after = graph.producer(source), graph.consumers(output)
        if slopes is None or before is None or not _isolated(graph, operator, before, after):
            continue
        large = np.abs(slopes.reshape(-1)) > 1
        sign, factor = np.where(large, -1.0, 1.0), np.where(large, -slopes.reshape(-1), 1.0)
        scale_outputs(graph, before, sign)
        for reader in after:
            scale_inputs(graph, reader, factor)
        turned = np.where(large, 1 / np.where(large, slopes.reshape(-1), 1), slopes.reshape(-1))
        graph.replace(operator, 1, turned.reshape(slopes.shape))
        flipped += int(large.sum())
    return flipped


def _isolated(graph: Graph, operator: Any, before: Any, after: list[Any]) -> bool:
    """Whether one convolution comes before it, only convolutions after it, and nothing else reads either tensor."""
    where = spaces(graph)
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    space = next(s for s in where if output in s.tensors)
    tied = space.fixed or space.capped
    alone = len(graph.consumers(source)) == 1 and set(space.tensors) == {source, output} and not tied
    return alone and space.writers == [before] and len(space.readers) == len(after)


def equalise(
    graph: Graph, largest: Mapping[str, Values], wide: float = WIDE_POWER, stream: float = STREAM_POWER
) -> int:
    """Bring the channels of every tensor closer to one magnitude; return how many groups of tensors were scaled.

    `largest` holds, by tensor name, the largest absolute value of each channel. With v the largest of a group of tied
    tensors, a channel is multiplied by min((max v / v)^p, 1000): p is `wide` before a depthwise convolution, which has
    weights for each channel of its own, and `stream` before others and in residual streams. Exact, as all between the
    convolutions is positively homogeneous: Nagel et al., "Data-free quantization through weight equalization and bias
    correction", ICCV 2019. RELU6 is not: a channel is scaled up only as far as what was seen stays below its 6.
    """
    done = 0
    for space in spaces(graph):
        seen = [largest[graph.tensor_name(t)] for t in space.tensors if graph.tensor_name(t) in largest]
        if space.fixed or not seen or not (space.writers and space.readers):
            continue
        loudness = np.maximum.reduce([np.asarray(v, np.float64) for v in seen])
        factors = _factors(loudness, _power(graph, space, wide, stream))
        _scale(graph, space, _below_cap(factors, loudness) if space.capped else factors)
        done += 1
    return done


def _power(graph: Graph, space: Space, wide: float, stream: float) -> float:
    depthwise = all(graph.kind(reader) == "DEPTHWISE_CONV_2D" for reader in space.readers)
    return wide if depthwise and not space.residual else stream


def _factors(loudness: Values, power: float) -> Values:
    # A channel that is always zero stays unscaled.
    safe = np.where(loudness > 0, loudness, loudness.max() or 1.0)
    factors: Values = np.minimum((safe.max() / safe) ** power, MAX_FACTOR)
    return factors


def _below_cap(factors: Values, loudness: Values) -> Values:
    room = CAP / (CAP_ROOM * np.maximum(loudness, 1e-9))
    limited: Values = np.maximum(np.minimum(factors, room), 1.0)
    return limited


def _scale(graph: Graph, space: Space, factors: Values) -> None:
    for writer in space.writers:
        scale_outputs(graph, writer, factors)
    for reader in space.readers:
        scale_inputs(graph, reader, 1 / factors)
    for operator, slot in space.constants:
        graph.replace(operator, slot, graph.weights(operator, slot) * factors)
