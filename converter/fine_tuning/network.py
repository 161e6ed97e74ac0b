"""A float TFLite graph as a TensorFlow function, plain or rounded as its int8 form rounds, with weights to train."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from converter.fine_tuning.operators import COMPUTE, Operation, compute
from converter.graph import CONVOLUTIONS, Graph, Values
from converter.passes.precision import FIXED, Scale, rounded_constant
from converter.passes.ranges import Range
from converter.sources import keras_of, tensorflow
from edge.errors import ModelError

BIAS_STEPS = 64
"""A bias moves by this many steps of its output while a weight moves by the largest weight of its channel."""
WIDTH_STEPS = 10
"""A range gets wider or narrower by this many parts of itself while a weight moves by the largest of its channel."""

Constant = Callable[[Any, int], Any]
Rounding = Callable[[int, Any], Any]


def plain(content: bytes) -> Callable[[Any], Any]:
    """A TFLite network as a function (n, h, w, c) -> (n, numbers) of TensorFlow. Raises ModelError."""
    graph = Graph(content)
    constants: dict[tuple[int, int], Values] = {}
    for operator in graph.operators:
        for slot, tensor in enumerate(operator.inputs):
            values = graph.values(int(tensor)) if tensor >= 0 else None
            if values is not None:
                constants[id(operator), slot] = _laid_out(graph, operator, slot, values)
    return lambda pictures: execute(graph, pictures, lambda o, slot: constants[id(o), slot], lambda _, values: values)


def execute(graph: Graph, pictures: Any, constant: Constant, rounded: Rounding) -> Any:
    """The vectors of pictures (n, h, w, c).

    `constant(operator, slot)` gives constants in TensorFlow's layout; `rounded(tensor, values)` is applied to the
    input and to what every operator computes. Raises ModelError when an operator is not known.
    """
    if unknown := sorted({kind for kind in graph.kinds() if kind not in COMPUTE}):
        raise ModelError(f"{graph.name}: {', '.join(unknown)} cannot be fine-tuned")
    known = {graph.inputs[0]: rounded(graph.inputs[0], pictures)}
    for operator in graph.operators:
        inputs = [(slot, int(i)) for slot, i in enumerate(operator.inputs) if i >= 0]
        given = [known[i] if i in known else constant(operator, slot) for slot, i in inputs]
        output = int(operator.outputs[0])
        operation = Operation(given, operator.builtinOptions, graph.shape(output))
        known[output] = rounded(output, compute(graph.kind(operator), operation))
    return known[graph.outputs[0]]


class _Weights(NamedTuple):
    """The constants of one convolution, relative to what they were, so that one learning rate fits all."""

    relative: Any
    """Variable: the weights in TensorFlow's layout, output channels last, by the largest of their channel."""
    largest: Values
    """(output channels,)"""
    moved: Any
    """Variable (output channels,): how far the bias has moved."""
    bias: Values
    unit: float


