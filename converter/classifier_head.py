"""Label classifiers: noticing that a network is one, cutting its head off, and keeping it."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

from converter.graph import Graph
from edge.errors import ModelError

SOFTMAX = "softmax"
SIGMOID = "sigmoid"
HEADS = frozenset({"Softmax", "Activation", "Dropout", "Reshape", "GlobalMaxPooling1D"})
"""Layers that may follow the last Dense of a classifier; the last two choose among sub-centres."""
UNIT = "UnitNormalization"
CUTTABLE = frozenset({".keras", ".h5", ".hdf5", ".onnx"})
"""Files in which layers can still be told apart."""


class ClassifierParts(NamedTuple):
    """A label classifier in two parts, Keras models."""

    embedder: Any
    """Pictures -> vector."""
    head: Any
    """Vector -> one probability per label; None: the model is no label classifier."""


def labels_of(content: bytes, name: str) -> int | None:
    """How many labels a TFLite network gives probabilities of; None: its output is no softmax."""
    graph = Graph(content, name)
    made_by = [graph.kind(operator) for operator in graph.operators if graph.outputs[0] in operator.outputs]
    return graph.shape(graph.outputs[0])[-1] if made_by == ["SOFTMAX"] else None


def probabilities(path: Path, labels: int) -> str:
    """What is wrong with a classifier as an embedder, and what can be done."""
    if path.suffix.lower() in CUTTABLE and not path.is_dir():
        advice = "cut it before the labels with --cut softmax"
    else:
        advice = "give it without its last layers; of a .keras, .h5 or .onnx file, --cut softmax takes them off"
    return (
        f"{path}: gives probabilities of {labels} labels (its last step is a softmax), not an embedding: people whom "
        f"it was not trained on look alike to it; {advice}"
    )


def has_softmax(model: Any) -> bool:
    """Whether a Keras model ends in a softmax."""
    return _activation(model.layers[-1]) == SOFTMAX


def parts_of(model: Any, where: str | None, path: Path, *, labelled: bool) -> ClassifierParts:
    """Cut a Keras model at the layer `where`, by default before its labels if it has any, and keep what follows.

    `labelled`: its outputs are labels, whatever its last layer is. Raises ModelError as `cut_at` does, and when the
    outputs of a labelled model cannot be probabilities.
    """
    _check_layers(model, path)
    probable = _probabilities(model, path, labelled=labelled)
    if where is None and probable is None:
        return ClassifierParts(model, None)
    try:
        vector = _vector_at(model, where or SOFTMAX, path, labelled=labelled)
    except ModelError:
        if where is None and not labelled:
            # It is converted whole then, with a warning.
            return ClassifierParts(model, None)
        raise
    keras = _keras(model)
    embedder = keras.Model(_taken(model), vector)
    # Cut after its last layer, there is nothing to keep.
    if probable is None or where == model.layers[-1].name:
        return ClassifierParts(embedder, None)
    try:
        return ClassifierParts(embedder, keras.Model(vector, probable))
    except ValueError as error:
        found = f"{where or vector.name!r}, past which other layers reach the labels"
        raise ModelError(f"{path}: --cut: found {found}; allowed: a layer that all of them go through") from error


def cut_at(model: Any, where: str, path: Path) -> Any:
    """The Keras model up to the output of a layer, by name; `softmax`: up to what its last Dense, for labels, is fed.

    Raises ModelError that lists the layers when there is none, or when it does not give one vector.
    """
    _check_layers(model, path)
    return _keras(model).Model(_taken(model), _vector_at(model, where, path))


def _check_layers(model: Any, path: Path) -> None:
    if not hasattr(model, "layers"):
        found = "a SavedModel was found, whose layers are lost"
        raise ModelError(f"{path}: --cut and --labels: {found}; allowed: a .keras or .h5 file")


def _vector_at(model: Any, where: str, path: Path, *, labelled: bool = False) -> Any:
    if where == SOFTMAX:
        vector = _before_labels(model, path, labelled=labelled)
    else:
        known = [layer.name for layer in model.layers]
        if where not in known:
            raise ModelError(f"{path}: --cut: found {where!r}; allowed: softmax, {', '.join(_vectors(model))}")
        vector = _made_by(model, model.get_layer(where))
    if isinstance(vector, list) or len(vector.shape) != 2:
        found = "several outputs" if isinstance(vector, list) else f"an output of {tuple(vector.shape)}"
        raise ModelError(
            f"{path}: --cut: found {where!r}, which gives {found}; allowed: a layer that gives one vector: "
            f"{', '.join(_vectors(model)) or 'this model has none'}"
        )
    return vector


def _taken(model: Any) -> Any:
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def _keras(model: Any) -> Any:
    return importlib.import_module(type(model).__module__.split(".")[0])


def _probabilities(model: Any, path: Path, *, labelled: bool) -> Any:
    """The model's output as one probability per label; None: it is no label classifier."""
    output, activation = model.outputs[0], _activation(model.layers[-1])
    numbers = output.shape[-1] if len(output.shape) == 2 else None
    if activation == SOFTMAX:
        return output
    if activation == SIGMOID and numbers == 1:
        return _keras(model).layers.Concatenate(name="labels")([1.0 - output, output])
    if not labelled:
        return None
    if activation not in {"", "linear"} or numbers is None or numbers == 1:
        raise ModelError(
            f"{path}: --labels: found {model.layers[-1].name!r} at its end, with activation {activation or 'none'}, "
            f"giving {tuple(output.shape)}; allowed: a softmax, one sigmoid, or one number per label before a softmax"
        )
    return _keras(model).layers.Softmax(name="labels")(output)


def _before_labels(model: Any, path: Path, *, labelled: bool) -> Any:
    last = [layer for layer in model.layers if type(layer).__name__ not in HEADS][-1]
    if type(last).__name__ != "Dense" or not (labelled or _activation(model.layers[-1]) in {SOFTMAX, SIGMOID}):
        raise ModelError(
            f"{path}: --cut softmax: found {model.layers[-1].name!r} at its end, which is no softmax after a Dense; "
            f"allowed: one of its layers: {', '.join(_vectors(model))}"
        )
    (vector,) = _taken_by(_made_by(model, last))
    # Scaling to length one is the head's: every embedding is scaled to it anyway, and quantised worse after it.
    return _taken_by(vector)[0] if type(vector._keras_history[0]).__name__ == UNIT else vector


def _made_by(model: Any, layer: Any) -> Any:
    """The layer's output on the way to the model's: a Sequential model that grew has run its layers several times."""
    found = list(model.outputs)
    for tensor in found:
        if tensor._keras_history[0] is layer:
            return tensor
        found += [one for one in _taken_by(tensor) if not any(one is known for known in found)]
    return layer.output


def _taken_by(tensor: Any) -> list[Any]:
    """What the layer that made a Keras tensor was fed; Keras 2 and 3 have it under different names."""
    layer, number, _ = tensor._keras_history
    node = layer._inbound_nodes[number]
    return list(node.keras_inputs if hasattr(node, "keras_inputs") else node.input_tensors)


def _activation(layer: Any) -> str:
    return SOFTMAX if type(layer).__name__ == "Softmax" else getattr(getattr(layer, "activation", None), "__name__", "")


def _vectors(model: Any) -> list[str]:
    """The layers that give one vector, the last ones."""
    given = [(layer.name, getattr(layer, "output", None)) for layer in model.layers[1:-1]]
    return [name for name, out in given if out is not None and len(getattr(out, "shape", ())) == 2][-8:]
