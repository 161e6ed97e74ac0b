"""What is left of channels first, PyTorch's order, in a network that onnx2tf has converted to channels last."""

from typing import Any

import numpy as np

from converter.graph import Graph
from edge.errors import ModelError

CHANNELS_FIRST = [0, 3, 1, 2]
BRIDGE = "_nhwc_bridge"
"""How onnx2tf calls the channels-last form of a tensor that others read channels first."""
UNARY = frozenset({"RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH"})
BINARY = frozenset({"ADD", "MUL", "SUB"})


def reconnect(content: bytes, name: str) -> bytes:
    """Return the network with the TRANSPOSEs that onnx2tf removed although somebody still reads what they made.

    Raises ModelError when something else is read that nothing computes. Whether the result is right, `proof` shows.
    """
    graph = Graph(content, name)
    computed = {int(tensor) for operator in graph.operators for tensor in operator.outputs} | {*graph.inputs}
    read = {int(tensor) for operator in graph.operators for tensor in operator.inputs if tensor >= 0}
    for tensor in sorted(read - computed):
        if graph.values(tensor) is None:
            _transpose_again(graph, tensor)
    return graph.pack()


def _transpose_again(graph: Graph, lost: int) -> None:
    bridge = graph.tensor_name(lost) + BRIDGE
    made = next((o for o in graph.operators if graph.tensor_name(int(o.outputs[0])) == bridge), None)
    shape = graph.shape(int(made.outputs[0])) if made is not None else ()
    if made is None or len(shape) != 4 or graph.shape(lost) != tuple(shape[axis] for axis in CHANNELS_FIRST):
        raise ModelError(
            f"{graph.name}: onnx2tf converts it to a network in which nothing computes {graph.tensor_name(lost)!r}: "
            "this kind of network cannot be imported"
        )
    order = graph.add_constant(f"{bridge}/order", np.array(CHANNELS_FIRST, np.int32))
    graph.swap([made], [made, graph.make("TRANSPOSE", [int(made.outputs[0]), order], [lost])])


def flatten_channels_last(content: bytes, name: str) -> bytes:
    """The same network, where a TRANSPOSE to channels first ends in RESHAPE and FULLY_CONNECTED.

    Instead of moving the numbers, the matrix is reordered: no integer operator moves axes, so that a network with such
    a step would have no `int8-full`.
    """
    graph = Graph(content, name)
    for operator in [o for o in graph.operators if graph.kind(o) == "TRANSPOSE"]:
        chain = _chain(graph, operator)
        if chain:
            _reorder(graph, operator, chain)
    return graph.pack()


def _chain(graph: Graph, transpose: Any) -> list[Any]:
    """What follows up to the FULLY_CONNECTED, one after the other; empty: something else follows."""
    order, shape = graph.values(int(transpose.inputs[1])), graph.shape(int(transpose.inputs[0]))
    if order is None or list(order) != CHANNELS_FIRST or len(shape) != 4 or shape[0] != 1:
        return []
    found: list[Any] = []
    tensor = int(transpose.outputs[0])
    while len(following := graph.consumers(tensor)) == 1 and tensor not in graph.outputs:
        found.append(following[0])
        kind, before = graph.kind(following[0]), graph.kind(found[-2]) if len(found) > 1 else ""
        if before == "RESHAPE":
            weights = graph.values(int(following[0].inputs[1])) if kind == "FULLY_CONNECTED" else None
            return found if weights is not None and weights.shape[1] == np.prod(shape) else []
        if kind == "RESHAPE":
            if graph.shape(int(following[0].outputs[0])) != (1, int(np.prod(shape))):
                return []
        elif not _elementwise(graph, following[0], tensor, shape[3]):
            return []
        tensor = int(following[0].outputs[0])
    return []


def _elementwise(graph: Graph, operator: Any, tensor: int, channels: int) -> bool:
    """Whether it does the same to every place of a channel."""
    if graph.kind(operator) in UNARY:
        return True
    others = [graph.values(int(i)) for i in operator.inputs if int(i) != tensor]
    if graph.kind(operator) not in BINARY or len(others) != 1 or others[0] is None:
        return False
    constant = others[0]
    return constant.size == 1 or (constant.size == channels and constant.shape[-3:] == (channels, 1, 1))


def _reorder(graph: Graph, transpose: Any, chain: list[Any]) -> None:
    source, moved = int(transpose.inputs[0]), int(transpose.outputs[0])
    shape = graph.shape(source)
    *between, _, dense = chain
    for operator in between:
        for slot, tensor in enumerate(operator.inputs):
            constant = graph.values(int(tensor))
            if constant is not None and constant.size > 1:
                graph.replace(operator, slot, constant.reshape(1, 1, 1, -1))
        graph.body.tensors[int(operator.outputs[0])].shape = np.array(shape, np.int32)
    graph.redirect(moved, source)
    graph.operators.remove(transpose)
    _, height, width, channels = shape
    weights = graph.weights(dense, 1).reshape(-1, channels, height, width)
    graph.replace(dense, 1, weights.transpose(0, 2, 3, 1).reshape(len(weights), -1))
