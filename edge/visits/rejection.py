"""The price of a rejected visit: how many of the person's own visits it may cost their name."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import UsageError
from edge.models.card import Calibration
from edge.records import Vector
from edge.visits.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Price:
    """What an anchor costs the person."""

    miss_rate: float | None
    """How often somebody else's embedding comes as near to the anchor as a denied visit must; None: not calibrated."""
    spare: float | None
    """How much nearer to the anchor the person's templates could be before one is denied; None: they have only one."""


def price_of(anchor: Vector, templates: NDArray[np.float32], matcher: Matcher) -> Price:
    """The price of an anchor (d,) for a person with these templates (n, d).

    A visit of theirs is only denied if it is at least `min_margin` nearer to the anchor than to their templates, which
    it must resemble by the threshold: so it resembles the anchor by both together. The calibration says how often two
    different people are that alike.
    """
    calibration: Calibration | None = matcher.calibration
    rate = None if calibration is None else calibration.rate_at(matcher.threshold + matcher.min_margin)
    if len(templates) < 2:
        return Price(rate, None)
    alike = templates @ templates.T - 4 * np.eye(len(templates), dtype=np.float32)
    spare = float((alike.max(1) + matcher.min_margin - templates @ anchor).min())
    return Price(rate, spare)


def check_rejection(anchor: Vector, templates: NDArray[np.float32], matcher: Matcher, name: str) -> Price:
    """The price. Raises UsageError when the anchor would deny one of the person's own templates."""
    price = price_of(anchor, templates, matcher)
    if price.spare is not None and price.spare <= 0:
        raise UsageError(
            f"this visit is so much like one of the photos of {name} that the name would be denied to that photo too: "
            "the visit shows them, or the photo shows somebody else; see `whosthere gallery show`"
        )
    return price
