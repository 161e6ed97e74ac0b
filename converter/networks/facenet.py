"""Inception-ResNet-v1: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections", 2016.

FaceNet's published models have this body, at 160 pixels and 512 numbers.
"""

from typing import Any

from converter.sources import keras_of

SIZE, DIMENSIONS = 160, 512
SMALLEST = 80

Branches = list[list[tuple[int, Any]]]
"""For each branch its convolutions: filters, and the side or sides of the kernel."""


def build(size: int, channels: int, dimensions: int) -> Any:
    """(n, size, size, channels) -> (n, dimensions); about 23 million parameters with 512 numbers."""
    keras = keras_of(3)
    layers = keras.layers
    picture = layers.Input((size, size, channels), name="picture")
    x = _conv(layers, picture, 32, 3, stride=2, padding="valid")
    x = _conv(layers, _conv(layers, x, 32, 3, padding="valid"), 64, 3)
    x = _conv(layers, layers.MaxPooling2D(3, 2)(x), 80, 1, padding="valid")
    x = _conv(layers, _conv(layers, x, 192, 3, padding="valid"), 256, 3, stride=2, padding="valid")
    for _ in range(5):
        x = _residual(layers, x, [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (32, 3), (32, 3)]], 0.17)
    x = _reduced(layers, x, [[(384, 3)], [(192, 1), (192, 3), (256, 3)]])
    for _ in range(10):
        x = _residual(layers, x, [[(128, 1)], [(128, 1), (128, (1, 7)), (128, (7, 1))]], 0.10)
    x = _reduced(layers, x, [[(256, 1), (384, 3)], [(256, 1), (256, 3)], [(256, 1), (256, 3), (256, 3)]])
    for number in range(6):
        last = number == 5
        branches: Branches = [[(192, 1)], [(192, 1), (192, (1, 3)), (192, (3, 1))]]
        x = _residual(layers, x, branches, 1.0 if last else 0.20, active=not last)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(dimensions, use_bias=False)(x)
    return keras.Model(picture, layers.BatchNormalization(scale=False, name="embedding")(x), name="facenet")


def _conv(layers: Any, x: Any, filters: int, side: Any, *, stride: int = 1, padding: str = "same") -> Any:
    x = layers.Conv2D(filters, side, strides=stride, padding=padding, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(scale=False)(x))


def _residual(layers: Any, x: Any, branches: Branches, scale: float, *, active: bool = True) -> Any:
    """Add the branches, brought to the width of what they are added to, and scaled down so that training is stable."""
    ends = []
    for branch in branches:
        end = x
        for filters, side in branch:
            end = _conv(layers, end, filters, side)
        ends.append(end)
    change = layers.Conv2D(x.shape[-1], 1)(layers.Concatenate()(ends))
    x = layers.Add()([x, layers.Rescaling(scale)(change)])
    return layers.ReLU()(x) if active else x


def _reduced(layers: Any, x: Any, branches: Branches) -> Any:
    """Half the size: the last convolution of each branch has stride 2, beside a pooling."""
    ends = [layers.MaxPooling2D(3, 2)(x)]
    for branch in branches:
        end = x
        for number, (filters, side) in enumerate(branch, 1):
            last = number == len(branch)
            end = _conv(layers, end, filters, side, stride=2 if last else 1, padding="valid" if last else "same")
        ends.append(end)
    return layers.Concatenate()(ends)
