"""float16: for weights in the file, and for arithmetic where the CPU has it."""

from typing import Any

import numpy as np

from converter.graph import Graph, schema
from converter.passes.precision import own_constant


def half(graph: Graph) -> None:
    """float16 weights, which the runtime widens when it starts."""
    made: list[Any] = []
    for operator in list(graph.operators):
        for slot, tensor in enumerate(operator.inputs):
            values = graph.values(int(tensor)) if tensor >= 0 else None
            if values is None or values.dtype != np.float32 or values.size < 2:
                continue
            own_constant(graph, operator, slot, values, schema.TensorType.FLOAT16, None)
            small = int(operator.inputs[slot])
            widened = graph.add_tensor(f"{graph.tensor_name(int(tensor))}/widened", values.shape)
            made.append(graph.make("DEQUANTIZE", [small], [widened], schema.DequantizeOptionsT()))
            operator.inputs[slot] = widened
    graph.body.operators = made + graph.operators
    for code in graph.model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.DEQUANTIZE:
            code.version = max(code.version, 3)


def allow_half(graph: Graph) -> None:
    """Let a CPU that computes in float16 do so; on all others, nothing changes.

    XNNPACK reads this from the file's metadata and decides by the CPU: TensorFlow Lite's page on XNNPACK, its section
    "Floating-Point (IEEE FP16) Operators".
    """
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(b"fp16accfp16", np.uint8)
    graph.model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"reduced_precision_support", len(graph.model.buffers) - 1
    graph.model.metadata = [*(graph.model.metadata or []), entry]
