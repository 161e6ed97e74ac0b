"""Mixed precision: which convolutions gain from int8, and which of them cost little accuracy in it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from converter.graph import CONVOLUTIONS, Graph, Values
from converter.passes.precision import Quantiser
from converter.passes.ranges import Range
from converter.runner import vectors
from edge.terminal import progress

LEAST_CHANNELS = 16
"""A convolution of fewer input channels gains nothing from int8, and is mostly the first, which sees the picture."""
BUDGET = 0.0012
"""The loss of cosine to float32 that all chosen convolutions together may cost, by the sum of their own losses."""


class ConvolutionCost(NamedTuple):
    """A convolution that int8 would make faster."""

    name: str
    """The name of its output tensor."""
    multiplications: int
    loss: float
    """1 - mean cosine to float32 when it alone is int8."""


def candidates(graph: Graph) -> list[str]:
    """Outputs of dense convolutions with enough channels, but for the first, the last and the one before the last.

    What the ends cost differs most from faces to faces, so that a few faces do not show it.
    """
    found = []
    for operator in graph.operators:
        wide = graph.kind(operator) == "CONV_2D" and graph.shape(int(operator.inputs[0]))[-1] >= LEAST_CHANNELS
        if wide and int(operator.inputs[0]) not in graph.inputs and _dense_after(graph, operator) > 1:
            found.append(graph.tensor_name(int(operator.outputs[0])))
    return found


def weigh(content: bytes, ranges: Mapping[str, Range], faces: Sequence[Values]) -> list[ConvolutionCost]:
    """Measure what each candidate costs alone, on a few faces (1, h, w, c)."""
    graph = Graph(content)
    counts = {graph.tensor_name(int(o.outputs[0])): multiplications(graph, o) for o in graph.operators}
    reference = vectors(content, graph.name, faces)
    weighed = []
    for name in progress(candidates(graph), "convolutions tried in int8"):
        alone = Graph(content)
        Quantiser(alone, ranges).run({name})
        similar = (reference * vectors(alone.pack(), name, faces)).sum(1)
        weighed.append(ConvolutionCost(name, counts[name], max(0.0, 1.0 - float(similar.mean()))))
    return weighed


def chosen(weighed: Sequence[ConvolutionCost], budget: float = BUDGET) -> list[str]:
    """The convolutions to make int8: those with most multiplications per loss, until the budget is spent."""
    names, spent = [], 0.0
    for candidate in sorted(weighed, key=lambda c: c.loss / max(c.multiplications, 1)):
        if spent + candidate.loss <= budget:
            names.append(candidate.name)
            spent += candidate.loss
    return names


def multiplications(graph: Graph, operator: Any) -> int:
    """The multiply-adds of a convolution for one picture; 0 for other operators."""
    if graph.kind(operator) not in CONVOLUTIONS:
        return 0
    weights = graph.shape(int(operator.inputs[1]))
    places = int(np.prod(graph.shape(int(operator.outputs[0]))[:-1]))
    return places * int(np.prod(weights))


def _dense_after(graph: Graph, operator: Any) -> int:
    """The smallest number of dense layers on any way from an operator to the output."""
    level, reached = 0, {int(operator.outputs[0])}
    while True:
        # All that is reached without one more dense layer; a breadth-first search, as residual streams branch a lot.
        following: set[int] = set()
        waiting = list(reached)
        while waiting:
            tensor = waiting.pop()
            if tensor in graph.outputs:
                return level
            for reader in graph.consumers(tensor):
                output = int(reader.outputs[0])
                if graph.kind(reader) in {"CONV_2D", "FULLY_CONNECTED"}:
                    following.add(output)
                elif output not in reached:
                    reached.add(output)
                    waiting.append(output)
        if not following:
            return level
        level, reached = level + 1, following
