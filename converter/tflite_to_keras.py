"""A float TFLite network -> a Keras model with its weights, which can be trained further, and the check of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from converter.graph import NONE, RELU, Graph, Values, schema
from converter.passes.simplify import fuse_activations, recognise_prelu, widen_constants
from converter.runner import unit
from converter.sources import keras_of
from edge.errors import ModelError
from edge.models.tflite import Engine, open_interpreter

LARGEST_DIFFERENCE = 1e-4
"""After normalisation; what float32 in another order of summation stays far below."""
PADDINGS = {schema.Padding.SAME: "same", schema.Padding.VALID: "valid"}


Layers = tuple[list[Any], list[Values]]
"""One after the other, and the weights of the first."""


class BuildStep(NamedTuple):
    """An operator that becomes layers."""

    graph: Graph
    operator: Any
    layers: Any
    """The module `keras.layers`."""
    name: str


def to_keras(content: bytes, name: str) -> Any:
    """A Keras 3 model of the same function, layer by layer. Raises ModelError naming an operator that is not known."""
    graph = Graph(content, name)
    widen_constants(graph)
    recognise_prelu(graph)
    fuse_activations(graph)
    keras = keras_of(3)
    shape = graph.shape(graph.inputs[0])
    made: dict[int, Any] = {graph.inputs[0]: keras.Input(shape[1:], name="picture")}
    loads: list[tuple[Any, list[Values]]] = []
    for number, operator in enumerate(graph.operators):
        kind = graph.kind(operator)
        if kind not in BUILDERS:
            raise ModelError(f"{name}: {graph.label(operator)}: no Keras layer is known for this operator yet")
        given = [made[int(i)] for i in operator.inputs if int(i) in made]
        layers, weights = BUILDERS[kind](BuildStep(graph, operator, keras.layers, f"{kind.lower()}_{number}"))
        result: Any = given if len(given) > 1 else given[0]
        for layer in layers:
            result = layer(result)
        loads.append((layers[0], weights))
        made[int(operator.outputs[0])] = result
    model = keras.Model(made[graph.inputs[0]], [made[o] for o in graph.outputs], name=name.replace("-", "_"))
    for layer, weights in loads:
        if weights:
            layer.set_weights(weights)
    return model


def largest_difference(original: bytes, model: Any, inputs: Sequence[Values]) -> float:
    """Between the outputs of a TFLite network and of a Keras one, each scaled to length one; inputs are (1, h, w, c).

    The original may take more than one picture at a time: then each is put into every place.
    """
    interpreter = open_interpreter(original, "the original")
    engine, batch = Engine(interpreter), interpreter.get_input_details()[0]["shape"][0]
    worst = 0.0
    for tensor in inputs:
        wanted = [output[:1] for output in engine.run(np.repeat(tensor, batch, 0))]
        found = model(tensor, training=False)
        outputs = found if isinstance(found, list | tuple) else [found]
        pairs = zip(_by_shape(wanted), _by_shape([np.asarray(o) for o in outputs]), strict=True)
        worst = max(worst, *(float(np.abs(unit(a) - unit(b)).max()) for a, b in pairs))
    return worst


def _by_shape(outputs: list[Values]) -> list[Values]:
    return sorted(outputs, key=lambda o: (o.size, o.shape))


def _convolution(step: BuildStep) -> Layers:
    options, kernel = step.operator.builtinOptions, step.graph.weights(step.operator, 1)
    made = step.layers.Conv2D(
        kernel.shape[0],
        kernel.shape[1:3],
        strides=(options.strideH, options.strideW),
        padding=PADDINGS[options.padding],
        dilation_rate=(options.dilationHFactor, options.dilationWFactor),
        activation=_activation(step.operator),
        name=step.name,
    )
    return [made], [kernel.transpose(1, 2, 3, 0), step.graph.weights(step.operator, 2)]


def _depthwise(step: BuildStep) -> Layers:
    options, kernel = step.operator.builtinOptions, step.graph.weights(step.operator, 1)
    made = step.layers.DepthwiseConv2D(
        kernel.shape[1:3],
        strides=(options.strideH, options.strideW),
        padding=PADDINGS[options.padding],
        activation=_activation(step.operator),
        name=step.name,
    )
    return [made], [kernel.transpose(1, 2, 3, 0), step.graph.weights(step.operator, 2)]


def _dense(step: BuildStep) -> Layers:
    kernel = step.graph.weights(step.operator, 1)
    made = step.layers.Dense(kernel.shape[0], activation=_activation(step.operator), name=step.name)
    return [made], [kernel.T, step.graph.weights(step.operator, 2)]


def _prelu(step: BuildStep) -> Layers:
    return [step.layers.PReLU(shared_axes=[1, 2], name=step.name)], [
        step.graph.weights(step.operator, 1).reshape(1, 1, -1)
    ]


def _add(step: BuildStep) -> Layers:
    rectified = [step.layers.ReLU(name=f"{step.name}_relu")] if _activation(step.operator) else []
    return [step.layers.Add(name=step.name), *rectified], []


def _pad(step: BuildStep) -> Layers:
    amounts = step.graph.weights(step.operator, 1).tolist()
    if not any(amounts[3]):
        return [step.layers.ZeroPadding2D([tuple(amounts[1]), tuple(amounts[2])], name=step.name)], []
    # Keras pads no channels: as a third axis in space they can be.
    shape = step.graph.shape(int(step.operator.inputs[0]))[1:]
    padded = step.graph.shape(int(step.operator.outputs[0]))[1:]
    by = [tuple(amount) for amount in amounts[1:]]
    return [
        step.layers.Reshape((*shape, 1), name=f"{step.name}_deeper"),
        step.layers.ZeroPadding3D(by, name=step.name),
        step.layers.Reshape(padded, name=f"{step.name}_flat"),
    ], []


def _pool(step: BuildStep) -> Layers:
    options = step.operator.builtinOptions
    kind = step.layers.MaxPooling2D if step.graph.kind(step.operator) == "MAX_POOL_2D" else step.layers.AveragePooling2D
    size, strides = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
    return [kind(size, strides, PADDINGS[options.padding], name=step.name)], []


def _reshape(step: BuildStep) -> Layers:
    return [step.layers.Reshape(step.graph.shape(int(step.operator.outputs[0]))[1:], name=step.name)], []


def _concatenation(step: BuildStep) -> Layers:
    axes = len(step.graph.shape(int(step.operator.outputs[0])))
    return [step.layers.Concatenate(axis=step.operator.builtinOptions.axis % axes, name=step.name)], []


def _activation(operator: Any) -> str | None:
    known = {NONE: None, RELU: "relu", schema.ActivationFunctionType.RELU6: "relu6"}
    return known[operator.builtinOptions.fusedActivationFunction]


BUILDERS: dict[str, Callable[[BuildStep], Layers]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
}
