"""The same function with fewer operators: constants widened, PReLU recognised, batch norm and activations folded."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.graph import CONVOLUTIONS, NONE, RELU, RELU6, Graph, Values

UNARY: dict[str, Callable[[Values], Values]] = {"ABS": np.abs, "NEG": np.negative, "RELU": lambda x: np.maximum(x, 0)}
BINARY: dict[str, Callable[[Values, Values], Values]] = {
    "ADD": np.add,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": np.multiply,
    "SUB": np.subtract,
}
ELEMENTWISE = frozenset({*UNARY, *BINARY, "LEAKY_RELU"})
MOST_OPERATORS = 8
"""The most operators that one spelt-out activation may have."""
PROBES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
ACTIVATIONS = {"RELU": RELU, "RELU6": RELU6}


def simplify(graph: Graph) -> None:
    """All passes of this file, in the order that lets each find the most."""
    widen_constants(graph)
    give_biases(graph)
    recognise_prelu(graph)
    fold_affine(graph)
    fuse_activations(graph)
    merge_linear(graph)


def widen_constants(graph: Graph) -> None:
    """Weights that are stored as float16 and dequantised at every start become float32."""
    for operator in list(graph.operators):
        if graph.kind(operator) != "DEQUANTIZE":
            continue
        values = graph.values(int(operator.inputs[0]))
        if values is not None and values.dtype == np.float16:
            output = int(operator.outputs[0])
            graph.redirect(output, graph.add_constant(graph.tensor_name(output), values.astype(np.float32)))
            graph.operators.remove(operator)


def give_biases(graph: Graph) -> None:
    """Give every convolution and dense layer without a bias one of zeros, which the other passes can change.

    TensorFlow's converter leaves a bias out, or puts -1 for it, where it is not used or is zero.
    """
    for operator in graph.operators:
        if graph.kind(operator) not in CONVOLUTIONS or (len(operator.inputs) > 2 and operator.inputs[2] >= 0):
            continue
        channels = graph.shape(int(operator.outputs[0]))[-1]
        name = f"{graph.tensor_name(int(operator.outputs[0]))}/bias"
        bias = graph.add_constant(name, np.zeros(channels, np.float32))
        operator.inputs = np.array([*operator.inputs[:2], bias], np.int32)


def recognise_prelu(graph: Graph) -> None:
    """Activations spelt out with RELU, ABS, MUL... become one PRELU, when that is what they compute.

    Converters write PReLU as relu(x) + c (x - |x|), relu(x) - a relu(-x), max(x, ax)...: what such a group of operators
    computes is tried out on a few values, rather than compared with each spelling.
    """
    for root in reversed(list(graph.operators)):
        if graph.kind(root) not in {"ADD", "SUB", "MAXIMUM", "LEAKY_RELU"} or not _present(graph, root):
            continue
        group = _activation_group(graph, root)
        if group is None:
            continue
        source, operators = group
        slopes = _slopes(graph, root, source, operators)
        if slopes is not None:
            output = int(root.outputs[0])
            slope = graph.add_constant(
                f"{graph.tensor_name(output)}/slope", slopes.astype(np.float32).reshape(1, 1, -1)
            )
            graph.swap(operators, [graph.make("PRELU", [source, slope], [output])])


def _present(graph: Graph, operator: Any) -> bool:
    return any(o is operator for o in graph.operators)


def _activation_group(graph: Graph, root: Any) -> tuple[int, list[Any]] | None:
    """(tensor, operators): the fewest element-wise operators before `root` that all come from one tensor."""
    group, open_tensors = [root], _computed(graph, root)
    while len(group) <= MOST_OPERATORS:
        if len(set(open_tensors)) == 1 and _closed(graph, group, root):
            return open_tensors[0], group
        producers = [graph.producer(t) for t in set(open_tensors)]
        inner = [p for p in producers if p is not None and graph.kind(p) in ELEMENTWISE]
        if not inner:
            return None
        # The operator that is executed last: nothing it reads can depend on the others.
        last = max(inner, key=lambda p: next(i for i, o in enumerate(graph.operators) if o is p))
        group.append(last)
        open_tensors = [t for t in open_tensors if t != int(last.outputs[0])] + _computed(graph, last)
    return None


def _computed(graph: Graph, operator: Any) -> list[int]:
    return [int(i) for i in operator.inputs if graph.values(int(i)) is None]


def _closed(graph: Graph, group: list[Any], root: Any) -> bool:
    """Whether nothing outside the group reads what is computed inside, except its result."""
    members = {id(o) for o in group}
    inside = [int(o.outputs[0]) for o in group if o is not root]
    return all(id(c) in members for t in inside for c in graph.consumers(t)) and not set(inside) & set(graph.outputs)


def _slopes(graph: Graph, root: Any, source: int, operators: list[Any]) -> Values | None:
    """(channels,) slopes below zero, when the operators compute x for x > 0 and a x for x < 0; otherwise None.

    None too when that is x for all of them.
    """
    channels = graph.shape(source)[-1] if graph.shape(source) else 0
    known: dict[int, Values] = {source: np.repeat(PROBES[:, None], channels, 1)}
    order = [o for o in graph.operators if any(o is member for member in operators)]
    for operator in order:
        constants = [graph.values(int(i)) for i in operator.inputs]
        if any(c is not None and c.size not in {1, channels} for c in constants):
            return None
        pairs = zip(operator.inputs, constants, strict=True)
        given = [known[int(i)] if c is None else c.reshape(-1) for i, c in pairs]
        known[int(operator.outputs[0])] = _compute(graph.kind(operator), given, operator)
    result = known[int(root.outputs[0])]
    slopes: Values = -result[1]
    wanted = np.where(PROBES[:, None] > 0, PROBES[:, None], PROBES[:, None] * slopes)
    # Not even the smallest constant may be added: what is near zero here may become a divisor later.
    same = np.allclose(result, wanted, rtol=1e-5, atol=0)
    return slopes if same and (slopes != 1).any() else None


def _compute(kind: str, given: list[Values], operator: Any) -> Values:
    first, second = given[0], given[-1]
    if kind == "LEAKY_RELU":
        leaky: Values = np.where(first > 0, first, first * operator.builtinOptions.alpha)
        return leaky
    values = _simple(kind, first, second)
    options = operator.builtinOptions
    return np.maximum(values, 0) if getattr(options, "fusedActivationFunction", NONE) == RELU else values


def _simple(kind: str, first: Values, second: Values) -> Values:
    if kind in UNARY:
        alone: Values = UNARY[kind](first)
        return alone
    both: Values = BINARY[kind](first, second)
    return both


def fold_affine(graph: Graph) -> None:
    """A multiplication, addition or subtraction by a constant per channel, after a convolution, goes into its weights.

    Batch normalisation that no converter folded leaves these.
    """
    for operator in list(graph.operators):
        if graph.kind(operator) not in {"MUL", "ADD", "SUB"}:
            continue
        before, constant = _affine(graph, operator)
        if before is None or constant is None:
            continue
        bias = graph.weights(before, 2)
        if graph.kind(operator) == "MUL":
            scale_outputs(graph, before, constant)
        else:
            graph.replace(before, 2, bias + (constant if graph.kind(operator) == "ADD" else -constant))
        before.builtinOptions.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
        before.outputs = operator.outputs
        graph.operators.remove(operator)


def _affine(graph: Graph, operator: Any) -> tuple[Any | None, Values | None]:
    """The convolution that feeds nothing but this operator, and the constant, one value per channel."""
    first, second = (int(i) for i in operator.inputs)
    constant = graph.values(second)
    if constant is None and graph.kind(operator) != "SUB":
        first, constant = second, graph.values(first)
    before = graph.producer(first)
    if before is None or constant is None or graph.kind(before) not in CONVOLUTIONS or len(before.inputs) < 3:
        return None, None
    channels = graph.shape(first)[-1]
    alone = len(graph.consumers(first)) == 1 and first not in graph.outputs
    if not alone or constant.size not in {1, channels} or before.builtinOptions.fusedActivationFunction != NONE:
        return None, None
    return before, np.broadcast_to(constant.reshape(-1), (channels,))


def fuse_activations(graph: Graph) -> None:
    """A separate RELU or RELU6 becomes part of the convolution or addition before it."""
    for operator in list(graph.operators):
        activation = ACTIVATIONS.get(graph.kind(operator))
        if activation is None:
            continue
        source = int(operator.inputs[0])
        before = graph.producer(source)
        if before is None or graph.kind(before) not in {*CONVOLUTIONS, "ADD"}:
            continue
        if before.builtinOptions.fusedActivationFunction == NONE and len(graph.consumers(source)) == 1:
            before.builtinOptions.fusedActivationFunction = activation
            before.outputs = operator.outputs
            graph.operators.remove(operator)


def merge_linear(graph: Graph) -> None:
    """Two convolutions with nothing between, the second 1x1, become one, unless that needs more multiplications."""
    for second in list(graph.operators):
        if not _pointwise(graph, second):
            continue
        source = int(second.inputs[0])
        first = graph.producer(source)
        if first is None or graph.kind(first) != "CONV_2D" or len(first.inputs) < 3 or len(second.inputs) < 3:
            continue
        alone = len(graph.consumers(source)) == 1 and source not in graph.outputs
        if alone and first.builtinOptions.fusedActivationFunction == NONE:
            _merge(graph, first, second)


def _pointwise(graph: Graph, operator: Any) -> bool:
    if graph.kind(operator) != "CONV_2D":
        return False
    options = operator.builtinOptions
    return graph.shape(int(operator.inputs[1]))[1:3] == (1, 1) and (options.strideH, options.strideW) == (1, 1)


def _merge(graph: Graph, first: Any, second: Any) -> None:
    """W = W2 W1, b = W2 b1 + b2."""
    w1, b1 = graph.weights(first, 1).astype(np.float64), graph.weights(first, 2).astype(np.float64)
    w2 = graph.weights(second, 1)[:, 0, 0].astype(np.float64)
    merged = np.einsum("om,mhwi->ohwi", w2, w1)
    if merged.size > w1.size + w2.size:
        return
    bias = w2 @ b1 + graph.weights(second, 2)
    first.outputs = second.outputs
    first.builtinOptions.fusedActivationFunction = second.builtinOptions.fusedActivationFunction
    graph.operators.remove(second)
    graph.replace(first, 1, merged.astype(np.float32))
    graph.replace(first, 2, bias.astype(np.float32))


def scale_outputs(graph: Graph, operator: Any, factors: Values) -> None:
    """Multiply each output channel of a convolution."""
    weights = graph.weights(operator, 1)
    depthwise = graph.kind(operator) == "DEPTHWISE_CONV_2D"
    shaped = factors.astype(np.float64)
    graph.replace(operator, 1, weights * (shaped if depthwise else shaped.reshape(-1, *[1] * (weights.ndim - 1))))
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        graph.replace(operator, 2, graph.weights(operator, 2) * shaped)


def scale_inputs(graph: Graph, operator: Any, factors: Values) -> None:
    """Multiply each input channel's weights of a convolution."""
    graph.replace(operator, 1, graph.weights(operator, 1) * factors.astype(np.float64))