class RoundedNetwork:
    """A float graph that computes what its int8 form does, to within the kernels' own rounding.

    Rounding passes the gradient on unchanged (a straight-through estimator): Jacob et al., "Quantization and training
    of neural networks for efficient integer-arithmetic-only inference", CVPR 2018. Ranges are learnt too, each by one
    factor, so that its zero stays where it is.
    """

    def __init__(self, content: bytes, scales: Mapping[str, Scale]) -> None:
        """`scales`: of the input and of every computed tensor, by name. Raises ModelError."""
        self._tf = tensorflow()
        self._content = content
        self._graph = graph = Graph(content)
        names = {i: graph.tensor_name(i) for i in range(len(graph.body.tensors))}
        self._scales = {i: scales[name] for i, name in names.items() if name in scales}
        kinds = {int(o.outputs[0]): graph.kind(o) for o in graph.operators}
        self._fixed_scales = {self._scales[i] for i, kind in kinds.items() if kind in FIXED and i in self._scales}
        # One for all tensors that share a scale: those that must share it stay together.
        self._widths = {
            scale: keras_of(3).Variable(0.0)
            for scale in dict.fromkeys(self._scales.values())
            if scale not in self._fixed_scales
        }
        self._weights = {id(o): self._prepared(o) for o in graph.operators if graph.kind(o) in CONVOLUTIONS}

    @property
    def variables(self) -> list[Any]:
        return [*(v for w in self._weights.values() for v in (w.relative, w.moved)), *self._widths.values()]

    def __call__(self, pictures: Any) -> Any:
        return execute(self._graph, pictures, self._constant, self._rounded)

    def content(self) -> bytes:
        """The float graph with the weights as they are now."""
        graph = Graph(self._content)
        for operator, own in zip(graph.operators, self._graph.operators, strict=True):
            if (w := self._weights.get(id(own))) is not None:
                weights = w.relative.numpy() * w.largest
                graph.replace(operator, 1, _stored(graph, operator, weights).astype(np.float32))
                graph.replace(operator, 2, (w.bias + w.moved.numpy() * w.unit).astype(np.float32))
        return graph.pack()

    def ranges(self) -> dict[str, Range]:
        """The range of every tensor as it is now, by name."""
        return {
            self._graph.tensor_name(i): self._bounds(scale, float(self._width(scale)))
            for i, scale in self._scales.items()
        }

    def _width(self, scale: Scale) -> Any:
        """The factor on a range."""
        learnt = self._widths.get(scale)
        return 1.0 if learnt is None else self._tf.exp(WIDTH_STEPS * learnt.value)

    @staticmethod
    def _bounds(scale: Scale, width: Any) -> tuple[Any, Any]:
        return width * scale.step * (-128 - scale.zero), width * scale.step * (127 - scale.zero)

    def _prepared(self, operator: Any) -> _Weights:
        weights = _channels_last(self._graph, operator, self._graph.weights(operator, 1))
        largest = np.maximum(np.abs(weights).max(tuple(range(weights.ndim - 1))), 1e-9).astype(np.float32)
        bias = self._graph.weights(operator, 2)
        unit = self._scales[int(operator.outputs[0])].step * BIAS_STEPS
        relative, moved = (keras_of(3).Variable(values) for values in (weights / largest, np.zeros_like(bias)))
        return _Weights(relative, largest, moved, bias, unit)

    def _constant(self, operator: Any, slot: int) -> Any:
        w = self._weights.get(id(operator))
        if w is None:
            return self._fixed(operator, slot)
        if slot == 2:
            return w.bias + w.moved.value * w.unit
        weights = self._rounded_weights(w.relative.value * w.largest)
        if self._graph.kind(operator) != "DEPTHWISE_CONV_2D":
            return weights
        channels = self._graph.shape(int(operator.inputs[0]))[-1]
        return self._tf.reshape(weights, [*weights.shape[:2], channels, weights.shape[2] // channels])

    def _fixed(self, operator: Any, slot: int) -> Values:
        """A constant that is not trained, as the integer network has it."""
        values = self._graph.weights(operator, slot)
        if values.dtype.kind != "f":
            return values
        output = self._scales[int(operator.outputs[0])]
        numbers, scale = rounded_constant(values, self._graph.kind(operator), output)
        fixed: Values = (scale.step * (numbers - scale.zero)).astype(np.float32)
        return fixed

    def _rounded_weights(self, weights: Any) -> Any:
        """-127..127 with a scale for each channel, as `precision.rounded_weights` has it."""
        axes = list(range(len(weights.shape) - 1))
        limit = self._tf.stop_gradient(self._tf.maximum(self._tf.reduce_max(abs(weights), axes), 1e-9))
        return self._tf.quantization.fake_quant_with_min_max_vars_per_channel(
            weights, -limit, limit, num_bits=8, narrow_range=True
        )

    def _rounded(self, tensor: int, values: Any) -> Any:
        scale = self._scales[tensor]
        bounds = self._bounds(scale, self._width(scale))
        return self._tf.quantization.fake_quant_with_min_max_vars(values, *bounds, num_bits=8)


def _channels_last(graph: Graph, operator: Any, weights: Values) -> Values:
    """A convolution's weights with the output channels last; a depthwise one's without the axis of one."""
    kind = graph.kind(operator)
    if kind == "CONV_2D":
        return weights.transpose(1, 2, 3, 0)
    return weights[0] if kind == "DEPTHWISE_CONV_2D" else weights.T


def _stored(graph: Graph, operator: Any, weights: Values) -> Values:
    """The reverse of `_channels_last`."""
    kind = graph.kind(operator)
    if kind == "CONV_2D":
        return weights.transpose(3, 0, 1, 2)
    return weights[None] if kind == "DEPTHWISE_CONV_2D" else weights.T


def _laid_out(graph: Graph, operator: Any, slot: int, values: Values) -> Values:
    """A constant in TensorFlow's layout."""
    if slot != 1 or graph.kind(operator) not in CONVOLUTIONS:
        return values
    weights = _channels_last(graph, operator, values)
    channels = graph.shape(int(operator.inputs[0]))[-1]
    depthwise = graph.kind(operator) == "DEPTHWISE_CONV_2D"
    return weights.reshape(*weights.shape[:2], channels, -1) if depthwise else weights
