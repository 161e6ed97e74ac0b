"""PReLU in operators that int8 kernels, and the Edge TPU, have: convolutions, RELU and additions."""

from typing import Any

import numpy as np

from converter.graph import CONVOLUTIONS, NONE, RELU, Graph, Values, schema
from converter.passes.simplify import scale_inputs, scale_outputs


def spell_out_prelu(graph: Graph, split_after: bool = False) -> int:
    """Replace each PRELU by what is exact and fast in int8; returns how many. Slopes must be at most 1.

    prelu(x, a) = a x + (1 - a) relu(x). Before a depthwise convolution the two parts come from two 1x1 convolutions and
    are added. With `split_after`, between a depthwise and a 1x1 convolution the slow depthwise one stays single:
    relu(x) is an addition of nothing with a RELU fused to it, and two 1x1 convolutions take a x and (1 - a) relu(x).
    """
    changed = 0
    for operator in list(graph.operators):
        if graph.kind(operator) != "PRELU":
            continue
        before = graph.producer(int(operator.inputs[0]))
        slopes = graph.weights(operator, 1).reshape(-1)
        if before is None or not _free(graph, before) or (slopes > 1).any():
            continue
        after = graph.consumers(int(operator.outputs[0]))
        if split_after and graph.kind(before) == "DEPTHWISE_CONV_2D" and _splittable(graph, after):
            _split_after(graph, operator, after[0], slopes)
        else:
            _split_before(graph, operator, before, slopes)
        changed += 1
    return changed


def _free(graph: Graph, before: Any) -> bool:
    output = int(before.outputs[0])
    activation = getattr(before.builtinOptions, "fusedActivationFunction", None)
    return graph.kind(before) in CONVOLUTIONS and activation == NONE and len(graph.consumers(output)) == 1


def _splittable(graph: Graph, after: list[Any]) -> bool:
    """A single 1x1 convolution that no PRELU follows: that one needs a convolution before it too."""
    if len(after) != 1 or graph.kind(after[0]) != "CONV_2D" or len(after[0].inputs) != 3:
        return False
    return all(graph.kind(o) != "PRELU" for o in graph.consumers(int(after[0].outputs[0])))


def _split_before(graph: Graph, operator: Any, before: Any, slopes: Values) -> None:
    """prelu(W u + b) = (aW u + ab) + relu((1-a)W u + (1-a)b)"""
    output = int(operator.outputs[0])
    name, shape = graph.tensor_name(output), graph.shape(output)
    linear, positive = graph.add_tensor(f"{name}/linear", shape), graph.add_tensor(f"{name}/positive", shape)
    first = twin(graph, before, linear, NONE)
    second = twin(graph, before, positive, RELU)
    total = graph.make("ADD", [linear, positive], [output], addition())
    graph.swap([before, operator], [first, second, total])
    scale_outputs(graph, first, slopes)
    scale_outputs(graph, second, 1 - slopes)


def _split_after(graph: Graph, operator: Any, after: Any, slopes: Values) -> None:
    """W prelu(x) + b = (Wa x + b) + W(1-a) relu(x)"""
    source, output = int(operator.inputs[0]), int(after.outputs[0])
    name = graph.tensor_name(int(operator.outputs[0]))
    nothing = graph.add_constant(f"{name}/nothing", np.zeros((1, 1, 1, 1), np.float32))
    positive = graph.add_tensor(f"{name}/positive", graph.shape(source))
    parts = [graph.add_tensor(f"{name}/{part}", graph.shape(output)) for part in ("first", "second")]
    relu = graph.make("ADD", [source, nothing], [positive], addition(RELU))
    first, second = twin(graph, after, parts[0], NONE), twin(graph, after, parts[1], NONE)
    first.inputs[0], second.inputs[0] = source, positive
    total = graph.make("ADD", parts, [output], addition(after.builtinOptions.fusedActivationFunction))
    graph.swap([operator, after], [relu, first, second, total])
    scale_inputs(graph, first, slopes)
    scale_inputs(graph, second, 1 - slopes)
    graph.replace(second, 2, np.zeros_like(graph.weights(second, 2)))


def twin(graph: Graph, operator: Any, output: int, activation: int) -> Any:
    """A convolution like another, with weights of its own, another output and activation."""
    name = graph.tensor_name(output)
    weights = graph.add_constant(f"{name}/weights", graph.weights(operator, 1))
    bias = graph.add_constant(f"{name}/bias", graph.weights(operator, 2))
    options = type(operator.builtinOptions)()
    vars(options).update(vars(operator.builtinOptions))
    options.fusedActivationFunction = activation
    return graph.make(graph.kind(operator), [int(operator.inputs[0]), weights, bias], [output], options)


def addition(activation: int = NONE) -> Any:
    """Options of an ADD."""
    options = schema.AddOptionsT()
    options.fusedActivationFunction = activation
    # Only int16 looks at it, and LiteRT's converter sets it there.
    options.potScaleInt16 = False
    return options
