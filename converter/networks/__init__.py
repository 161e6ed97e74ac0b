"""The architectures that `train` can start with: a normalised picture in, a vector out."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from converter.networks import cnn, facenet, mobilefacenet, own_file
from converter.sources import keras_of
from edge.errors import UsageError

OWN: dict[str, Callable[[int, int, int], Any]] = {
    "cnn": cnn.build,
    "mobilefacenet": mobilefacenet.build,
    "facenet": facenet.build,
}
DEFAULT = "cnn"
MOMENTUM = 0.9
"""The most that batch norm keeps of its statistics per step. Keras' applications have 0.99 and 0.999, for millions of
pictures: after a few hundred steps, a variance is still mostly the 1 that it began with, and all faces give one vector.
"""


class UsualInput(NamedTuple):
    """What a network is usually given, and gives."""

    size: int = 112
    dimensions: int = 128
    pixels: str = "-1..1"


def usual(name: str) -> UsualInput:
    """The input that is taken where the user asks for no other."""
    return UsualInput(facenet.SIZE, facenet.DIMENSIONS, "per-picture") if name == "facenet" else UsualInput()


def build(name: str, size: int, channels: int, dimensions: int) -> Any:
    """An untrained Keras 3 model, (n, size, size, channels) -> (n, dimensions), float32.

    `name`: one of `OWN`, an application of Keras, or the path of a .py file with a function build(size, channels,
    dimensions). Raises UsageError when there is no such network, when the pictures are too small for it, or when the
    file is at fault; ModelError when TensorFlow is not installed.
    """
    if name.endswith(".py"):
        return own_file.build(name, size, channels, dimensions)
    if name in OWN:
        if name == "facenet" and size < facenet.SMALLEST:
            raise UsageError(f"--size: found {size}; {name} takes pictures of {facenet.SMALLEST} pixels or more")
        return OWN[name](size, channels, dimensions)
    keras, application = keras_of(3), _application(name)
    # The pixels are normalised outside, so that one card says how.
    plain = (
        {"include_preprocessing": False} if "include_preprocessing" in inspect.signature(application).parameters else {}
    )
    try:
        body = application(include_top=False, weights=None, input_shape=(size, size, channels), pooling="avg", **plain)
    except ValueError as error:
        raise UsageError(f"--size: found {size}: {name}: {str(error).splitlines()[0]}") from error
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, MOMENTUM)
    vector = keras.layers.Dense(dimensions, name="embedding")(body.output)
    return keras.Model(body.input, vector, name=_plain(name))


def scales_itself(model: Any) -> bool:
    """Whether a network scales pixels 0..255 on its own, as Keras' EfficientNets do."""
    return any(type(layer).__name__ == "Rescaling" for layer in model.layers[:4])


def _application(name: str) -> Any:
    applications = keras_of(3).applications
    known = {
        _plain(key): (key, value)
        for key, value in vars(applications).items()
        if callable(value) and "include_top" in inspect.signature(value).parameters
    }
    if _plain(name) not in known:
        listed = ", ".join(sorted(key for key, _ in known.values()))
        raise UsageError(f"--network: found {name!r}; allowed: {', '.join(OWN)}, FILE.py, {listed}")
    return known[_plain(name)][1]


def _plain(name: str) -> str:
    """The name without what is written differently: MobileNetV2, mobilenet-v2, mobilenet_v2."""
    return name.lower().replace("-", "").replace("_", "")
