"""Who is in a picture, as a label: by cosine to a centre per person, with and without a margin."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converter.sources import keras_of
from converter.training.dataset import Dataset
from converter.training.heads import Batch, Head, HeadSettings
from converter.training.mining import HardNegatives

SHARPNESS = 16.0
MARGIN_SCALE = 32.0
ANGULAR_MARGIN = 0.3
COSINE_MARGIN = 0.2
"""The papers have 0.5 and 0.35, and a scale of 64, for millions of photos; from the start, hundreds of people learn
nothing with those."""


def classes(network: Any, settings: HeadSettings) -> Head:
    """A label classifier by cosine: Wang et al., "NormFace: L2 Hypersphere Embedding for Face Verification", 2017."""
    keras = keras_of(3)
    labels = keras.layers.Softmax(name="labels")(_cosines(network, settings) * settings.scale)
    return Head(keras.Model(network.input, labels), "sparse_categorical_crossentropy", ["accuracy"])


def arcface(network: Any, settings: HeadSettings) -> Head:
    """Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019."""
    return _with_margin(network, settings, angle=settings.margin)


def cosface(network: Any, settings: HeadSettings) -> Head:
    """Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018."""
    return _with_margin(network, settings, cosine=settings.margin)


def _with_margin(network: Any, settings: HeadSettings, angle: float = 0.0, cosine: float = 0.0) -> Head:
    model = keras_of(3).Model(network.input, _cosines(network, settings))
    return Head(model, margin_loss(settings.scale, angle, cosine), ["sparse_categorical_accuracy"])


def _cosines(network: Any, settings: HeadSettings) -> Any:
    """(n, people): to the nearest of the centres of each person.

    Several centres let wrong labels and odd pictures gather at one of their own: Deng et al., "Sub-center ArcFace",
    ECCV 2020.
    """
    keras = keras_of(3)
    unit = keras.layers.UnitNormalization(name="unit")(network.output)
    straight = keras.constraints.UnitNorm(axis=0)
    count = settings.people * settings.sub_centres
    cosines = keras.layers.Dense(count, use_bias=False, kernel_constraint=straight, name="people")(unit)
    if settings.sub_centres == 1:
        return cosines
    return keras.ops.max(keras.ops.reshape(cosines, (-1, settings.sub_centres, settings.people)), axis=1)


def whole_classifier(embedder: Any, head: Any, settings: HeadSettings) -> Any:
    """A Keras model, normalised pictures -> the probability of each person, with the centres that `head` has learnt.

    Margins only make training harder: without them, the cosines and the scale give the probabilities.
    """
    keras = keras_of(3)
    layers, centres = keras.layers, head.get_layer("people").get_weights()[0]
    vector = embedder.outputs[0]
    unit = layers.UnitNormalization(name="unit", dtype="float32")(vector)
    dense = layers.Dense(centres.shape[1], use_bias=False, name="people", dtype="float32")
    logits = dense(unit)
    dense.set_weights([centres * settings.scale])
    if settings.sub_centres > 1:
        apart = layers.Reshape((settings.sub_centres, settings.people), name="sub_centres", dtype="float32")(logits)
        logits = layers.GlobalMaxPooling1D(name="nearest", dtype="float32")(apart)
    return keras.Model(embedder.inputs[0], layers.Softmax(name="labels", dtype="float32")(logits))


def margin_loss(scale: float, angle: float, cosine: float) -> Callable[[Any, Any], Any]:
    """Cross-entropy of cosines (n, people), the right one of which is made smaller: cos(t + angle) - cosine.

    Beyond the angle where cos(t + angle) would rise again, the line t -> cos t - angle sin(angle) goes on falling.
    """

    def loss(person: Any, cosines: Any) -> Any:
        ops = keras_of(3).ops
        person = ops.cast(ops.reshape(person, (-1,)), "int32")
        right = ops.one_hot(person, cosines.shape[-1])
        own = ops.clip(ops.sum(cosines * right, axis=1), -1.0, 1.0)
        # The slope of the root is infinite where a picture lies on its centre.
        turned = own * float(np.cos(angle)) - ops.sqrt(ops.maximum(1.0 - own * own, 1e-6)) * float(np.sin(angle))
        harder = ops.where(own > -float(np.cos(angle)), turned, own - angle * float(np.sin(angle))) - cosine
        logits = scale * (cosines + right * (harder - own)[:, None])
        return ops.mean(ops.logsumexp(logits, axis=1) - scale * harder)

    return loss


def draw_pictures(dataset: Dataset, size: int, random: np.random.Generator, _hard: HardNegatives | None) -> Batch:
    """Random pictures: (pixels, person)."""
    chosen = random.choice(len(dataset), min(size, len(dataset)), replace=False)
    return dataset.pixels(chosen), dataset.person[chosen].astype(np.float32)
