"""Pixels 0..255 -> what the network takes; while training, varied as a door camera varies them."""

from typing import Any

from converter.sources import keras_of
from edge.models.card import InputSpec

TURN = 5 / 360
"""The largest rotation that alignment leaves, as a part of a full turn."""
SHIFT = 0.03
GREY_LEVELS = 255.0


def training_network(embedder: Any, spec: InputSpec, *, augment: bool) -> Any:
    """A Keras model (n, side, side, channels) pixels -> (n, dimensions), with the embedder inside."""
    keras = keras_of(3)
    pixels = keras.Input(spec.shape[1:], name="pixels")
    varied = _varied(keras.layers, pixels) if augment else pixels
    vector = embedder(normalised(varied, spec))
    # A model that was rebuilt gives a list of its one output; one in mixed precision gives float16.
    vector = vector[0] if isinstance(vector, list) else vector
    single = vector if vector.dtype == "float32" else keras.ops.cast(vector, "float32")
    return keras.Model(pixels, single, name="training")


def augmentation(spec: InputSpec) -> Any:
    """A Keras model pixels -> varied pixels, as in training."""
    keras = keras_of(3)
    pixels = keras.Input(spec.shape[1:], name="pixels")
    return keras.Model(pixels, _varied(keras.layers, pixels), name="augmentation")


def normalised(pixels: Any, spec: InputSpec) -> Any:
    """Normalise as `edge.models.tflite.to_tensor` does."""
    keras = keras_of(3)
    if not spec.per_picture:
        return keras.layers.Rescaling(1 / spec.scale, -spec.mean / spec.scale, name="normalise")(pixels)
    ops, axes = keras.ops, (1, 2, 3)
    least = 1.0 / float(spec.shape[1] * spec.shape[2] * spec.shape[3]) ** 0.5
    apart = pixels - ops.mean(pixels, axis=axes, keepdims=True)
    return apart / ops.maximum(ops.std(pixels, axis=axes, keepdims=True), least)


def _varied(layers: Any, pixels: Any) -> Any:
    """Mirrored, placed a little wrong, in other light, out of focus; by Keras only while training."""
    steps = (
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(TURN, fill_mode="nearest"),
        layers.RandomTranslation(SHIFT, SHIFT, fill_mode="nearest"),
        layers.RandomZoom(0.05, fill_mode="nearest"),
        layers.RandomBrightness(0.2, value_range=(0, GREY_LEVELS)),
        layers.RandomContrast(0.25, value_range=(0, GREY_LEVELS)),
        layers.RandomGaussianBlur(0.4, kernel_size=5, sigma=(0.3, 1.5), value_range=(0, GREY_LEVELS)),
    )
    for step in steps:
        pixels = step(pixels)
    return pixels
