"""Label classifiers: noticing that a network is one, and cutting its head off."""

import importlib
from pathlib import Path
from typing import Any

from converter.graph import Graph
from edge.errors import ModelError

SOFTMAX = "softmax"
HEADS = frozenset({"Softmax", "Activation", "Dropout"})
"""Layers that may follow the last Dense of a classifier."""


def labels_of(content: bytes, name: str) -> int | None:
    """How many labels a TFLite network gives probabilities of; None: its output is no softmax."""
    graph = Graph(content, name)
    made_by = [graph.kind(operator) for operator in graph.operators if graph.outputs[0] in operator.outputs]
    return graph.shape(graph.outputs[0])[-1] if made_by == ["SOFTMAX"] else None


def probabilities(path: Path, labels: int) -> str:
    """What is wrong with a classifier as an embedder, and what can be done."""
    return (
        f"{path}: gives probabilities of {labels} labels (its last step is a softmax), not an embedding: people whom "
        "it was not trained on look alike to it; cut it before the labels with --cut softmax"
    )


def has_softmax(model: Any) -> bool:
    """Whether a Keras model ends in a softmax."""
    return _activation(model.layers[-1]) == SOFTMAX


def cut_at(model: Any, where: str, path: Path) -> Any:
    """The Keras model up to the output of a layer, by name; `softmax`: up to what its last Dense, for labels, is fed.

    Raises ModelError that lists the layers when there is none, or when it does not give one vector.
    """
    if not hasattr(model, "layers"):
        raise ModelError(f"{path}: --cut: a SavedModel was found, whose layers are lost; allowed: a .keras or .h5 file")
    keras = importlib.import_module(type(model).__module__.split(".")[0])
    if where == SOFTMAX:
        vector = _before_labels(model, path)
    else:
        known = [layer.name for layer in model.layers]
        if where not in known:
            raise ModelError(f"{path}: --cut: found {where!r}; allowed: softmax, {', '.join(_vectors(model))}")
        vector = model.get_layer(where).output
    if isinstance(vector, list) or len(vector.shape) != 2:
        found = "several outputs" if isinstance(vector, list) else f"an output of {tuple(vector.shape)}"
        raise ModelError(
            f"{path}: --cut: found {where!r}, which gives {found}; allowed: a layer that gives one vector: "
            f"{', '.join(_vectors(model)) or 'this model has none'}"
        )
    return keras.Model(model.inputs[0] if len(model.inputs) == 1 else model.inputs, vector)


def _before_labels(model: Any, path: Path) -> Any:
    last = [layer for layer in model.layers if type(layer).__name__ not in HEADS][-1]
    if not has_softmax(model) or type(last).__name__ != "Dense":
        raise ModelError(
            f"{path}: --cut softmax: found {model.layers[-1].name!r} at its end, which is no softmax after a Dense; "
            f"allowed: one of its layers: {', '.join(_vectors(model))}"
        )
    return last.input


def _activation(layer: Any) -> str:
    return SOFTMAX if type(layer).__name__ == "Softmax" else getattr(getattr(layer, "activation", None), "__name__", "")


def _vectors(model: Any) -> list[str]:
    """The layers that give one vector, the last ones."""
    given = [(layer.name, getattr(layer, "output", None)) for layer in model.layers[1:-1]]
    return [name for name, out in given if out is not None and len(getattr(out, "shape", ())) == 2][-8:]
