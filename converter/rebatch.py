"""Give a TFLite model another batch size, by rewriting the shapes in its flatbuffer; weights stay as they are."""

from typing import Any

import flatbuffers
import numpy as np

from converter.graph import IDENTIFIER, schema
from edge.errors import ModelError
from edge.models.tflite import Engine, open_interpreter


def set_batch(content: bytes, batch: int, name: str = "model") -> bytes:
    """The same network for `batch` pictures at a time.

    Every tensor that is not a constant gets `batch` as its first dimension, and so does the target of every RESHAPE.
    Raises ModelError when `content` is not a TFLite model; `name` is for the message.
    """
    if content[4:8] != IDENTIFIER:
        raise ModelError(
            f"{name}: not a TFLite model: its bytes 4 to 8 are {content[4:8]!r}, {IDENTIFIER!r} is expected"
        )
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if model.buffers[tensor.buffer].data is None:
                tensor.shape[0] = batch
        for operator in graph.operators:
            if isinstance(operator.builtinOptions, schema.ReshapeOptionsT):
                _reshape_to(operator, graph, model, batch)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def rebatched(content: bytes, batch: int, name: str) -> bytes:
    """`set_batch`, tried out: every picture of a batch gives what it gave before.

    Raises ModelError when it does not, as in a network that looks at several pictures together.
    """
    made = set_batch(content, batch, name)
    one, other = Engine(open_interpreter(content, name)), Engine(open_interpreter(made, name))
    picture = np.random.default_rng(0).uniform(-1, 1, (1, *one.input_shape[1:])).astype(np.float32)
    given = one.run(np.repeat(picture, one.input_shape[0], 0))[0]
    found = other.run(np.repeat(picture, batch, 0))[0]
    if given.shape[1:] != found.shape[1:] or not np.allclose(given[:1], found[:1], rtol=1e-3, atol=1e-4):
        raise ModelError(f"{name}: its batch of {one.input_shape[0]} cannot be changed: save the network with batch 1")
    return made


def _reshape_to(operator: Any, graph: Any, model: Any, batch: int) -> None:
    """A RESHAPE states its target twice: in its options, and in a constant that is its second input."""
    shape = operator.builtinOptions.newShape
    if shape is not None:
        shape[0] = batch
    if len(operator.inputs) > 1:
        constant = model.buffers[graph.tensors[operator.inputs[1]].buffer]
        target = np.frombuffer(constant.data.tobytes(), "<i4").copy()
        target[0] = batch
        constant.data = np.frombuffer(target.tobytes(), np.uint8)
