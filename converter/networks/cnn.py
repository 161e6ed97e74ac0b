"""A plain CNN: pairs of 3x3 convolutions, each pair on half the size. For small collections, and to learn with."""

from typing import Any

from converter.sources import keras_of

WIDTHS = (32, 64, 96, 128)


def build(size: int, channels: int, dimensions: int) -> Any:
    """(n, size, size, channels) -> (n, dimensions); about half a million parameters."""
    layers = keras_of(3).layers
    picture = layers.Input((size, size, channels), name="picture")
    features = picture
    for width in WIDTHS:
        for stride in (2, 1):
            features = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(features)
            features = layers.BatchNormalization()(features)
            features = layers.ReLU()(features)
    pooled = layers.GlobalAveragePooling2D()(features)
    vector = layers.Dense(dimensions, name="embedding")(pooled)
    return keras_of(3).Model(picture, vector, name="cnn")
