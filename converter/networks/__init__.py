"""The architectures that `train` can start with: a normalised picture in, a vector out."""

from collections.abc import Callable
from typing import Any

from converter.networks import cnn, mobilefacenet
from converter.sources import keras_of
from edge.errors import UsageError

APPLICATIONS = {"mobilenet-v2": ("MobileNetV2", 32), "inception-resnet-v2": ("InceptionResNetV2", 75)}
"""Name -> Keras' class, and the smallest side of picture that it accepts."""
OWN: dict[str, Callable[[int, int, int], Any]] = {"cnn": cnn.build, "mobilefacenet": mobilefacenet.build}
NETWORKS = (*OWN, *APPLICATIONS)


def build(name: str, size: int, channels: int, dimensions: int) -> Any:
    """An untrained Keras 3 model, (n, size, size, channels) -> (n, dimensions), float32.

    Raises UsageError when the pictures are too small for it, ModelError when TensorFlow is not installed.
    """
    if name in OWN:
        return OWN[name](size, channels, dimensions)
    application, least = APPLICATIONS[name]
    if size < least:
        raise UsageError(f"--size: {name} found {size}; {name} takes pictures of {least} pixels or more")
    keras = keras_of(3)
    body = getattr(keras.applications, application)(
        include_top=False, weights=None, input_shape=(size, size, channels), pooling="avg"
    )
    vector = keras.layers.Dense(dimensions, name="embedding")(body.output)
    return keras.Model(body.input, vector, name=name.replace("-", "_"))
