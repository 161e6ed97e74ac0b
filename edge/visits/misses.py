"""How often somebody who is known is missed: the price of a rarer false alarm, as measured for the embedder's card."""

import math
import re

from edge.models.card import Card

_KEY = "true-match rate on "
_POINT = re.compile(r"(\d+(?:\.\d+)?)% at (\d(?:\.\d+)?e[+-]\d+)")


def miss_rate(card: Card, target: float, templates: int) -> float | None:
    """The part of pictures of known people that a false-alarm target misses, for a gallery of that many templates.

    Each picture is compared with one other of the same person; a visit adds up several faces and is missed less often.
    Between measured rates it is interpolated over the logarithm, and beyond them the last one is returned. None: the
    card does not say.
    """
    _, text = _measured(card)
    points = sorted((float(rate), 1.0 - float(share) / 100) for share, rate in _POINT.findall(text))
    if not points:
        return None
    rate = 1.0 - (1.0 - target) ** (1.0 / max(1, templates))
    (r0, m0), *rest = points
    if rate <= r0:
        return m0
    for r1, m1 in rest:
        if rate <= r1:
            part = (math.log(rate) - math.log(r0)) / (math.log(r1) - math.log(r0))
            return m0 + part * (m1 - m0)
        r0, m0 = r1, m1
    return m0


def measured_on(card: Card) -> str:
    """What the misses were measured on, as in `lfw-dev, 8399 pairs of pictures of one person`; empty: nothing was."""
    data, text = _measured(card)
    return f"{data}, {text.rpartition('; ')[2]}" if data else ""


def _measured(card: Card) -> tuple[str, str]:
    """The data set and the figures for ordinary pictures; empty when the card has none."""
    found = ((key.removeprefix(_KEY), text) for key, text in card.measured.items() if key.startswith(_KEY))
    return next(((data, text) for data, text in found if "infrared" not in data), ("", ""))
