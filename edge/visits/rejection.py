"""The price of a rejected visit: how many of the person's own visits it may cost their name."""

import math
from dataclasses import dataclass

import numpy as np

from edge.errors import UsageError
from edge.models.card import Calibration
from edge.models.measure import COSINE
from edge.records import SeenFaces
from edge.visits.infrared_scale import likeness
from edge.visits.matcher import Matcher


@dataclass(frozen=True, slots=True)
class Price:
    """What an anchor costs the person."""

    miss_rate: float | None
    """Which part of the person's visits is missed, of those only just similar enough; None: not calibrated, or
    not compared by cosine."""
    spare: float | None
    """How much nearer to the anchor the person's templates could be before one is denied; None: they have only one."""


def price_of(anchor: SeenFaces, templates: SeenFaces, matcher: Matcher) -> Price:
    """The price of an anchor, one face, for a person with these templates.

    The calibration says how often a visit and the anchor have enough in common besides the template, which both
    resemble: as often as two strangers do. More similar visits need more, so this bounds the misses of all of them.
    """
    calibration: Calibration | None = matcher.calibration
    needed = _in_common(float((templates.vectors @ anchor.vectors[0]).max()), matcher.threshold, matcher.min_margin)
    # The bound is one of angles.
    rate = None if calibration is None or matcher.measure is not COSINE else calibration.rate_at(needed)
    count = len(templates.vectors)
    if count < 2:
        return Price(rate, None)
    alike = likeness(templates, templates, matcher.scale, matcher.measure) - 4 * np.eye(count, dtype=np.float32)
    towards = likeness(templates, anchor, matcher.scale, matcher.measure)[:, 0]
    spare = alike.max(1) + matcher.min_margin - towards
    return Price(rate, float(spare.min()))


def _in_common(anchor: float, visit: float, margin: float) -> float:
    """The cosine, beside the template, from which a visit is clearly nearer to the anchor than to the template.

    `anchor` and `visit` are similarities to the template t: v = visit * t + sqrt(1 - visit^2) * x, likewise the anchor
    with y; then v is nearer to the anchor by `margin` as soon as x @ y is this large.
    """
    beside = math.sqrt(max(1 - anchor**2, 0.0) * max(1 - visit**2, 0.0))
    return (visit * (1 - anchor) + margin) / beside if beside else 1.0


def check_rejection(anchor: SeenFaces, templates: SeenFaces, matcher: Matcher, name: str) -> Price:
    """The price. Raises UsageError when the anchor would deny one of the person's own templates."""
    price = price_of(anchor, templates, matcher)
    if price.spare is not None and price.spare <= 0:
        raise UsageError(
            f"this visit is so much like one of the photos of {name} that the name would be denied to that photo too: "
            "the visit shows them, or the photo shows somebody else; see `whosthere gallery show`"
        )
    return price
