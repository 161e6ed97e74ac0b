"""A trained network in any supported format -> a float TFLite model for one picture at a time."""

import importlib
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from converter.classifier_head import ClassifierParts, cut_at, parts_of
from converter.graph import Graph, schema
from converter.keras_file import INSTALL, keras_version, refuse_code
from converter.rebatch import rebatched
from edge.errors import ModelError
from edge.models.quiet import quiet_libraries

KERAS_SUFFIXES = frozenset({".keras", ".h5", ".hdf5"})
FORMS = "a .keras or .h5 file, the folder of a SavedModel or a .tflite file"
BEFORE = "give the network as it was before quantisation"
INTEGERS = frozenset({schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16})
HALF = frozenset({"mixed_float16", "mixed_bfloat16", "float16", "bfloat16"})
ACTING = frozenset({"WriteFile", "ReadFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Operators of TensorFlow that no network needs. Loading a SavedModel runs what it names as its initialisation."""
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}


def float_model(path: Path, allow_lambda: bool = False, cut: str | None = None) -> bytes:
    """The network as TFLite for one picture. `allow_lambda`: run Python code that the file holds, as Lambda layers do.

    `cut`: see `classifier_head.cut_at`.

    Raises ModelError naming the file when it is no trained network, is quantised, or TensorFlow is not installed.
    """
    if path.suffix.lower() == ".tflite":
        if cut:
            raise ModelError(f"{path}: --cut: a .tflite file was found; allowed: the Keras model it was made from")
        content = _one_picture(_read(path), str(path))
    else:
        network = load_network(path, allow_lambda)
        content = to_tflite(cut_at(network, cut, path) if cut else network, path)
    check_float(Graph(content, str(path)))
    return content


def network_and_head(
    path: Path, allow_lambda: bool = False, cut: str | None = None, *, labelled: bool = False
) -> tuple[bytes, bytes | None]:
    """The network as `float_model` returns it and, of a label classifier, its head, for one vector.

    A classifier is cut at `cut`, or before its labels. `labelled`: see `classifier_head.parts_of`. Raises ModelError.
    """
    if path.suffix.lower() == ".tflite":
        if labelled:
            raise ModelError(f"{path}: --labels: a .tflite file was found; allowed: the Keras model it was made from")
        return float_model(path, allow_lambda, cut), None
    network = load_network(path, allow_lambda)
    if not hasattr(network, "layers") and not (labelled or cut):
        parts = ClassifierParts(network, None)
    else:
        parts = parts_of(network, cut, path, labelled=labelled)
    content = to_tflite(parts.embedder, path)
    check_float(Graph(content, str(path)))
    return content, None if parts.head is None else to_tflite(parts.head, path)


def _one_picture(content: bytes, name: str) -> bytes:
    """A .tflite file with batch 1, whatever its batch was."""
    graph = Graph(content, name)
    batches = {graph.shape(tensor)[:1] for tensor in graph.inputs}
    return content if batches <= {(1,), ()} else rebatched(content, 1, name)


def check_float(graph: Graph) -> None:
    """Raises ModelError unless one float picture goes in and one float vector comes out, both of known size."""
    for what, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        if len(tensors) != 1:
            raise ModelError(f"{graph.name}: it has {len(tensors)} {what}s; an embedder has one")
        kind = graph.body.tensors[tensors[0]].type
        if kind != schema.TensorType.FLOAT32:
            raise ModelError(f"{graph.name}: its {what} is not float32: {BEFORE}")
    if integers := [tensor for tensor in graph.body.tensors if tensor.type in INTEGERS and _has_scale(tensor)]:
        found = f"{len(integers)} of its tensors hold integers with a scale, for example {_name(integers[0])!r}"
        raise ModelError(f"{graph.name}: it is quantised already: {found}; {BEFORE}")
    taken, given = graph.shape(graph.inputs[0]), graph.shape(graph.outputs[0])
    if len(taken) != 4 or taken[1] != taken[2] or taken[3] not in {1, 3} or min(taken) < 1:
        raise ModelError(f"{graph.name}: its input is {taken}; (1, side, side, 1 or 3) is expected: one square picture")
    if len(given) != 2 or given[1] < 2:
        raise ModelError(f"{graph.name}: its output is {given}; (1, numbers) is expected: one vector for the face")


def _has_scale(tensor: Any) -> bool:
    scale = tensor.quantization.scale if tensor.quantization is not None else None
    return scale is not None and len(scale) > 0


def _name(tensor: Any) -> str:
    return str(tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name)


def load_network(path: Path, allow_lambda: bool = False) -> Any:
    """A Keras model in float32, or what a SavedModel holds. Raises ModelError."""
    if path.is_dir():
        return _load_saved_model(path)
    if path.suffix.lower() not in KERAS_SUFFIXES or not path.is_file():
        found = "it is not there" if not path.exists() else "a file of another kind was found"
        raise ModelError(f"{path}: {found}; {FORMS} is expected")
    keras = keras_of(keras_version(path))
    if not allow_lambda:
        refuse_code(path)
    try:
        model = keras.models.load_model(str(path), compile=False, safe_mode=not allow_lambda)
        return _in_float32(model, keras)
    except Exception as error:
        # A damaged file, or a config of anybody's, makes it raise whatever its parts raise.
        raise ModelError(f"{path}: Keras {keras.__version__} cannot load it: {_why(error)}") from error


def trainable_network(path: Path, cut: str | None = None) -> Any:
    """A Keras 3 model that can be trained further, also of a file of Keras 2. Raises ModelError."""
    model = load_network(path)
    if not hasattr(model, "layers"):
        raise ModelError(f"{path}: a SavedModel cannot be trained further; give the .keras or .h5 file")
    known = model if keras_version(path) >= 3 else _of_keras_3(model, path)
    return cut_at(known, cut, path) if cut else known


def _of_keras_3(model: Any, path: Path) -> Any:
    """The same function by Keras 3, which reads most .h5 files of Keras 2."""
    keras = keras_of(3)
    try:
        made = _in_float32(keras.models.load_model(str(path), compile=False), keras)
    except Exception as error:
        # Keras 3 raises whatever its layers raise on an old config.
        text = f"was saved by Keras 2, and Keras {keras.__version__} cannot load it for training: {_why(error)}"
        raise ModelError(f"{path}: {text}; save it as .h5, or again with Keras 3") from error
    taken = model.inputs[0].shape[1:]
    picture = np.random.default_rng(0).uniform(-1, 1, (1, *(side or 96 for side in taken))).astype(np.float32)
    one, other = (np.asarray(network(picture, training=False)) for network in (model, made))
    if not np.allclose(one, other, rtol=1e-3, atol=1e-4):
        raise ModelError(f"{path}: was saved by Keras 2, and Keras 3 computes something else from it")
    return made


def _why(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _in_float32(model: Any, keras: Any) -> Any:
    """The same network without mixed precision, which only training gains from: TFLite has no such operators."""
    config = keras.saving.serialize_keras_object(model)
    single = _single_precision(config)
    if single == config:
        return model
    rebuilt = keras.saving.deserialize_keras_object(single, safe_mode=False)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


def _single_precision(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _single_precision(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_single_precision(value) for value in config]
    return "float32" if isinstance(config, str) and config in HALF else config


def to_tflite(model: Any, path: Path) -> bytes:
    """Float TFLite with batch 1. Raises ModelError."""
    tf = tensorflow()
    convert_phase = importlib.import_module("tensorflow.lite.python.convert_phase")
    failures = (ValueError, RuntimeError, tf.errors.OpError, convert_phase.ConverterError)
    converter = tflite_converter(model, path)
    try:
        with quiet_libraries():
            return bytes(converter.convert())
    except failures as error:
        raise ModelError(f"{path}: TensorFlow cannot make TFLite of it: {_unsupported(str(error))}") from error


def tflite_converter(model: Any, path: Path) -> Any:
    """TensorFlow's TFLiteConverter for a network, with batch 1. Raises ModelError."""
    tf = tensorflow()
    call, shape = _callable(model, path)
    serve = tf.function(call, input_signature=[tf.TensorSpec((1, *shape), tf.float32)]).get_concrete_function()
    # Left to itself the converter keeps the weights of Keras 3 as variables, which nobody would fill on the box.
    freezing = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    frozen = freezing.convert_variables_to_constants_v2(serve)
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)


def _unsupported(text: str) -> str:
    """What the converter's long message comes down to: the operators that TFLite does not have, or its first line."""
    operators = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", text)))
    if operators:
        return f"TFLite has no {', '.join(operators)}; save the network without them, as an embedder in float32"
    return text.strip().splitlines()[0] if text.strip() else "it gives no reason"


def tensorflow() -> Any:
    """The module, loaded late as it takes seconds. Raises ModelError when it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "tensorflow" in sys.modules:
        return importlib.import_module("tensorflow")
    try:
        # It says that there is no GPU before anything can keep it from doing so.
        with quiet_libraries():
            tf = importlib.import_module("tensorflow")
            _share_gpus(tf)
    except ImportError as error:
        raise ModelError(f"TensorFlow is needed for everything but .tflite files; {INSTALL}") from error
    tf.get_logger().setLevel("ERROR")
    return tf


def _share_gpus(tf: Any) -> None:
    """Take a GPU's memory as it is needed: TensorFlow takes all of it otherwise, and nothing else can use it."""
    with suppress(RuntimeError):
        # It can only be set before the first use.
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def keras_of(version: int) -> Any:
    """Keras 3, or Keras 2 as `tf_keras`. Raises ModelError when it is not installed."""
    tensorflow()
    try:
        return importlib.import_module("tf_keras" if version < 3 else "keras")
    except ImportError as error:
        raise ModelError(f"this model wants Keras {version}; {INSTALL}") from error


def _callable(model: Any, path: Path) -> tuple[Any, tuple[int, ...]]:
    """(function of a batch, (h, w, c)) of a Keras model or a SavedModel's serving signature."""
    if hasattr(model, "signatures"):
        serving = model.signatures.get("serving_default")
        taken = list(serving.structured_input_signature[1].values()) if serving is not None else []
        if len(taken) != 1 or len(serving.structured_outputs) != 1:
            known = ", ".join(model.signatures) or "none"
            raise ModelError(f"{path}: a signature `serving_default` of one input and output is needed; found: {known}")
        name, (output,) = taken[0].name, serving.structured_outputs
        return lambda x: serving(**{name: x})[output], _fixed(taken[0].shape, path)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{path}: {len(model.inputs)} inputs, {len(model.outputs)} outputs; an embedder has one of each"
        )
    return lambda x: model(x, training=False), _fixed(model.inputs[0].shape, path)


def _fixed(shape: Any, path: Path) -> tuple[int, ...]:
    sizes = tuple(shape)[1:]
    # A head takes a vector.
    if len(sizes) not in {1, 3} or None in sizes:
        raise ModelError(f"{path}: its input is {tuple(shape)}; height, width and channels must be fixed: save it so")
    return tuple(int(n) for n in sizes)


def _load_saved_model(path: Path) -> Any:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path}: no saved_model.pb in this folder; {FORMS} is expected")
    tf = tensorflow()
    if found := sorted(_operators(_read(path / "saved_model.pb"), path) & ACTING):
        raise ModelError(f"{path}: this SavedModel holds {', '.join(found)}, which read or write files or run Python: "
                         "found more than a network; save the network alone")  # fmt: skip
    try:
        return tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ModelError(f"{path}: TensorFlow cannot load this SavedModel: {str(error).splitlines()[0]}") from error


def _operators(content: bytes, path: Path) -> set[str]:
    """The kinds of all operators of a SavedModel, those of its functions included; nothing is run."""
    saved = importlib.import_module("tensorflow.core.protobuf.saved_model_pb2").SavedModel()
    try:
        saved.ParseFromString(content)
    except Exception as error:
        # Protobuf's error has no base of its own.
        raise ModelError(f"{path}: its saved_model.pb is damaged: {error}") from error
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    functions = [node for graph in graphs for function in graph.library.function for node in function.node_def]
    return {node.op for graph in graphs for node in graph.node} | {node.op for node in functions}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; {FORMS} is expected") from error
