"""Run inside the environment for ONNX: inspects, converts and runs a network. Nothing else of whosthere is there.

`python -I onnx_worker.py REQUEST` reads a request (JSON) and writes its result to the file that the request names.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}
INTEGER_OPERATORS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm"}
    | {"ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul"}
)
PREPARED = "prepared.onnx"
CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"


class OnnxRefused(Exception):
    """The network is not one that can be imported; the text says why."""


def inspect(request: dict[str, Any]) -> dict[str, Any]:
    """What the network takes and gives, as one picture and one vector. Raises OnnxRefused."""
    model = _loaded(request["model"])
    graph = model.graph
    if integers := sorted({node.op_type for node in graph.node} & INTEGER_OPERATORS):
        raise OnnxRefused(f"it is quantised already ({', '.join(integers)}): give the network as it was before")
    given = _input(graph)
    kind = given.type.tensor_type.elem_type
    if kind not in FLOATS:
        name = TensorProto.DataType.Name(kind).lower()
        raise OnnxRefused(f"its input {given.name!r} holds {name}; allowed: float32 or float16, normalised pictures")
    dims = _dims(given)
    if len(dims) != 4:
        raise OnnxRefused(f"its input {given.name!r} is {_shown(dims)}; allowed: (batch, channels, side, side)")
    nchw = dims[1] in {1, 3} or (dims[1] is None and dims[3] not in {1, 3})
    channels, height, width = (dims[1], dims[2], dims[3]) if nchw else (dims[3], dims[1], dims[2])
    side = _side(height, width, request["side"], dims)
    if channels not in {1, 3}:
        raise OnnxRefused(f"its input {given.name!r} is {_shown(dims)}; allowed: 1 or 3 channels")
    output = _output(graph, request["output"])
    return {
        "side": side,
        "channels": channels,
        "nchw": nchw,
        "input": given.name,
        "output": output.name,
        "half": kind == TensorProto.FLOAT16 or any(t.data_type == TensorProto.FLOAT16 for t in graph.initializer),
        "batch": dims[0],
    }


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """Write the network as float TFLite for one picture, (1, side, side, channels) -> (1, numbers)."""
    import onnx2tf  # noqa: PLC0415  (only this task needs it)

    found = inspect(request)
    folder = Path(request["folder"])
    model = _prepared(_loaded(request["model"]), found, request["mean"], request["std"])
    onnx.save(_simplified(model, found), folder / PREPARED)
    os.chdir(folder)
    # Its checks want pictures that it would download.
    np.save(CALIBRATION, np.random.default_rng(0).random((20, 128, 128, 3), np.float32))
    try:
        onnx2tf.convert(
            input_onnx_file_path=PREPARED, output_folder_path=str(folder), batch_size=1, non_verbose=True
        )  # fmt: skip
    except SystemExit as error:
        raise OnnxRefused("onnx2tf gave up on it") from error
    except Exception as error:
        # Whatever its many parts raise is all that there is to say.
        raise OnnxRefused(f"onnx2tf cannot convert it: {type(error).__name__}: {_first_line(error)}") from error
    made = folder / f"{Path(PREPARED).stem}_float32.tflite"
    if not made.is_file():
        raise OnnxRefused("onnx2tf wrote no float32 network")
    return {**found, "network": str(made)}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the network as it was published on inputs (n, side, side, channels), one by one; vectors (n, numbers)."""
    found = inspect(request)
    inputs = np.load(request["inputs"], allow_pickle=False)
    if found["nchw"]:
        inputs = inputs.transpose(0, 3, 1, 2)
    session = _session(request["model"])
    kind = np.float16 if session.get_inputs()[0].type == "tensor(float16)" else np.float32
    batch = found["batch"] or 1
    vectors = []
    for one in np.ascontiguousarray(inputs.astype(kind)):
        (given,) = session.run([found["output"]], {found["input"]: np.repeat(one[None], batch, 0)})
        vectors.append(np.asarray(given[0], np.float32).reshape(-1))
    np.save(request["vectors"], np.stack(vectors))
    return found


def _simplified(model: Any, found: dict[str, Any]) -> Any:
    """Without operators on shapes, which are constants now; and tried out on a picture. Raises OnnxRefused."""
    import onnxsim  # noqa: PLC0415  (only this task needs it)

    try:
        model, _ = onnxsim.simplify(model)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        shape = [1, found["channels"], found["side"], found["side"]]
        (given,) = session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
    except Exception as error:
        # Neither onnxsim's nor onnxruntime's exceptions have a common base but this.
        why = f"does not run on one picture of {found['side']} x {found['side']}: {_first_line(error)}"
        fixed = f"; its batch is fixed at {found['batch']}: export it again with a batch of 1, or a dynamic one"
        raise OnnxRefused(why + (fixed if found["batch"] not in {None, 1} else "")) from error
    if given.shape[0] != 1 or given.size < 2 or given.size != given.shape[1]:
        raise OnnxRefused(
            f"its output {found['output']!r} is {given.shape} for one picture; allowed: (1, numbers), one vector"
        )
    return model


