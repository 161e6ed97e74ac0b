"""Activations in operators that int8 kernels, and the Edge TPU, have."""

from typing import Any

import numpy as np

from converter.graph import NONE, RELU, RELU6, Graph, Values, schema
from converter.passes.ranges import Curve, Range

CONSTANTS = {"three": 3.0, "sixth": 1 / 6}


def spell_out_prelu(graph: Graph) -> list[tuple[str, str]]:
    """Replace each PRELU whose slopes are at most 1; returns the names of what went into each and came out of it.

    prelu(x, a) = x + relu((a - 1) x), exactly: a multiplication with a RELU fused to it, and an addition. What goes in
    and what comes out should be given one range: then numbers above zero pass without being rounded again.
    """
    pairs = []
    for operator in list(graph.operators):
        if graph.kind(operator) != "PRELU":
            continue
        slopes = graph.weights(operator, 1)
        if (slopes > 1).any():
            continue
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        name = graph.tensor_name(output)
        below = graph.add_tensor(f"{name}/below", graph.shape(output))
        factor = graph.add_constant(f"{name}/factor", (slopes - 1).astype(np.float32).reshape(-1))
        graph.swap(
            [operator],
            [_multiply(graph, source, factor, below, RELU), _add(graph, source, below, output)],
        )
        pairs.append((graph.tensor_name(source), name))
    return pairs


def spell_out_hard_swish(graph: Graph) -> dict[str, Range]:
    """Replace each HARD_SWISH; returns the ranges of what is computed on the way, by name.

    hard_swish(x) = x relu6(x + 3) / 6, exactly: an addition with a RELU6 fused to it, and two multiplications. With
    these ranges, the one by 1/6 changes the scale and no integer, so that nothing is rounded there.
    """
    ranges: dict[str, Range] = {}
    for operator in list(graph.operators):
        if graph.kind(operator) != "HARD_SWISH":
            continue
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        name, shape = graph.tensor_name(output), graph.shape(output)
        moved, gate = graph.add_tensor(f"{name}/moved", shape), graph.add_tensor(f"{name}/gate", shape)
        three, sixth = (graph.add_constant(f"{name}/{n}", np.array([v], np.float32)) for n, v in CONSTANTS.items())
        graph.swap(
            [operator],
            [
                _add(graph, source, three, moved, RELU6),
                _multiply(graph, moved, sixth, gate),
                _multiply(graph, source, gate, output),
            ],
        )
        ranges |= {graph.tensor_name(moved): (0.0, 6.0), graph.tensor_name(gate): (0.0, 1.0)}
    return ranges


def curves(graph: Graph) -> dict[str, Curve]:
    """The activation that is all that reads a tensor, by the tensor's name: HARD_SWISH, or x times LOGISTIC of x."""
    found: dict[str, Curve] = {}
    for operator in graph.operators:
        source = int(operator.inputs[0])
        readers = graph.consumers(source)
        if graph.kind(operator) == "HARD_SWISH" and len(readers) == 1:
            found[graph.tensor_name(source)] = hard_swish
        if graph.kind(operator) == "LOGISTIC" and len(readers) == 2:
            gated = {source, int(operator.outputs[0])}
            if any(graph.kind(r) == "MUL" and {int(i) for i in r.inputs} == gated for r in readers):
                found[graph.tensor_name(source)] = swish
    return found


def hard_swish(x: Values) -> Values:
    """x relu6(x + 3) / 6"""
    y: Values = x * np.clip(x + 3, 0, 6) / 6
    return y


def swish(x: Values) -> Values:
    """x / (1 + exp(-x))"""
    y: Values = x / (1 + np.exp(-np.clip(x, -80, 80)))
    return y


def _multiply(graph: Graph, one: int, other: int, output: int, activation: int = NONE) -> Any:
    options = schema.MulOptionsT()
    options.fusedActivationFunction = activation
    return graph.make("MUL", [one, other], [output], options)


def _add(graph: Graph, one: int, other: int, output: int, activation: int = NONE) -> Any:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = activation
    # Only int16 looks at it, and LiteRT's converter sets it there.
    options.potScaleInt16 = False
    return graph.make("ADD", [one, other], [output], options)
