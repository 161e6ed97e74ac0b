"""TFLite's operators in TensorFlow, for a batch of pictures, so that a gradient can flow through a graph."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from converter.graph import NONE, RELU, RELU6, schema
from converter.sources import tensorflow


class Operation(NamedTuple):
    """One operator and what it is given."""

    given: Sequence[Any]
    """Tensors; weights in TensorFlow's layout."""
    options: Any
    shape: tuple[int, ...]
    """The shape of its output, for one picture."""


Compute = Callable[[Any, Operation], Any]


def compute(kind: str, operation: Operation) -> Any:
    """What an operator gives, its fused activation included. `kind` is one of `COMPUTE`."""
    tf = tensorflow()
    return _activated(tf, COMPUTE[kind](tf, operation), getattr(operation.options, "fusedActivationFunction", NONE))


def _activated(tf: Any, values: Any, activation: int) -> Any:
    if activation == RELU:
        return tf.nn.relu(values)
    if activation == RELU6:
        return tf.nn.relu6(values)
    if activation == schema.ActivationFunctionType.RELU_N1_TO_1:
        return tf.clip_by_value(values, -1.0, 1.0)
    return tf.tanh(values) if activation == schema.ActivationFunctionType.TANH else values


def _padding(options: Any) -> str:
    return "SAME" if options.padding == schema.Padding.SAME else "VALID"


def _convolution(tf: Any, o: Operation) -> Any:
    strides = [1, o.options.strideH, o.options.strideW, 1]
    dilations = [1, o.options.dilationHFactor, o.options.dilationWFactor, 1]
    made = tf.nn.conv2d(o.given[0], o.given[1], strides, _padding(o.options), dilations=dilations)
    return tf.nn.bias_add(made, o.given[2])


def _depthwise(tf: Any, o: Operation) -> Any:
    strides = [1, o.options.strideH, o.options.strideW, 1]
    dilations = [o.options.dilationHFactor, o.options.dilationWFactor]
    made = tf.nn.depthwise_conv2d(o.given[0], o.given[1], strides, _padding(o.options), dilations=dilations)
    return tf.nn.bias_add(made, o.given[2])


def _dense(tf: Any, o: Operation) -> Any:
    rows = tf.reshape(o.given[0], [-1, int(o.given[1].shape[0])])
    return tf.reshape(tf.nn.bias_add(tf.matmul(rows, o.given[1]), o.given[2]), [-1, *o.shape[1:]])


def _pooling(pool: str) -> Compute:
    def pooled(tf: Any, o: Operation) -> Any:
        size, strides = (o.options.filterHeight, o.options.filterWidth), (o.options.strideH, o.options.strideW)
        return getattr(tf.nn, pool)(o.given[0], size, strides, _padding(o.options))

    return pooled


def _reshape(tf: Any, o: Operation) -> Any:
    return tf.reshape(o.given[0], [-1, *o.shape[1:]])


def _mean(tf: Any, o: Operation) -> Any:
    return tf.reduce_mean(o.given[0], [int(axis) for axis in o.given[1].reshape(-1)], keepdims=bool(o.options.keepDims))


def _resize(tf: Any, o: Operation) -> Any:
    centres = {"align_corners": o.options.alignCorners, "half_pixel_centers": o.options.halfPixelCenters}
    return tf.compat.v1.image.resize_bilinear(o.given[0], o.shape[1:3], **centres)


COMPUTE: dict[str, Compute] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "ADD": lambda _, o: o.given[0] + o.given[1],
    "SUB": lambda _, o: o.given[0] - o.given[1],
    "MUL": lambda _, o: o.given[0] * o.given[1],
    "MAXIMUM": lambda tf, o: tf.maximum(o.given[0], o.given[1]),
    "MINIMUM": lambda tf, o: tf.minimum(o.given[0], o.given[1]),
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "PAD": lambda tf, o: tf.pad(o.given[0], o.given[1]),
    "MAX_POOL_2D": _pooling("max_pool2d"),
    "AVERAGE_POOL_2D": _pooling("avg_pool2d"),
    "CONCATENATION": lambda tf, o: tf.concat(list(o.given), o.options.axis),
    "MEAN": _mean,
    "RELU": lambda tf, o: tf.nn.relu(o.given[0]),
    "RELU6": lambda tf, o: tf.nn.relu6(o.given[0]),
    "LOGISTIC": lambda tf, o: tf.sigmoid(o.given[0]),
    "TANH": lambda tf, o: tf.tanh(o.given[0]),
    "HARD_SWISH": lambda tf, o: o.given[0] * tf.nn.relu6(o.given[0] + 3.0) / 6.0,
    "L2_NORMALIZATION": lambda tf, o: tf.math.l2_normalize(o.given[0], -1),
    "RESIZE_BILINEAR": _resize,
    "PRELU": lambda tf, o: tf.where(o.given[0] > 0, o.given[0], o.given[0] * o.given[1]),
}
"""Those that an int8 network can have, and HARD_SWISH."""
