"""Figures over repeated rounds: medians with their spread, and how something grows."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

import numpy as np

from tools.bench.records import Figure

T = TypeVar("T")
DIGITS = 4


class Spent(NamedTuple):
    """What a call took, in seconds."""

    wall_s: float
    cpu_s: float
    """CPU time of all threads: other programs do not add to it."""


def timed(call: Callable[[], T]) -> tuple[Spent, T]:
    """Call, and say what it took and what it returned."""
    cpu, began = time.process_time(), time.perf_counter()
    result = call()
    return Spent(time.perf_counter() - began, time.process_time() - cpu), result


def spread(values: Sequence[float]) -> Figure:
    """The median and the extremes of one figure per round. There must be at least one."""
    return Figure(rounded(median(values)), rounded(min(values)), rounded(max(values)), len(values))


def rounded(value: float) -> float:
    """To four significant digits: nothing here is known better."""
    return float(f"{value:.{DIGITS}g}")


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """How y grows with x: the slope of the logarithms by least squares. 1 is linear, 2 is quadratic.

    Raises ValueError for fewer than two points, and for values that are not positive.
    """
    if len(x) != len(y) or len(x) < 2 or min(*x, *y) <= 0:
        raise ValueError(f"found {len(x)} and {len(y)} values; allowed: at least two pairs, all of them above 0")
    return round(float(np.polyfit(np.log(x), np.log(y), 1)[0]), 3)


def turned(items: Sequence[T], turn: int) -> list[T]:
    """The same items, another one first each turn: what runs first finds other caches than what follows."""
    first = turn % len(items)
    return [*items[first:], *items[:first]]
