"""How far a quantised network is from its float original, layer by layer."""

from collections.abc import Sequence

import msgspec
import numpy as np

from converter.graph import Values
from converter.runner import TensorProbe


class Layer(msgspec.Struct, frozen=True):
    """One tensor that both networks compute."""

    name: str
    shape: list[int]
    agreement: float
    """Mean over the channels of the correlation between both; 1: the same, up to scale and sign of each channel."""


def layers(original: bytes, made: bytes, faces: Sequence[Values]) -> list[Layer]:
    """Tensors of the same name, in the original's order; none when the two are not made from one file.

    Equalisation scales and flips channels without changing the network, so that values are compared by correlation.
    """
    one, other = _values(original, faces), _values(made, faces)
    return [
        Layer(name, list(values.shape[1:]), _agreement(values, other[name]))
        for name, values in one.items()
        if name in other and values.ndim == 4 and values.shape == other[name].shape
    ]


def _agreement(one: Values, other: Values) -> float:
    flat = [v.reshape(-1, v.shape[-1]).astype(np.float64) for v in (one, other)]
    first, second = (v - v.mean(0) for v in flat)
    spread = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    alive = spread > 1e-9
    return float((np.abs((first * second).sum(0))[alive] / spread[alive]).mean()) if alive.any() else 1.0


def _values(content: bytes, faces: Sequence[Values]) -> dict[str, Values]:
    """Name -> values of every computed tensor over all faces, in the order of computation."""
    probe = TensorProbe(content)
    runs = [_by_float_name(probe.run(face)) for face in faces]
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}


def _by_float_name(computed: dict[str, Values]) -> dict[str, Values]:
    """A tensor that exists as integers and as floats counts once, as it was computed first."""
    found: dict[str, Values] = {}
    for name, values in computed.items():
        found.setdefault(name.removesuffix("/int"), values)
    return found
