"""The learning rate of each epoch."""

import math
from collections.abc import Callable, Sequence

import numpy as np

PATIENCE = 4
"""Epochs without a larger area after which `plateau` halves the learning rate."""
LEAST_GAIN = 1e-4
"""The gain of area under the ROC curve from which an epoch counts as better."""


def decay(areas: Sequence[float]) -> float:
    """What the learning rate is multiplied by: halved whenever PATIENCE epochs bring no larger area."""
    factor, waited = 1.0, 0
    for better in _better(areas):
        waited = 0 if better else waited + 1
        if waited == PATIENCE:
            factor, waited = factor / 2, 0
    return factor


def waited(areas: Sequence[float]) -> int:
    """How many epochs there were since the last one with a larger area than all before."""
    found = [number for number, better in enumerate(_better(areas)) if better]
    return len(areas) - 1 - found[-1] if found else 0


def _better(areas: Sequence[float]) -> list[bool]:
    best, found = -np.inf, []
    for area in areas:
        found.append(area > best + LEAST_GAIN)
        best = max(best, area)
    return found


def _cosine(part: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * part))


def _steps(part: float) -> float:
    return 1.0 if part < 0.5 else 0.1 if part < 0.75 else 0.01


PLATEAU = "plateau"
PLANNED: dict[str, Callable[[float], float]] = {"cosine": _cosine, "steps": _steps}
"""Those that depend on the number of epochs: the share that is done -> a factor."""
SCHEDULES = (PLATEAU, *PLANNED, "constant")


def factor(schedule: str, epoch: int, epochs: int, warm_up: int, areas: Sequence[float]) -> float:
    """What the learning rate of an epoch, from 1, is multiplied by.

    `epochs` are planned in all, the first `warm_up` of which rise evenly; `areas` are those of the epochs before.
    """
    if epoch <= warm_up:
        return epoch / (warm_up + 1)
    if schedule == PLATEAU:
        return decay(areas)
    if schedule in PLANNED:
        return PLANNED[schedule]((epoch - 1 - warm_up) / max(1, epochs - warm_up))
    return 1.0
