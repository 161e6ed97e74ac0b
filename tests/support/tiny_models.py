"""The smallest possible TFLite models, made on the spot: they RESHAPE a 4x4 picture to a vector. With their cards."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.config import typed_yaml

SIDE = 4
NUMBERS = SIDE * SIDE * 3


def identity(batch: int = 1, quantised: bool = False, compiled: bool = False) -> bytes:
    """(batch, 4, 4, 3) -> (batch, 48), float32, or int8 at scale 1/64 and zero point -10.

    `compiled`: its one operator is the Edge TPU's.
    """
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="models are made with ai-edge-litert")
    flatbuffers = pytest.importorskip("flatbuffers")
    model = schema.ModelT()
    model.version, model.description = 3, b"identity"
    model.operatorCodes = [_operator(schema, compiled)]
    target = np.array([batch, NUMBERS], "<i4")
    model.buffers = [schema.BufferT(), _buffer(schema, target)]
    graph = schema.SubGraphT()
    kind = schema.TensorType.INT8 if quantised else schema.TensorType.FLOAT32
    graph.tensors = [
        _tensor(schema, "picture", [batch, SIDE, SIDE, 3], kind, quantised),
        _tensor(schema, "shape", [2], schema.TensorType.INT32, False, buffer=1),
        _tensor(schema, "vector", [batch, NUMBERS], kind, quantised),
    ]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([2], np.int32)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, np.array([0, 1]), np.array([2])
    if compiled:
        operator.inputs = np.array([0])
    else:
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = schema.ReshapeOptionsT()
        operator.builtinOptions.newShape = target.astype(np.int32)
    graph.operators = [operator]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def write(folder: Path, content: bytes, **changed: Any) -> Path:
    """Model and card in a folder; `changed` are keys of the card. Returns the card's path."""
    (folder / "tiny.tflite").write_bytes(content)
    card = {
        "schema_version": 1,
        "name": "tiny",
        "task": "embed",
        "file": "tiny.tflite",
        "sha256": hashlib.sha256(content).hexdigest(),
        "input": {"shape": [1, SIDE, SIDE, 3], "channels": "rgb", "mean": 127.5, "scale": 128.0},
        "outputs": [[1, NUMBERS]],
        "alignment": [[1, 1], [3, 1], [2, 2], [1, 3], [3, 3]],
        "licence": "none",
        "origin": "tests",
    }
    path = folder / "tiny.yaml"
    path.write_text(typed_yaml.dump(card | changed), encoding="utf-8")
    return path


def write_compiled(folder: Path, content: bytes, **changed: Any) -> Path:
    """The quantised identity and what edgetpu_compiler would have made of it, with the card of both."""
    (folder / "tiny_edgetpu.tflite").write_bytes(content)
    edgetpu = {"file": "tiny_edgetpu.tflite", "sha256": hashlib.sha256(content).hexdigest()}
    return write(folder, identity(quantised=True), edgetpu=edgetpu, **changed)


def _operator(schema: Any, compiled: bool) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    if compiled:
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = b"edgetpu-custom-op"
    code.version = 1
    return code


def _buffer(schema: Any, values: np.ndarray) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _tensor(schema: Any, name: str, shape: list[int], kind: int, quantised: bool, buffer: int = 0) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, np.array(shape, np.int32), kind, buffer
    if quantised:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([1 / 64], np.float32)
        tensor.quantization.zeroPoint = np.array([-10], np.int64)
    return tensor
