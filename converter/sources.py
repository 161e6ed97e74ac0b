"""A trained network in any supported format -> a float TFLite model for one picture at a time."""

import importlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from converter.graph import Graph, schema
from edge.errors import ModelError

INSTALL = "install it: pip install 'whosthere[converter]'"
FORMS = "a .keras or .h5 file, the folder of a SavedModel, or a .tflite file"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": "-1"}


def float_model(path: Path) -> bytes:
    """Raises ModelError naming the file when it is no trained network, is quantised, or TensorFlow is not installed."""
    if path.suffix.lower() == ".tflite":
        content = _read(path)
    else:
        model = load_network(path)
        content = to_tflite(model, path)
    check_float(Graph(content, str(path)))
    return content


def check_float(graph: Graph) -> None:
    """Raises ModelError unless one float picture goes in and one float vector comes out, both of known size."""
    for what, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        if len(tensors) != 1:
            raise ModelError(f"{graph.name}: it has {len(tensors)} {what}s; an embedder has one")
        kind = graph.body.tensors[tensors[0]].type
        if kind != schema.TensorType.FLOAT32:
            raise ModelError(f"{graph.name}: its {what} is not float32: give the network as it was before quantisation")
    taken, given = graph.shape(graph.inputs[0]), graph.shape(graph.outputs[0])
    if len(taken) != 4 or taken[1] != taken[2] or taken[3] not in {1, 3} or min(taken) < 1:
        raise ModelError(f"{graph.name}: its input is {taken}; (1, side, side, 1 or 3) is expected: one square picture")
    if len(given) != 2 or given[1] < 2:
        raise ModelError(f"{graph.name}: its output is {given}; (1, numbers) is expected: one vector for the face")


def load_network(path: Path) -> Any:
    """A Keras model, or what a SavedModel holds. Raises ModelError."""
    if path.is_dir():
        return _load_saved_model(path)
    if path.suffix.lower() not in {".keras", ".h5", ".hdf5"} or not path.is_file():
        found = "it is not there" if not path.exists() else "a file of another kind was found"
        raise ModelError(f"{path}: {found}; {FORMS} is expected")
    keras = keras_of(_keras_version(path))
    try:
        return keras.models.load_model(str(path), compile=False)
    except (ValueError, TypeError, OSError, KeyError, AttributeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{path}: Keras {keras.__version__} cannot load it: {first}") from error


def to_tflite(model: Any, path: Path) -> bytes:
    """Float TFLite with batch 1. Raises ModelError."""
    tf = tensorflow()
    call, shape = _callable(model, path)
    serve = tf.function(call, input_signature=[tf.TensorSpec((1, *shape), tf.float32)]).get_concrete_function()
    # Left to itself the converter keeps the weights of Keras 3 as variables, which nobody would fill on the box.
    freezing = importlib.import_module("tensorflow.python.framework.convert_to_constants")
    frozen = freezing.convert_variables_to_constants_v2(serve)
    try:
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen], model).convert())
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise ModelError(f"{path}: TensorFlow cannot make TFLite of it: {str(error).splitlines()[0]}") from error


def tensorflow() -> Any:
    """The module, loaded late as it takes seconds. Raises ModelError when it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        tf = importlib.import_module("tensorflow")
    except ImportError as error:
        raise ModelError(f"TensorFlow is needed for everything but .tflite files; {INSTALL}") from error
    tf.get_logger().setLevel("ERROR")
    return tf


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
    if len(sizes) != 3 or None in sizes:
        raise ModelError(f"{path}: its input is {tuple(shape)}; height, width and channels must be fixed: save it so")
    return tuple(int(n) for n in sizes)


def _load_saved_model(path: Path) -> Any:
    if not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path}: no saved_model.pb in this folder; {FORMS} is expected")
    tf = tensorflow()
    try:
        return tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ModelError(f"{path}: TensorFlow cannot load this SavedModel: {str(error).splitlines()[0]}") from error


def _keras_version(path: Path) -> int:
    """2 or 3, as the file says. Raises ModelError when it is neither's."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return int(str(json.loads(archive.read("metadata.json"))["keras_version"]).split(".")[0])
        h5py = importlib.import_module("h5py")
        with h5py.File(path) as file:
            stated = file.attrs.get("keras_version", b"2")
            return int((stated.decode() if isinstance(stated, bytes) else str(stated)).split(".")[0])
    except ImportError as error:
        raise ModelError(f"h5py is needed to read {path}; {INSTALL}") from error
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{path}: not a model that Keras saved, or damaged: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}; {FORMS} is expected") from error
