"""Small float TFLite networks, built operator by operator: what the converter's passes are tried on."""

from typing import Any

import numpy as np
import pytest

from support import tiny_models

pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the converter works with ai-edge-litert's schema")
pytest.importorskip("flatbuffers", reason="the converter writes TFLite files with flatbuffers")

from converter.graph import NONE, RELU, RELU6, Graph, Values, schema


class Builder:
    """A graph that grows from its input; every method returns the tensor that it adds."""

    def __init__(self, side: int = 12, channels: int = 3, seed: int = 0) -> None:
        self.graph = Graph(tiny_models.identity())
        self.graph.body.operators = []
        self.random = np.random.default_rng(seed)
        self.input = self.graph.add_tensor("picture", (1, side, side, channels))
        self.graph.body.inputs = np.array([self.input], np.int32)

    def conv(self, source: int, filters: int, kernel: int = 1, stride: int = 1, activation: int = NONE) -> int:
        before = self.graph.shape(source)
        weights = self.random.normal(0, (kernel * kernel * before[3]) ** -0.5, (filters, kernel, kernel, before[3]))
        options = schema.Conv2DOptionsT()
        return self._convolution("CONV_2D", source, weights, filters, stride, options, activation)

    def depthwise(self, source: int, kernel: int = 3, stride: int = 1) -> int:
        channels = self.graph.shape(source)[3]
        weights = self.random.normal(0, 1 / kernel, (1, kernel, kernel, channels))
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        return self._convolution("DEPTHWISE_CONV_2D", source, weights, channels, stride, options, NONE)

    def prelu(self, source: int, slopes: Values | None = None) -> int:
        channels = self.graph.shape(source)[3]
        values = self.random.normal(0, 2, channels) if slopes is None else slopes
        return self.add("PRELU", [source, self.constant(values.reshape(1, 1, -1))], self.graph.shape(source))

    def binary(self, kind: str, first: int, second: int) -> int:
        options = getattr(schema, f"{kind.title()}OptionsT")()
        return self.add(kind, [first, second], self.graph.shape(first), options)

    def vector(self, source: int) -> Graph:
        """Ends in a vector of all that is left."""
        size = int(np.prod(self.graph.shape(source)))
        shape = self.graph.add_constant("shape", np.array([1, size], np.int32))
        output = self.add("RESHAPE", [source, shape], (1, size), schema.ReshapeOptionsT())
        self.graph.body.outputs = np.array([output], np.int32)
        self.graph.model.signatureDefs = None
        return self.graph.copy()

    def constant(self, values: Values) -> int:
        return self.graph.add_constant(f"constant_{len(self.graph.body.tensors)}", values.astype(np.float32))

    def add(self, kind: str, inputs: list[int], shape: tuple[int, ...], options: Any = None) -> int:
        output = self.graph.add_tensor(f"{kind.lower()}_{len(self.graph.body.tensors)}", shape)
        self.graph.operators.append(self.graph.make(kind, inputs, [output], options))
        return output

    def _convolution(
        self, kind: str, source: int, weights: Values, filters: int, stride: int, options: Any, activation: int
    ) -> int:
        before = self.graph.shape(source)
        side = -(-before[1] // stride)
        options.padding, options.strideH, options.strideW = schema.Padding.SAME, stride, stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = activation
        bias = self.constant(self.random.normal(0, 0.3, filters))
        return self.add(kind, [source, self.constant(weights), bias], (1, side, side, filters), options)


def residual_network(seed: int = 0) -> Graph:
    """MobileFaceNet in small: convolutions, depthwise ones, PReLU with slopes of all sizes, a residual stream."""
    b = Builder(seed=seed)
    x = b.prelu(b.conv(b.input, 16, 3, 2))
    x = b.prelu(b.depthwise(x))
    stream = b.conv(x, 16)
    for _ in range(2):
        x = b.prelu(b.conv(stream, 32))
        x = b.prelu(b.depthwise(x))
        stream = b.binary("ADD", b.conv(x, 16), stream)
    x = b.prelu(b.conv(stream, 32))
    x = b.depthwise(x, 3, 6)
    return b.vector(b.conv(b.conv(x, 32), 24))


def gated_network(seed: int = 0, activation: str = "HARD_SWISH") -> Graph:
    """MobileNetV3 or EfficientNet in small: HARD_SWISH or swish, RELU6, squeeze and excitation, a dense layer."""
    b = Builder(seed=seed)
    x = _curved(b, b.conv(b.input, 16, 3, 2), activation)
    for _ in range(2):
        wide = _curved(b, b.depthwise(b.conv(x, 24, activation=RELU6)), activation)
        x = b.binary("ADD", b.conv(_excited(b, wide), 16), x)
    flat = b.add("MEAN", [_curved(b, b.conv(x, 32), activation), _axes(b)], (1, 32), schema.ReducerOptionsT())
    weights = b.constant(b.random.normal(0, 0.2, (24, 32)))
    dense = [flat, weights, b.constant(b.random.normal(0, 0.1, 24))]
    output = b.add("FULLY_CONNECTED", dense, (1, 24), schema.FullyConnectedOptionsT())
    b.graph.body.outputs = np.array([output], np.int32)
    b.graph.model.signatureDefs = None
    return b.graph.copy()


def _curved(b: Builder, x: int, activation: str) -> int:
    if activation == "HARD_SWISH":
        return b.add("HARD_SWISH", [x], b.graph.shape(x))
    return b.binary("MUL", x, b.add("LOGISTIC", [x], b.graph.shape(x)))


def _excited(b: Builder, x: int) -> int:
    """Each channel times a number of 0..1 that depends on the means of all."""
    options = schema.ReducerOptionsT()
    options.keepDims = True
    channels = b.graph.shape(x)[3]
    mean = b.add("MEAN", [x, _axes(b)], (1, 1, 1, channels), options)
    gate = b.conv(b.conv(mean, 8, activation=RELU), channels)
    return b.binary("MUL", x, b.add("LOGISTIC", [gate], b.graph.shape(gate)))


def _axes(b: Builder) -> int:
    return b.graph.add_constant(f"axes_{len(b.graph.body.tensors)}", np.array([1, 2], np.int32))


def pictures(graph: Graph, count: int, seed: int = 0) -> list[Values]:
    random = np.random.default_rng(seed)
    return [random.uniform(-1, 1, graph.shape(graph.inputs[0])).astype(np.float32) for _ in range(count)]
