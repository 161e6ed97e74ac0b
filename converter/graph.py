"""A TFLite network as a graph that may be changed: what the passes of `converter.passes` work on."""

from collections.abc import Iterable, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge.errors import ModelError

__all__ = ["CONVOLUTIONS", "IDENTIFIER", "NONE", "RELU", "RELU6", "TYPES", "Graph", "Values", "schema"]

IDENTIFIER = b"TFL3"
"""What bytes 4 to 8 of every TFLite file are."""

Values = NDArray[Any]

TYPES: dict[int, str] = {
    schema.TensorType.FLOAT32: "<f4",
    schema.TensorType.FLOAT16: "<f2",
    schema.TensorType.INT32: "<i4",
    schema.TensorType.INT64: "<i8",
    schema.TensorType.INT16: "<i2",
    schema.TensorType.INT8: "i1",
    schema.TensorType.UINT8: "u1",
    schema.TensorType.BOOL: "?",
}
KINDS: dict[int, str] = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
NONE = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6
CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


class Graph:
    """One subgraph. Tensors are numbers, operators are the schema's `OperatorT`."""

    def __init__(self, content: bytes, name: str = "model") -> None:
        """Raises ModelError when `content` is not a TFLite model of one subgraph; `name` is for messages."""
        if content[4:8] != IDENTIFIER:
            raise ModelError(f"{name}: not a TFLite model: its bytes 4 to 8 are {content[4:8]!r}, not {IDENTIFIER!r}")
        self.name = name
        self.model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
        if len(self.model.subgraphs) != 1:
            raise ModelError(f"{name}: it has {len(self.model.subgraphs)} subgraphs (control flow); one is expected")
        self.body: Any = self.model.subgraphs[0]

    @property
    def operators(self) -> list[Any]:
        """In the order in which they are executed."""
        found: list[Any] = self.body.operators
        return found

    @property
    def inputs(self) -> list[int]:
        return [int(i) for i in self.body.inputs]

    @property
    def outputs(self) -> list[int]:
        return [int(i) for i in self.body.outputs]

    def kind(self, operator: Any) -> str:
        """`CONV_2D` and so on."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        # Old files have only the deprecated field, which is one byte.
        return KINDS[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def kinds(self) -> list[str]:
        return [self.kind(operator) for operator in self.operators]

    def shape(self, tensor: int) -> tuple[int, ...]:
        shape = self.body.tensors[tensor].shape
        return () if shape is None else tuple(int(n) for n in shape)

    def tensor_name(self, tensor: int) -> str:
        name = self.body.tensors[tensor].name
        return str(name.decode() if isinstance(name, bytes) else name)

    def values(self, tensor: int) -> Values | None:
        """A constant's values; None for what is computed or fed."""
        found = self.body.tensors[tensor] if tensor >= 0 else None
        if found is None or self.model.buffers[found.buffer].data is None:
            return None
        raw = bytes(np.asarray(self.model.buffers[found.buffer].data, np.uint8))
        return np.frombuffer(raw, TYPES[found.type]).reshape(self.shape(tensor)).copy()

    def weights(self, operator: Any, slot: int) -> Values:
        """A constant input. Raises ModelError when it is not constant."""
        values = self.values(int(operator.inputs[slot]))
        if values is None:
            raise ModelError(f"{self.name}: {self.label(operator)}: its input {slot} is computed; a constant is needed")
        return values

    def replace(self, operator: Any, slot: int, values: Values) -> None:
        """Give an operator another constant; others that shared the old one keep it."""
        tensor = int(operator.inputs[slot])
        if self._shared(tensor):
            operator.inputs = np.array(operator.inputs, np.int32)
            operator.inputs[slot] = self.add_constant(f"{self.tensor_name(tensor)}/own", values)
            return
        found = self.body.tensors[tensor]
        found.shape = np.array(values.shape, np.int32)
        self.model.buffers[found.buffer].data = _raw(values.astype(TYPES[found.type]))

    def add_constant(self, name: str, values: Values) -> int:
        """float32 or int32, as `values` are."""
        kind = schema.TensorType.INT32 if np.issubdtype(values.dtype, np.integer) else schema.TensorType.FLOAT32
        buffer = schema.BufferT()
        buffer.data = _raw(values.astype(TYPES[kind]))
        self.model.buffers.append(buffer)
        return self._add(name, values.shape, kind, len(self.model.buffers) - 1)

    def add_tensor(self, name: str, shape: Sequence[int]) -> int:
        """A float32 tensor that an operator will fill."""
        return self._add(name, shape, schema.TensorType.FLOAT32, 0)

    def make(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> Any:
        """A new operator, not yet in the graph. `options` is one of the schema's `...OptionsT`."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        return operator

    def producer(self, tensor: int) -> Any | None:
        """The operator that computes a tensor; None for inputs and constants."""
        return next((o for o in self.operators if tensor in o.outputs), None)

    def consumers(self, tensor: int) -> list[Any]:
        return [o for o in self.operators if tensor in o.inputs]

    def redirect(self, old: int, new: int) -> None:
        """Make everything that reads `old` read `new`, the graph's outputs included."""
        for operator in self.operators:
            operator.inputs = np.array([new if i == old else i for i in operator.inputs], np.int32)
        self.body.outputs = np.array([new if i == old else i for i in self.outputs], np.int32)

    def swap(self, old: Iterable[Any], new: Sequence[Any]) -> None:
        """Put operators in the place of others: where the last of those was."""
        gone = {id(o) for o in old}
        at = max(i for i, o in enumerate(self.operators) if id(o) in gone)
        before = [o for o in self.operators[: at + 1] if id(o) not in gone]
        self.body.operators = [*before, *new, *self.operators[at + 1 :]]

    def label(self, operator: Any) -> str:
        """How messages name an operator: its kind, and the tensor it computes."""
        return f"{self.kind(operator)} {self.tensor_name(int(operator.outputs[0]))!r}"

    def pack(self) -> bytes:
        """The model's bytes, without unused tensors and buffers, every tensor with a unique name."""
        self._sweep()
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def copy(self) -> "Graph":
        return Graph(self.pack(), self.name)

    def _sweep(self) -> None:
        used = {int(i) for o in self.operators for i in (*o.inputs, *o.outputs) if i >= 0}
        used |= {*self.inputs, *self.outputs}
        kept = sorted(used)
        number = {old: new for new, old in enumerate(kept)} | {-1: -1}
        for operator in self.operators:
            operator.inputs = np.array([number[int(i)] for i in operator.inputs], np.int32)
            operator.outputs = np.array([number[int(i)] for i in operator.outputs], np.int32)
        for signature in self.model.signatureDefs or []:
            for entry in [*(signature.inputs or []), *(signature.outputs or [])]:
                entry.tensorIndex = number.get(entry.tensorIndex, entry.tensorIndex)
        self.body.inputs = np.array([number[i] for i in self.inputs], np.int32)
        self.body.outputs = np.array([number[i] for i in self.outputs], np.int32)
        self.body.tensors = [self.body.tensors[i] for i in kept]
        self._sweep_buffers()
        seen: set[str] = set()
        for i, tensor in enumerate(self.body.tensors):
            name = self.tensor_name(i)
            tensor.name = (name if name and name not in seen else f"{name}_{i}").encode()
            seen.add(tensor.name.decode())

    def _sweep_buffers(self) -> None:
        metadata = self.model.metadata or []
        wanted = {0, *(t.buffer for t in self.body.tensors), *(m.buffer for m in metadata)}
        kept = sorted(wanted)
        number = {old: new for new, old in enumerate(kept)}
        self.model.buffers = [self.model.buffers[i] for i in kept]
        for holder in (*self.body.tensors, *metadata):
            holder.buffer = number[holder.buffer]

    def _shared(self, tensor: int) -> bool:
        buffer = self.body.tensors[tensor].buffer
        tensors = {i for i, t in enumerate(self.body.tensors) if t.buffer == buffer}
        return sum(int(i) in tensors for o in self.operators for i in o.inputs) > 1

    def _add(self, name: str, shape: Sequence[int], kind: int, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name.encode(), np.array(shape, np.int32), kind, buffer
        self.body.tensors.append(tensor)
        return len(self.body.tensors) - 1

    def _code(self, kind: str) -> int:
        wanted = getattr(schema.BuiltinOperator, kind)
        for i, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == wanted:
                return i
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = wanted, min(wanted, 127), 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1


def _raw(values: Values) -> NDArray[np.uint8]:
    return np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
