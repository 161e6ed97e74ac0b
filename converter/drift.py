"""How far a quantised network has drifted from its float original, layer by layer."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from converter.graph import Values
from converter.variants import quantised_input


class Layer(msgspec.Struct, frozen=True):
    """One tensor that both networks compute."""

    name: str
    shape: list[int]
    agreement: float
    """Mean over the channels of the correlation between both: 1 is the same but for a channel's scale and sign."""


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
    """Name -> values of every computed tensor over all faces, integers as what they stand for."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runner = Interpreter(
        model_content=content, experimental_preserve_all_tensors=True, experimental_op_resolver_type=resolver
    )
    runner.allocate_tensors()
    given = runner.get_input_details()[0]
    details = {d["index"]: d for d in runner.get_tensor_details()}
    written = [int(i) for o in runner._get_ops_details() for i in o["outputs"] if int(i) in details]
    # A tensor that is there as integers and as floats is looked at once.
    watched = {details[index]["name"].removesuffix("/int"): index for index in reversed(written)}
    found: dict[str, list[Values]] = {name: [] for name in reversed(watched)}
    for face in faces:
        runner.set_tensor(given["index"], quantised_input(face, given))
        runner.invoke()
        for name, index in watched.items():
            found[name].append(_real(runner.get_tensor(index), details[index]))
    return {name: np.concatenate(values) for name, values in found.items()}


def _real(values: Values, details: dict[str, Any]) -> Values:
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    step, zero = details["quantization"]
    real: Values = (values.astype(np.float32) - zero) * step
    return real
