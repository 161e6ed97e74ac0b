"""The similarities of a visit over time, as a drawing (SVG): for those who want to know why."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.diary.explanation import ExplainedLook, Explanation

WIDTH, HEIGHT = 600, 220
LEFT, RIGHT, TOP, BOTTOM = 40, 590, 12, 188
"""Where the points are; beside and below are the scales."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything in pixels of a drawing of WIDTH x HEIGHT."""

    alone: list[tuple[float, float]]
    """One point per usable face."""
    together: str
    """All faces up to then, as the points of a line."""
    refused: list[float]
    """Where the faces were that were not used."""
    needed: float | None
    """The height of what a name needs."""
    heights: list[tuple[float, str]]
    """The scale at the side."""
    seconds: str
    """How long it lasted."""

    @classmethod
    def of(cls, explanation: Explanation) -> "Chart | None":
        """None: no face was compared with the gallery."""
        looks = explanation.looks
        needed = explanation.threshold.similarity if explanation.threshold else None
        values = [v for look in looks for v in (look.similarity, look.fused, needed) if v is not None]
        if not any(look.similarity is not None for look in looks):
            return None
        low, high = min(values) - 0.03, max(values) + 0.03
        lasted = max(looks[-1].at_s - looks[0].at_s, 0.1)

        def x(look: ExplainedLook) -> float:
            return round(LEFT + (look.at_s - looks[0].at_s) / lasted * (RIGHT - LEFT), 1)

        def y(value: float) -> float:
            return round(BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP), 1)

        return cls(
            alone=[(x(look), y(look.similarity)) for look in looks if look.similarity is not None],
            together=" ".join(f"{x(look)},{y(look.fused)}" for look in looks if look.fused is not None),
            refused=[x(look) for look in looks if look.problem is not None],
            needed=None if needed is None else y(needed),
            heights=[(y(value), f"{value:.1f}") for value in _steps(low, high)],
            seconds=f"{lasted:.1f} s",
        )


def _steps(low: float, high: float) -> Sequence[float]:
    """Tenths between the two."""
    return [tenth / 10 for tenth in range(-10, 11) if low <= tenth / 10 <= high]
