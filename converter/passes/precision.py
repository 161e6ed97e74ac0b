"""Float operators -> int8 or int16 ones, all or some of them; after TFLite's 8-bit quantisation specification.

Own code rather than a library's: ai-edge-quantizer 0.10 leaves graphs with PRELU as they are, and gives weights that
two operators share zero points that the kernels refuse.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.graph import CONVOLUTIONS, TYPES, Graph, Values, schema
from converter.passes.ranges import Range, with_zero
from edge.errors import ModelError

INTEGER = frozenset(
    {
        *CONVOLUTIONS,
        *("ADD", "SUB", "MUL", "RESHAPE", "SQUEEZE", "PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION", "MEAN"),
        *("RELU", "RELU6", "LOGISTIC", "TANH", "L2_NORMALIZATION", "RESIZE_BILINEAR", "MAXIMUM", "MINIMUM", "PRELU"),
    }
)
"""Operators that have int8 kernels."""
SAME_SCALE = frozenset(
    {"RESHAPE", "SQUEEZE", "PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION", "RESIZE_BILINEAR", "RELU", "RELU6"}
    | {"MAXIMUM", "MINIMUM"}
)
"""These move or select values, so that input and output share one scale."""
FIXED = {"LOGISTIC": (1 / 256, -128), "L2_NORMALIZATION": (1 / 128, 0), "TANH": (1 / 128, 0)}
FIXED_WIDE = {"LOGISTIC": (1 / 32768, 0), "TANH": (1 / 32768, 0)}
"""The output scales that the kernels insist on."""
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4} | dict.fromkeys(
    (
        *("QUANTIZE", "DEQUANTIZE", "LOGISTIC", "MAX_POOL_2D", "AVERAGE_POOL_2D", "CONCATENATION"),
        *("ADD", "SUB", "MUL", "PAD", "MEAN"),
    ),
    2,
)
"""The first version of an operator's schema that has int8, where that is not 1."""
WEIGHT_LIMIT = 127
LEAST_RATIO = 1 / 128
ADDITIONS = frozenset({"ADD", "SUB"})


@dataclass(frozen=True, slots=True)
class Scale:
    """value = step * (number - zero)"""

    step: float
    zero: int


def eight_bits(given: Range) -> Scale:
    """-128..127 over a range that holds 0."""
    low, high = with_zero(given)
    step = max((high - low) / 255, 1e-9)
    return Scale(step, int(np.clip(round(-128 - low / step), -128, 127)))


def sixteen_bits(given: Range) -> Scale:
    """Symmetric, as the kernels have no zero point."""
    return Scale(max(abs(given[0]), abs(given[1]), 1e-9) / 32767, 0)


