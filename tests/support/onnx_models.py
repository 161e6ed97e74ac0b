"""Small embedders as ONNX files, built node by node: what PyTorch's exporter writes for published networks."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
NUMBERS = 24
OPSET = 17


class EmbedderGraph:
    """A graph that grows node by node, with random weights."""

    def __init__(self, seed: int = 7) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(seed)

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an initialiser."""
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def noise(self, name: str, *shape: int, scale: float = 1.0, middle: float = 0.0) -> str:
        """Add random weights."""
        values = middle + scale * self._random.normal(size=shape)
        return self.constant(name, values.astype(np.float32))

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add an operator; returns the name of its output."""
        given = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [given], name=f"{given}_node", **attributes))
        return given

    def convolution(self, given: str, channels: int, to: int, side: int, **attributes: Any) -> str:
        """A convolution with a bias, its padding `same`."""
        number = len(self.nodes)
        fan = side * side * channels
        weight = self.noise(f"w{number}", to, channels, side, side, scale=(2 / fan) ** 0.5)
        bias = self.noise(f"b{number}", to, scale=0.1)
        pads = [side // 2] * 4
        return self.node("Conv", given, weight, bias, kernel_shape=[side, side], pads=pads, **attributes)

    def norm(self, given: str, channels: int) -> str:
        """A batch norm in the state of inference."""
        number = len(self.nodes)
        parts = [
            self.noise(f"gamma{number}", channels, scale=0.1, middle=1),
            self.noise(f"beta{number}", channels, scale=0.1),
            self.noise(f"mean{number}", channels, scale=0.1),
            self.constant(f"var{number}", self._random.uniform(0.5, 1.5, channels).astype(np.float32)),
        ]
        return self.node("BatchNormalization", given, *parts, epsilon=1e-5)

    def prelu(self, given: str, channels: int) -> str:
        """A PReLU with a slope per channel, as PyTorch writes it."""
        return self.node("PRelu", given, self.noise(f"slope{len(self.nodes)}", channels, 1, 1, scale=0.1, middle=0.25))


def embedder(
    *,
    batch: int | str = "batch",
    channels: int = 3,
    side: int | str = SIDE,
    normalised: bool = False,
    nhwc: bool = False,
    reshape: bool = False,
) -> Any:
    """A residual network in the manner of InsightFace's: flattened, then one matrix and a batch norm.

    `batch`: a number, or a name for any number. `nhwc`: pictures as TensorFlow orders them. `reshape`: the
    flatten has the batch, a number then, for a constant.
    """
    graph = EmbedderGraph()
    size = side if isinstance(side, int) else SIDE
    first = graph.node("Transpose", "data", perm=[0, 3, 1, 2]) if nhwc else "data"
    x = graph.prelu(graph.norm(graph.convolution(first, channels, 8, 3, strides=[2, 2]), 8), 8)
    y = graph.prelu(graph.norm(graph.convolution(x, 8, 8, 3), 8), 8)
    x = graph.node("Add", x, graph.convolution(y, 8, 8, 1))
    x = graph.node("Relu", graph.convolution(x, 8, 16, 3, strides=[2, 2]))
    rows = graph.constant("rows", np.array([batch, -1], np.int64)) if reshape else ""
    flat = graph.node("Reshape", x, rows) if reshape else graph.node("Flatten", x, axis=1)
    cells = 16 * (size // 4) ** 2
    weight = graph.noise("fc.weight", NUMBERS, cells, scale=(1 / cells) ** 0.5)
    x = graph.node("Gemm", flat, weight, graph.noise("fc.bias", NUMBERS, scale=0.1), transB=1)
    x = graph.norm(x, NUMBERS)
    if normalised:
        x = graph.node("LpNormalization", x, axis=1, p=2)
    shape = [batch, side, side, channels] if nhwc else [batch, channels, side, side]
    graph.node("Identity", x, name="embedding")
    return made(graph, shape, {"embedding": [batch, NUMBERS]})


def mixing_embedder() -> Any:
    """A network in EdgeFace's manner: blocks are channels last inside, and the last one splits the channels."""
    graph = EmbedderGraph()
    x = graph.convolution("data", 3, 12, 3, strides=[2, 2])
    for _ in range(2):
        y = graph.node("Transpose", graph.convolution(x, 12, 12, 3), perm=[0, 2, 3, 1])
        y = graph.node("MatMul", y, graph.noise(f"matrix{len(graph.nodes)}", 12, 12, scale=0.3))
        y = graph.node("Add", graph.noise(f"bias{len(graph.nodes)}", 12, scale=0.1), y)
        x = graph.node("Add", x, graph.node("Transpose", y, perm=[0, 3, 1, 2]))
    axis = graph.constant("axis", np.array([1], np.int64))
    bounds = [graph.constant(f"at{at}", np.array([at], np.int64)) for at in (0, 4, 8, 12)]
    first, second, third = (graph.node("Slice", x, *bounds[i : i + 2], axis) for i in range(3))
    first = graph.convolution(first, 4, 4, 3)
    second = graph.convolution(graph.node("Add", first, second), 4, 4, 3)
    x = graph.node("Concat", first, second, third, axis=1)
    flat = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1)
    weight = graph.noise("fc.weight", NUMBERS, 12)
    graph.node("Gemm", flat, weight, graph.noise("fc.bias", NUMBERS, scale=0.1), transB=1, name="embedding")
    return made(graph, ["batch", 3, SIDE, SIDE], {"embedding": ["batch", NUMBERS]})


