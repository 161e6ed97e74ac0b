"""Groups of tensors whose channels must be scaled by the same factors if the network is to stay the same."""

from dataclasses import dataclass, field
from typing import Any

from converter.graph import CONVOLUTIONS, RELU6, Graph

FOLLOWING = frozenset({"PRELU", "RELU", "LEAKY_RELU", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
"""Positively homogeneous, channel by channel: a scaled input gives the output, scaled."""


@dataclass
class Space:
    """Tensors whose channels are scaled together, and the convolutions that absorb the factors."""

    tensors: list[int]
    writers: list[Any] = field(default_factory=list)
    """Convolutions whose outputs they are."""
    readers: list[Any] = field(default_factory=list)
    """Convolutions whose inputs they are."""
    constants: list[tuple[Any, int]] = field(default_factory=list)
    """(operator, slot) of constants that are added."""
    residual: bool = False
    """Whether it contains an addition of two computed tensors."""
    capped: bool = False
    """Whether a RELU6 clips one of them: its 6 stays where it is, whatever the channel's factor."""
    fixed: bool = False
    """Whether something else reads or writes it, so that it must not be scaled."""


def spaces(graph: Graph) -> list[Space]:
    """All groups of tied tensors, in the order in which the network computes them."""
    leader = _tie(graph)
    found: dict[int, Space] = {}
    for tensor in _tensors(graph):
        found.setdefault(_root(leader, tensor), Space([])).tensors.append(tensor)
    of = {tensor: space for space in found.values() for tensor in space.tensors}
    for tensor in (*graph.inputs, *graph.outputs):
        of[tensor].fixed = True
    for operator in graph.operators:
        _enter(graph, operator, of)
    return list(found.values())


def _tensors(graph: Graph) -> list[int]:
    """The network's inputs and all computed tensors."""
    computed = [int(t) for o in graph.operators for t in o.outputs]
    return list(dict.fromkeys([*graph.inputs, *computed]))


def _tie(graph: Graph) -> dict[int, int]:
    leader = {tensor: tensor for tensor in _tensors(graph)}
    for operator in graph.operators:
        if _follows(graph, operator) or graph.kind(operator) == "ADD":
            tied = [int(i) for i in (*operator.inputs, *operator.outputs) if int(i) in leader]
            for other in tied[1:]:
                leader[_root(leader, other)] = _root(leader, tied[0])
    return leader


def _root(leader: dict[int, int], tensor: int) -> int:
    while leader[tensor] != tensor:
        tensor = leader[tensor]
    return tensor


def _follows(graph: Graph, operator: Any) -> bool:
    """Whether a factor on each channel of the input is the same factor on the output."""
    if graph.kind(operator) in {"RESHAPE", "SQUEEZE", "PAD", "MEAN"}:
        before, after = graph.shape(int(operator.inputs[0])), graph.shape(int(operator.outputs[0]))
        return bool(before and after) and before[-1] == after[-1] and _channels_apart(graph, operator, len(before))
    return graph.kind(operator) in FOLLOWING


def _channels_apart(graph: Graph, operator: Any, axes_before: int) -> bool:
    """Padding and means must leave the channels alone; reshaping keeps the last axis as it is when its size stays."""
    if graph.kind(operator) == "PAD":
        amounts = graph.values(int(operator.inputs[1]))
        return amounts is not None and not amounts[-1].any()
    if graph.kind(operator) == "MEAN":
        axes = graph.values(int(operator.inputs[1]))
        return axes is not None and not {axes_before - 1, -1} & set(axes.reshape(-1).tolist())
    return True


def _enter(graph: Graph, operator: Any, of: dict[int, Space]) -> None:
    """Record in its spaces what an operator does with them."""
    kind = graph.kind(operator)
    if kind in CONVOLUTIONS and _adjustable(graph, operator):
        of[int(operator.inputs[0])].readers.append(operator)
        of[int(operator.outputs[0])].writers.append(operator)
        of[int(operator.outputs[0])].capped |= operator.builtinOptions.fusedActivationFunction == RELU6
        return
    computed = [int(i) for i in operator.inputs if int(i) in of]
    if kind == "ADD" and operator.builtinOptions.fusedActivationFunction != RELU6:
        _enter_addition(graph, operator, computed, of)
    elif not _follows(graph, operator):
        for tensor in (*computed, *(int(t) for t in operator.outputs)):
            of[tensor].fixed = True


def _enter_addition(graph: Graph, operator: Any, computed: list[int], of: dict[int, Space]) -> None:
    space = of[int(operator.outputs[0])]
    space.residual |= len(computed) > 1
    channels = graph.shape(int(operator.outputs[0]))[-1]
    # Broadcasting over channels would mix their factors.
    space.fixed |= any(graph.shape(t)[-1] != channels for t in computed)
    space.constants += [(operator, s) for s, i in enumerate(operator.inputs) if int(i) not in of]


def _adjustable(graph: Graph, operator: Any) -> bool:
    weights = graph.values(int(operator.inputs[1]))
    if weights is None or weights.dtype.kind != "f":
        return False
    # A dense layer over a flattened picture, or a depthwise one that multiplies channels, has other columns.
    return bool(weights.shape[-1] == graph.shape(int(operator.inputs[0]))[-1])