class Quantiser:
    """Turns operators of a float graph into integer ones, with QUANTIZE and DEQUANTIZE where they meet the others."""

    def __init__(self, graph: Graph, ranges: Mapping[str, Range], bits: int = 8) -> None:
        self._graph = graph
        self._wide = bits == 16
        self._type = schema.TensorType.INT16 if self._wide else schema.TensorType.INT8
        self._ranges = {
            i: ranges[name] for i in range(len(graph.body.tensors)) if (name := graph.tensor_name(i)) in ranges
        }

    def run(self, chosen: Collection[str] | None = None) -> None:
        """Quantise the operators whose outputs have these names; None: all, the network's input and output too.

        Raises ModelError naming an operator that has no integer form, or a tensor of unknown range.
        """
        whole = chosen is None
        picked = self._picked(chosen)
        scales = self._scales(picked)
        twins = {tensor: self._twin(tensor, scale) for tensor, scale in scales.items()}
        for operator in picked:
            self._convert(operator, scales)
        self._join(picked, twins, whole)

    def scales(self) -> dict[str, Scale]:
        """The scale of every activation when all operators are quantised, by name. Raises ModelError as `run` does."""
        return {self._graph.tensor_name(tensor): scale for tensor, scale in self._scales(self._picked(None)).items()}

    def _picked(self, chosen: Collection[str] | None) -> list[Any]:
        graph = self._graph
        picked = [o for o in graph.operators if chosen is None or graph.tensor_name(int(o.outputs[0])) in chosen]
        if wrong := [graph.label(o) for o in picked if graph.kind(o) not in INTEGER]:
            raise ModelError(f"{graph.name}: {', '.join(wrong)} has no integer form; convert to `int8` instead")
        return picked

    def _scales(self, picked: list[Any]) -> dict[int, Scale]:
        """The scale of every activation that a chosen operator reads or writes."""
        self._tie(picked)
        scales: dict[int, Scale] = {}
        for operator in picked:
            for tensor in self._activations(operator):
                scales[tensor] = self._scale_of(tensor)
        fixed = FIXED_WIDE if self._wide else FIXED
        for operator in picked:
            if self._graph.kind(operator) in fixed:
                scales[int(operator.outputs[0])] = Scale(*fixed[self._graph.kind(operator)])
        return scales

    def _scale_of(self, tensor: int) -> Scale:
        if tensor not in self._ranges:
            raise ModelError(
                f"{self._graph.name}: the range of tensor {self._graph.tensor_name(tensor)!r} is not known"
            )
        return sixteen_bits(self._ranges[tensor]) if self._wide else eight_bits(self._ranges[tensor])

    def _tie(self, picked: list[Any]) -> None:
        """Give tensors that must share a scale one range that holds all of theirs."""
        changed = True
        while changed:
            changed = False
            for operator in picked:
                if self._graph.kind(operator) not in SAME_SCALE:
                    continue
                tied = [t for t in self._activations(operator) if t in self._ranges]
                joint = min(self._ranges[t][0] for t in tied), max(self._ranges[t][1] for t in tied)
                changed |= any(self._ranges[t] != joint for t in tied)
                self._ranges.update(dict.fromkeys(tied, joint))

    def _activations(self, operator: Any) -> list[int]:
        computed = [int(i) for i in operator.inputs if i >= 0 and self._graph.values(int(i)) is None]
        return [*computed, *(int(t) for t in operator.outputs)]

    def _twin(self, tensor: int, scale: Scale) -> int:
        """An integer tensor for a float one."""
        made = self._graph.add_tensor(f"{self._graph.tensor_name(tensor)}/int", self._graph.shape(tensor))
        self._mark(made, self._type, scale)
        return made

    def _mark(self, tensor: int, kind: int, scale: Scale) -> None:
        found = self._graph.body.tensors[tensor]
        found.type = kind
        found.quantization = parameters(np.array([scale.step]), np.array([scale.zero]))

    def _convert(self, operator: Any, scales: Mapping[int, Scale]) -> None:
        """Constants of one operator into integers."""
        graph, kind = self._graph, self._graph.kind(operator)
        if kind in CONVOLUTIONS:
            steps = integer_weights(graph, operator)
            if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
                self._bias(operator, scales[int(operator.inputs[0])].step * steps)
        else:
            for slot, tensor in enumerate(operator.inputs):
                values = graph.values(int(tensor))
                if values is not None and values.dtype.kind == "f":
                    numbers, scale = rounded_constant(values, kind, scales[int(operator.outputs[0])], wide=self._wide)
                    own_constant(graph, operator, slot, numbers, self._type, parameters([scale.step], [scale.zero]))
        raise_version(graph, kind)

    def _bias(self, operator: Any, steps: Values) -> None:
        kind = schema.TensorType.INT64 if self._wide else schema.TensorType.INT32
        numbers = np.round(self._graph.weights(operator, 2) / steps)
        limit = 2**62 if self._wide else 2**31 - 1
        own_constant(
            self._graph, operator, 2, np.clip(numbers, -limit, limit), kind, parameters(steps, np.zeros(len(steps)))
        )

    def _join(self, picked: list[Any], twins: Mapping[int, int], whole: bool) -> None:
        """Wire the integer operators to each other, and to the float ones through conversions."""
        graph = self._graph
        members = {id(o) for o in picked}
        written = {int(t) for o in picked for t in o.outputs}
        order: list[Any] = []
        ready: set[int] = set()
        for operator in graph.operators:
            if id(operator) not in members:
                order.append(operator)
                continue
            for tensor in operator.inputs:
                if int(tensor) in twins and int(tensor) not in written | ready:
                    ready.add(int(tensor))
                    if not (whole and int(tensor) in graph.inputs):
                        order.append(graph.make("QUANTIZE", [tensor], [twins[int(tensor)]], schema.QuantizeOptionsT()))
            outputs = [int(t) for t in operator.outputs]
            operator.inputs = np.array([twins.get(int(i), i) for i in operator.inputs], np.int32)
            operator.outputs = np.array([twins[t] for t in outputs], np.int32)
            order.append(operator)
            order += [self._back(t, twins[t]) for t in outputs if self._read_as_float(t, members, whole)]
        graph.body.operators = order
        if whole:
            graph.body.inputs = np.array([twins.get(i, i) for i in graph.inputs], np.int32)
            graph.body.outputs = np.array([twins.get(i, i) for i in graph.outputs], np.int32)
            graph.model.signatureDefs = None
        for kind in ("QUANTIZE", "DEQUANTIZE"):
            raise_version(graph, kind)

    def _back(self, tensor: int, twin: int) -> Any:
        return self._graph.make("DEQUANTIZE", [twin], [tensor], schema.DequantizeOptionsT())

    def _read_as_float(self, tensor: int, members: Collection[int], whole: bool) -> bool:
        outside = any(id(o) not in members for o in self._graph.consumers(tensor))
        return outside or (tensor in self._graph.outputs and not whole)


