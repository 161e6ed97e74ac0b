"""What a training starts with: a new network or a trained one, and what it is fed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from converter import networks, sources
from converter.classifier_head import has_softmax, probabilities
from converter.input_spec import PIXELS, model_input, template
from converter.sources import keras_of
from edge.errors import UsageError
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from edge.terminal import warn


class Beginning(NamedTuple):
    """A network to train."""

    embedder: Any
    """Keras: normalised pictures in, vectors out."""
    spec: InputSpec
    framing: Framing | None
    """None: it sees whole pictures."""
    name: str


def beginning(asked: dict[str, Any], dimensions: int | None) -> Beginning:
    """The network of the options, with `dimensions` unless they say how many. Raises UsageError and ModelError."""
    return _trained(asked) if asked["begun"] else _untrained(asked, dimensions)


def _untrained(asked: dict[str, Any], dimensions: int | None) -> Beginning:
    for option, value in (("--card", asked["known"]), ("--cut", asked["cut"])):
        if value:
            raise UsageError(f"{option} is about the model of --from; give --from too")
    name = asked["network"] or networks.DEFAULT
    usual, channels = networks.usual(name), 1 if asked["grey"] else 3
    size = asked["size"] or usual.size
    with _precision(asked["mixed_precision"]):
        embedder = networks.build(name, size, channels, asked["dimensions"] or dimensions or usual.dimensions)
    pixels = asked["pixels"] or ("0..255" if networks.scales_itself(embedder) else usual.pixels)
    spec = InputSpec((1, size, size, channels), "grey" if asked["grey"] else "rgb", **PIXELS[pixels])
    framing = None if asked["unaligned"] else Framing(np.array(template(size), np.float32))
    return Beginning(embedder, spec, framing, name)


def _trained(asked: dict[str, Any]) -> Beginning:
    for option in ("network", "size", "grey", "dimensions"):
        if asked[option]:
            raise UsageError(f"give --{option} or --from, not both: a trained model has all that")
    if asked["mixed_precision"]:
        raise UsageError("--mixed-precision: found with --from; allowed for new networks")
    path: Path = asked["begun"]
    model = sources.trainable_network(path, asked["cut"])
    told = model_input(path, _picture(model, path), asked["known"], asked["pixels"])
    if has_softmax(model):
        warn(probabilities(path, int(model.outputs[0].shape[-1])))
    framing = None
    if not asked["unaligned"]:
        framing = Framing(None if told.alignment is None else np.array(told.alignment, np.float32), told.crop)
    return Beginning(model, told.spec, framing, str(path))


def _picture(model: Any, path: Path) -> tuple[int, int, int]:
    """(side, side, channels) of its input. Raises UsageError unless a picture goes in and a vector comes out."""
    taken, given = [tuple(t.shape) for t in model.inputs], [tuple(t.shape) for t in model.outputs]
    one = len(taken) == len(given) == 1 and len(taken[0]) == 4 and len(given[0]) == 2
    if not one or None in taken[0][1:] or taken[0][1] != taken[0][2] or taken[0][3] not in {1, 3}:
        raise UsageError(
            f"{path}: takes {taken}, gives {given}; one square picture of fixed size in and one vector out are needed"
        )
    return taken[0][1:]


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Layers that are made inside compute in float16, if `mixed`, and keep their weights in float32."""
    if mixed:
        keras_of(3).config.set_dtype_policy("mixed_float16")
    try:
        yield
    finally:
        if mixed:
            keras_of(3).config.set_dtype_policy("float32")
