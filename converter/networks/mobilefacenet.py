"""MobileFaceNet: Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification", 2018."""

from typing import Any, NamedTuple

from converter.sources import keras_of


class BottleneckStage(NamedTuple):
    """Inverted-residual bottlenecks: table 1 of the paper."""

    expansion: int
    channels: int
    repeats: int
    stride: int


STAGES = (
    BottleneckStage(2, 64, 5, 2),
    BottleneckStage(4, 128, 1, 2),
    BottleneckStage(2, 128, 6, 1),
    BottleneckStage(4, 128, 1, 2),
    BottleneckStage(2, 128, 2, 1),
)


def build(size: int, channels: int, dimensions: int) -> Any:
    """(n, size, size, channels) -> (n, dimensions); about a million parameters at 112 pixels and 128 numbers."""
    keras = keras_of(3)
    layers = keras.layers
    picture = layers.Input((size, size, channels), name="picture")
    features = _active(layers, layers.Conv2D(64, 3, strides=2, padding="same", use_bias=False)(picture))
    features = _active(layers, layers.DepthwiseConv2D(3, padding="same", use_bias=False)(features))
    for stage in STAGES:
        for number in range(stage.repeats):
            features = _bottleneck(layers, features, stage, stage.stride if number == 0 else 1)
    features = _active(layers, layers.Conv2D(512, 1, use_bias=False)(features))
    # Global depthwise: each place of the face has a weight of its own, which an average would take away.
    features = layers.DepthwiseConv2D(features.shape[1], use_bias=False)(features)
    features = layers.BatchNormalization()(features)
    features = layers.Conv2D(dimensions, 1, use_bias=False)(features)
    features = layers.BatchNormalization()(features)
    return keras.Model(picture, layers.Flatten(name="embedding")(features), name="mobilefacenet")


def _bottleneck(layers: Any, taken: Any, stage: BottleneckStage, stride: int) -> Any:
    features = _active(layers, layers.Conv2D(taken.shape[-1] * stage.expansion, 1, use_bias=False)(taken))
    depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
    features = _active(layers, depthwise(features))
    features = layers.BatchNormalization()(layers.Conv2D(stage.channels, 1, use_bias=False)(features))
    return layers.Add()([taken, features]) if stride == 1 and taken.shape[-1] == stage.channels else features


def _active(layers: Any, features: Any) -> Any:
    return layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(features))