def rounded_constant(values: Values, kind: str, output: Scale, *, wide: bool = False) -> tuple[Values, Scale]:
    """(whole numbers, their scale) of a constant that is no convolution's; `kind` is of the operator that reads it."""
    # XNNPACK leaves additions alone whose operands are of too different a step.
    least = 127 * output.step * LEAST_RATIO if kind in ADDITIONS else 0.0
    bounds = min(float(values.min()), -least), max(float(values.max()), least)
    scale, limit = (sixteen_bits(bounds), 32767) if wide else (eight_bits(bounds), 127)
    return np.clip(np.round(values / scale.step) + scale.zero, -limit - 1, limit), scale


def integer_weights(graph: Graph, operator: Any) -> Values:
    """Weights of a convolution as int8 with a scale for each output channel; returns those scales."""
    numbers, steps, axis = rounded_weights(graph, operator)
    own_constant(graph, operator, 1, numbers, schema.TensorType.INT8, parameters(steps, np.zeros(len(steps)), axis))
    return steps


def rounded_weights(graph: Graph, operator: Any) -> tuple[Values, Values, int]:
    """(whole numbers in the weights' shape, a step for each output channel, the axis of those)."""
    weights = graph.weights(operator, 1)
    axis = weights.ndim - 1 if graph.kind(operator) == "DEPTHWISE_CONV_2D" else 0
    others = tuple(i for i in range(weights.ndim) if i != axis)
    steps: Values = np.maximum(np.abs(weights).max(others), 1e-9) / WEIGHT_LIMIT
    shaped = steps.reshape([-1 if i == axis else 1 for i in range(weights.ndim)])
    return np.clip(np.round(weights / shaped), -WEIGHT_LIMIT, WEIGHT_LIMIT), steps, axis


def own_constant(graph: Graph, operator: Any, slot: int, numbers: Values, kind: int, quantisation: Any) -> None:
    """A quantised constant that no other operator shares."""
    name = f"{graph.tensor_name(int(operator.inputs[slot]))}/int"
    made = graph.add_constant(name, np.zeros(numbers.shape, np.float32))
    tensor = graph.body.tensors[made]
    tensor.type, tensor.quantization = kind, quantisation
    raw = np.ascontiguousarray(numbers.astype(TYPES[kind])).tobytes()
    graph.model.buffers[tensor.buffer].data = np.frombuffer(raw, np.uint8)
    operator.inputs = np.array(operator.inputs, np.int32)
    operator.inputs[slot] = made


def parameters(steps: Any, zeros: Any, axis: int = 0) -> Any:
    """The schema's quantisation of a tensor."""
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = np.asarray(steps, np.float32), np.asarray(zeros, np.int64)
    made.quantizedDimension = axis
    return made


def raise_version(graph: Graph, kind: str) -> None:
    """To the first version of an operator's schema that knows int8."""
    for code in graph.model.operatorCodes:
        if max(code.builtinCode, code.deprecatedBuiltinCode) == getattr(schema.BuiltinOperator, kind):
            code.version = max(code.version, VERSIONS.get(kind, 1))


def dynamic(graph: Graph, kinds: Collection[str] = ("CONV_2D", "FULLY_CONNECTED")) -> None:
    """int8 weights; activations stay float, and the kernel quantises them for each picture."""
    for operator in graph.operators:
        if graph.kind(operator) in kinds and graph.values(int(operator.inputs[1])) is not None:
            integer_weights(graph, operator)
            if graph.kind(operator) == "FULLY_CONNECTED":
                operator.builtinOptions.asymmetricQuantizeInputs = True
    for code in graph.model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.CONV_2D:
            code.version = max(code.version, 5)
        if code.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED:
            code.version = max(code.version, 9)
