"""Faces in infrared light look more alike: their similarities on the scale of ordinary ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.models.card import Calibration
from edge.models.measure import COSINE, Measure
from edge.records import SeenFaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np


class InfraredScale:
    """Translates the similarity of two infrared faces into the ordinary one that impostors reach as rarely.

    So one threshold, and one false-match rate, serve both kinds of light.
    """

    def __init__(self, infrared: Calibration, ordinary: Calibration) -> None:
        lowest = max(infrared.points[-1][1], ordinary.points[-1][1])
        highest = min(infrared.points[0][1], ordinary.points[0][1])
        measured = {rate for calibration in (infrared, ordinary) for _, rate in calibration.points}
        rates = sorted((rate for rate in measured if lowest <= rate <= highest), reverse=True)
        self._from = np.array([infrared.similarity_at(rate)[0] for rate in rates], np.float32)
        self._to = np.array([ordinary.similarity_at(rate)[0] for rate in rates], np.float32)

    def translated(self, similarities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Similarities (n,) of infrared faces to infrared faces -> as of ordinary ones. Nothing is ever raised.

        Beyond the data of either calibration the distance at its end is kept.
        """
        below, above = self._to[0] - self._from[0], self._to[-1] - self._from[-1]
        inside = np.interp(similarities, self._from, self._to)
        outside = similarities + np.where(similarities < self._from[0], below, above)
        within = (similarities >= self._from[0]) & (similarities <= self._from[-1])
        found: NDArray[np.float32] = np.minimum(np.where(within, inside, outside), similarities).astype(np.float32)
        return found


def likeness(
    one: SeenFaces, other: SeenFaces, scale: InfraredScale | None, measure: Measure = COSINE
) -> NDArray[np.float32]:
    """The similarities (n, m) of each of n faces to each of m, those of two infrared ones translated."""
    found = measure.between(one.vectors, other.vectors)
    both = one.infrared[:, None] & other.infrared
    if scale is not None and both.any():
        found[both] = scale.translated(found[both])
    return found


def infrared_scale(infrared: Calibration | None, ordinary: Calibration | None) -> InfraredScale | None:
    """The scale; None without both calibrations, or when they have no rate in common."""
    if infrared is None or ordinary is None:
        return None
    if infrared.points[0][1] < ordinary.points[-1][1] or ordinary.points[0][1] < infrared.points[-1][1]:
        return None
    return InfraredScale(infrared, ordinary)
