"""The values that flow through a network on real faces, and the ranges that its int8 tensors should hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from converter.graph import Values
from converter.runner import TensorProbe
from edge.errors import ModelError
from edge.terminal import progress

Range = tuple[float, float]
Curve = Callable[[Values], Values]
"""An activation."""

BINS = 2048
CANDIDATES = 40
LEAST_ENERGY = 1e-6
"""The least mean square that a picture counts with, as a share of the square of the largest value of all."""
LEAST_SHARE = 0.1
LEVELS = 255
ROOM = 2.0
FEW_PLACES, DEEP_ROOM = 64, 1.25
"""A tensor with so few values per channel (7 x 7, a vector) depends on who is seen: the ranges of a few people are made
wider by this factor, as other people's values exceed them."""


@dataclass(slots=True)
class Statistics:
    """Statistics of the network's input and of every computed float tensor, by name."""

    largest: dict[str, Values] = field(default_factory=dict)
    """The largest absolute value of each channel, over all pictures."""
    mean: dict[str, Values] = field(default_factory=dict)
    """The mean of each channel, over all pictures."""
    lowest: dict[str, list[float]] = field(default_factory=dict)
    """The lowest value in each picture."""
    highest: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, Values] = field(default_factory=dict)
    """Histogram of BINS bins from the lowest to the highest of all; empty unless asked for.

    A picture's values count relative to their mean square: a face with a short vector matters as much as one with a
    long vector, as in cosines. One that makes next to nothing counts no more than LEAST_ENERGY allows.
    """
    places: dict[str, int] = field(default_factory=dict)
    """The number of values per channel in one picture."""

    def whole(self, name: str) -> Range:
        return min(self.lowest[name]), max(self.highest[name])


def observe(content: bytes, inputs: Sequence[Values], histograms: bool = False) -> Statistics:
    """Run a float model on pictures (1, h, w, c), already normalised.

    Raises ModelError when a tensor is not finite.
    """
    probe, found = TensorProbe(content), Statistics()
    for tensor in progress(inputs, "ranges of values"):
        for name, values in _seen(probe, tensor).items():
            _note(found, name, values)
    found.mean = {name: total / len(inputs) for name, total in found.mean.items()}
    if histograms:
        for tensor in progress(inputs, "histograms of values"):
            for name, values in _seen(probe, tensor).items():
                whole = _some(found.whole(name))
                counted = np.histogram(values, BINS, whole)[0]
                energy = max(
                    float(np.square(values, dtype=np.float64).mean()), LEAST_ENERGY * max(map(abs, whole)) ** 2
                )
                found.counts[name] = found.counts.get(name, 0) + counted / energy
    return found


def _seen(probe: TensorProbe, tensor: Values) -> dict[str, Values]:
    """The values of all tensors, the input included, which gets a range too."""
    return {probe.input_name: tensor.astype(np.float32)} | probe.run(tensor)


def _note(found: Statistics, name: str, values: Values) -> None:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        raise ModelError(f"the tensor {name!r} is not finite ({low} to {high}) for one of the faces: it cannot be int8")
    rows = values.reshape(-1, values.shape[-1])
    found.largest[name] = np.maximum(found.largest.get(name, 0), np.abs(rows).max(0))
    found.places[name] = len(rows)
    found.mean[name] = found.mean.get(name, 0) + rows.mean(0, np.float64)
    found.lowest.setdefault(name, []).append(low)
    found.highest.setdefault(name, []).append(high)


def percentile_ranges(found: Statistics, cut: float = 1.0) -> dict[str, Range]:
    """From the `cut`-th percentile of the pictures' minima to the same of their maxima, widened to hold 0."""
    return {
        name: with_zero((np.percentile(low, cut), np.percentile(found.highest[name], 100 - cut)))
        for name, low in found.lowest.items()
    }


def roomy_ranges(found: Statistics) -> dict[str, Range]:
    """Twice the range seen, for integers that have levels to spare, because other faces will exceed it."""
    wholes = {name: with_zero(found.whole(name)) for name in found.lowest}
    return {name: (ROOM * low, ROOM * high) for name, (low, high) in wholes.items()}


def searched_ranges(found: Statistics, through: Mapping[str, Curve] | None = None) -> dict[str, Range]:
    """For each tensor the range that 255 levels render with the least relative square error, by its histogram.

    `through`: the activation that reads a tensor, by name; the error is measured behind it. Tensors of few places get
    DEEP_ROOM besides.
    """
    curves, ranges = through or {}, {}
    for name, counts in found.counts.items():
        low, high = _best_range(counts, _some(found.whole(name)), curves.get(name, _unchanged))
        room = DEEP_ROOM if found.places[name] <= FEW_PLACES else 1.0
        ranges[name] = (room * low, room * high)
    return ranges


def joined(ranges: Mapping[str, Range], pairs: Sequence[tuple[str, str]]) -> dict[str, Range]:
    """Give the two tensors of each pair one range that holds both."""
    made = dict(ranges)
    for one, other in pairs:
        made[one] = made[other] = min(made[one][0], made[other][0]), max(made[one][1], made[other][1])
    return made


def _best_range(counts: Values, whole: Range, curve: Curve) -> Range:
    """The range with the least error behind the activation, of all shares of the lower and of the upper side."""
    edges = np.linspace(*whole, BINS + 1)
    centres, weights = (edges[:-1] + edges[1:]) / 2, counts / max(counts.sum(), 1)
    wanted = curve(centres)
    # Inside a range, the error before the activation is uniform in +-step/2.
    inner = np.concatenate([[0.0], np.cumsum(weights * np.gradient(wanted, centres) ** 2 / 12)])
    low, high = with_zero(whole)
    best, least = (low, high), np.inf
    for lower in _shares(low):
        below = np.searchsorted(centres, lower)
        cut_below = float((weights[:below] * (curve(np.array([lower])) - wanted[:below]) ** 2).sum())
        for upper in _shares(high):
            above = np.searchsorted(centres, upper, side="right")
            cut = cut_below + float((weights[above:] * (curve(np.array([upper])) - wanted[above:]) ** 2).sum())
            error = cut + ((upper - lower) / LEVELS) ** 2 * float(inner[above] - inner[below])
            if error < least:
                best, least = (lower, upper), error
    return best


def _shares(side: float) -> list[float]:
    """How far a range may reach on one side, from all of it down to little: `side` itself where it is 0."""
    return [side * share for share in np.linspace(1.0, LEAST_SHARE, CANDIDATES)] if side else [0.0]


def _unchanged(x: Values) -> Values:
    return x


def with_zero(given: Range) -> Range:
    """Zero must be among the values of a range: padding is zero."""
    return min(float(given[0]), 0.0), max(float(given[1]), 0.0)


def _some(whole: Range) -> Range:
    """The range, or one so wide that float32 can tell the edges of its BINS bins apart."""
    low, high = whole
    return low, max(high, low + BINS * 2.0**-22 * max(abs(low), abs(high)) + 1e-30)