def classifier(head: str = "Gemm", people: int = 5) -> Any:
    """A network that gives a probability per person; its embedding is the value `embedding`. `head`: how it ends."""
    graph = EmbedderGraph()
    x = graph.node("Relu", graph.convolution("data", 3, NUMBERS, 3, strides=[2, 2]))
    x = graph.node("GlobalAveragePool", x)
    weight = graph.noise("labels.weight", people, NUMBERS)
    if head == "Conv":
        x = graph.node("Identity", x, name="embedding")
        wide = graph.constant("labels.wide", numpy_helper.to_array(graph.weights[-1]).reshape(people, NUMBERS, 1, 1))
        logits = graph.node("Flatten", graph.node("Conv", x, wide, kernel_shape=[1, 1]), axis=1)
    elif head == "view":
        # `x.view(x.size(0), -1)`: the shape comes from the picture.
        x = graph.node("Flatten", x, axis=1, name="embedding")
        logits = graph.node("Gemm", x, weight, transB=1)
        first, axis = (graph.constant(f"number{n}", np.array([n], np.int64)) for n in (0, -1))
        rows = graph.node("Gather", graph.node("Shape", "data"), first, axis=0)
        logits = graph.node("Reshape", logits, graph.node("Concat", rows, axis, axis=0))
    else:
        x = graph.node("Flatten", x, axis=1, name="embedding")
        if head == "MatMul":
            turned = graph.node("Transpose", weight, perm=[1, 0])
            logits = graph.node("Add", graph.noise("labels.bias", people), graph.node("MatMul", x, turned))
        else:
            logits = graph.node("Gemm", graph.node("Dropout", x) if head == "Dropout" else x, weight, transB=1)
        if head == "scaled":
            logits = graph.node("Mul", logits, graph.constant("factor", np.array(16, np.float32)))
    graph.node("LogSoftmax" if head == "LogSoftmax" else "Softmax", logits, axis=1, name="labels")
    return made(graph, ["batch", 3, SIDE, SIDE], {"labels": ["batch", people]})


def made(graph: EmbedderGraph, shape: list[Any], outputs: dict[str, list[Any]], kind: int = TensorProto.FLOAT) -> Any:
    """The model, checked by onnx."""
    given = [helper.make_tensor_value_info("data", kind, shape)]
    results = [helper.make_tensor_value_info(name, kind, dims) for name, dims in outputs.items()]
    body = helper.make_graph(graph.nodes, "embedder", given, results, graph.weights)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model, full_check=isinstance(shape[-1], int))
    return model


def in_half(model: Any) -> Any:
    """The same with weights, input and output in float16."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def save(model: Any, path: Path) -> Path:
    """Write a model; returns its path."""
    path.write_bytes(model.SerializeToString())
    return path