def _loaded(path: str) -> Any:
    try:
        model = onnx.load(path)
    except FileNotFoundError as error:
        raise OnnxRefused(f"a file of its weights is missing: {_first_line(error)}; keep them beside it") from error
    except Exception as error:
        # Protobuf's errors have no common base but this.
        raise OnnxRefused(f"not an ONNX file, or a damaged one: {_first_line(error)}") from error
    if not model.graph.node:
        raise OnnxRefused("not an ONNX file, or a damaged one: it has no operators")
    return model


def _session(path: str) -> Any:
    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its exceptions have no common base but this.
        raise OnnxRefused(f"onnxruntime cannot load it: {_first_line(error)}") from error


def _input(graph: Any) -> Any:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        listed = ", ".join(f"{v.name} {_shown(_dims(v))}" for v in inputs) or "none"
        raise OnnxRefused(f"{len(inputs)} inputs found ({listed}); allowed: one, the picture")
    return inputs[0]


def _output(graph: Any, wanted: str | None) -> Any:
    listed = ", ".join(f"{value.name} {_shown(_dims(value))}" for value in graph.output)
    chosen = [value for value in graph.output if wanted in {None, value.name}]
    if not chosen:
        raise OnnxRefused(f"--output-name: found {wanted!r}; allowed: {listed}")
    if len(chosen) > 1:
        raise OnnxRefused(f"{len(chosen)} outputs found: {listed}; say with --output-name which one is the embedding")
    if chosen[0].type.tensor_type.elem_type not in FLOATS:
        raise OnnxRefused(f"its output {chosen[0].name!r} holds no floats; allowed: one vector of float32 or float16")
    return chosen[0]


def _dims(value: Any) -> list[int | None]:
    """Numbers; None: any, or not known."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else None for dim in dims]


def _shown(dims: list[int | None]) -> str:
    return f"({', '.join('any' if dim is None else str(dim) for dim in dims)})"


def _side(height: int | None, width: int | None, size: int | None, dims: list[int | None]) -> int:
    known = {side for side in (height, width, size) if side is not None}
    if not known:
        raise OnnxRefused(f"its input is {_shown(dims)}, pictures of any size: give --size, in pixels")
    if len(known) > 1:
        found = f"--size is {size}" if size and height == width else "its pictures are not square"
        raise OnnxRefused(f"its input is {_shown(dims)}, but {found}; allowed: one square picture")
    return known.pop()


def _prepared(model: Any, found: dict[str, Any], mean: list[float] | None, std: list[float] | None) -> Any:
    """The same network for one picture in float32, channels first, with one output, of pixels if `mean` is given."""
    graph = model.graph
    _in_single_precision(graph)
    _keep_output(graph, found["output"])
    weights = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in weights]:
        graph.input.remove(value)
    taken = "whosthere_picture"
    shape = [1, found["channels"], found["side"], found["side"]]
    current, nodes = taken, []
    if mean is not None and std is not None:
        for name, kind, values in (("mean", "Sub", mean), ("std", "Div", std)):
            constant = np.array(values, np.float32).reshape(1, -1, 1, 1)
            graph.initializer.append(numpy_helper.from_array(constant, f"whosthere_{name}"))
            nodes.append(helper.make_node(kind, [current, f"whosthere_{name}"], [f"whosthere_less_{name}"]))
            current = f"whosthere_less_{name}"
    last = helper.make_node("Identity", [current], [found["input"]])
    if not found["nchw"]:
        # The tools expect channels first; together with the network's own this becomes nothing.
        last = helper.make_node("Transpose", [current], [found["input"]], perm=[0, 2, 3, 1])
    kept = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, last, *kept])
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(taken, TensorProto.FLOAT, shape))
    return onnx.shape_inference.infer_shapes(model)


def _keep_output(graph: Any, name: str) -> None:
    """Only this output, and only the operators that it needs."""
    kept = next(value for value in graph.output if value.name == name)
    del graph.output[:]
    dims = _dims(kept)
    last = []
    if len(dims) == 4:
        # (1, numbers, 1, 1): a network that ends in a convolution or in pooling.
        last = [helper.make_node("Flatten", [kept.name], ["whosthere_vector"], axis=1)]
    graph.output.append(helper.make_tensor_value_info(last[0].output[0] if last else name, TensorProto.FLOAT, None))
    needed, nodes = {name}, []
    for node in reversed(list(graph.node)):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.append(node)
    del graph.node[:]
    graph.node.extend([*reversed(nodes), *last])
    del graph.value_info[:]


def _in_single_precision(graph: Any) -> None:
    """Weights, constants and casts of float16 as float32."""
    for tensor in graph.initializer:
        _widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT


def _widen(tensor: Any) -> None:
    if tensor.data_type == TensorProto.FLOAT16:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


TASKS = {"inspect": inspect, "convert": convert, "run": run}


def main(path: Path) -> None:
    """Do what the request says."""
    request = json.loads(path.read_text(encoding="utf-8"))
    try:
        result = TASKS[request["task"]](request)
    except OnnxRefused as error:
        result = {"refused": str(error)}
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
