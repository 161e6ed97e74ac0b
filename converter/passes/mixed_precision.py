"""Mixed precision: which convolutions, or which part of a network, gain from int8 and cost little accuracy in it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from converter.graph import CONVOLUTIONS, Graph, Values
from converter.passes.precision import INTEGER, Quantiser
from converter.passes.ranges import Range
from converter.runner import vectors
from edge.terminal import progress

LEAST_CHANNELS = 16
"""A convolution of fewer input channels gains nothing from int8, and is mostly the first, which sees the picture."""
BUDGET = 0.0012
"""The loss of cosine to float32 that all chosen convolutions together may cost, by the sum of their own losses."""


TAIL_BUDGET = 0.008
"""The loss of cosine to float32 that a network may cost which is int8 from some operator on."""


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


def tail(
    content: bytes, ranges: Mapping[str, Range], faces: Sequence[Values], budget: float = TAIL_BUDGET
) -> list[str]:
    """The outputs of all operators behind the first place where int8 may begin, by its loss on faces (1, h, w, c).

    A network's first layers see the picture at full size, in few channels, and cost most accuracy in int8. It may begin
    behind the first operator, wherever a single tensor passes from the operators before to those after, all of which
    have integer forms. Empty: nowhere.
    """
    graph = Graph(content)
    names = [graph.tensor_name(int(operator.outputs[0])) for operator in graph.operators]
    reference = vectors(content, graph.name, faces)
    floats = [i for i, operator in enumerate(graph.operators) if graph.kind(operator) not in INTEGER]
    possible = [start for start in _borders(graph) if start > max(floats, default=-1)]
    for start in progress(possible, "places where int8 may begin"):
        made = Graph(content)
        Quantiser(made, ranges).run(names[start:])
        similar = (reference * vectors(made.pack(), graph.name, faces)).sum(1)
        if 1.0 - float(similar.mean()) <= budget:
            return names[start:]
    return []


def share(graph: Graph, names: Collection[str]) -> float:
    """The share of a network's multiply-adds that the operators with these outputs have."""
    counts = {graph.tensor_name(int(o.outputs[0])): multiplications(graph, o) for o in graph.operators}
    return sum(counts.get(name, 0) for name in names) / max(sum(counts.values()), 1)


def _borders(graph: Graph) -> list[int]:
    """The numbers of the operators that are reached by a single tensor from all that come before them."""
    found = []
    for start in range(1, len(graph.operators)):
        before = {*graph.inputs, *(int(t) for o in graph.operators[:start] for t in o.outputs)}
        crossing = {int(i) for o in graph.operators[start:] for i in o.inputs if int(i) in before}
        found += [start] if len(crossing) == 1 else []
    return found


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
