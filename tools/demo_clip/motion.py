"""How people come up to the demo's door, wait and leave: everything is a function of time."""

import math
from dataclasses import dataclass

import numpy as np

from tools.demo_clip.scene import GATE, GATE_X, HORIZON, WIDTH
from tools.demo_clip.sprites import SourcePortrait

APPROACH_S = 3.6
PAUSE_S = 2.5
LEAVE_S = 1.3
VISIT_S = APPROACH_S + PAUSE_S + LEAVE_S
_TO_THE_GATE_S = 1.1
"""The time along the hedge, until the path to the door begins."""
_BEHIND_THE_HEDGE = 5.6
"""How far beside the gate, in faces, the hedge hides somebody completely."""
_HALF_BODY = 1.9
"""Half the width of a person, in faces: that far outside, somebody has left the picture."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One person coming once."""

    name: str
    person_id: str | None
    """The id in the gallery; None: the gallery does not know them."""
    portrait: SourcePortrait
    comes_from: int
    """-1: along the hedge from the left; 1: from the right."""
    stands_at: float
    """The column of the face at the door."""
    face_px: float
    """The width of the face at the door."""
    leaves_to: int
    """-1: out of the picture on the left; 1: on the right."""
    short: float = 0.0
    """How far the face is below the camera, in faces."""
    late_s: float = 0.0
    """How much later than the others of the same visit."""


@dataclass(frozen=True, slots=True)
class FigurePose:
    """Where a face is in the picture."""

    x: float
    y: float
    width: float
    angle: float
    """Degrees, clockwise."""
    passed_gate: bool


def pose(visitor: Visitor, t: float) -> FigurePose | None:
    """The visitor `t` seconds after coming into view behind the hedge; None before and after the visit."""
    t -= visitor.late_s
    if not 0 <= t < VISIT_S:
        return None
    walking = _walking(t)
    leaving = max(t - APPROACH_S - PAUSE_S, 0) / LEAVE_S
    width = _width(visitor, t) * (1 - 0.22 * math.pow(leaving, 1.5))
    x = _column(visitor, t, width)
    out = WIDTH / 2 + visitor.leaves_to * (WIDTH / 2 + _HALF_BODY * width)
    x += (out - x) * math.pow(leaving, 1.6)
    phase = visitor.stands_at * 0.1
    step = math.sin(math.tau * 0.95 * t + phase)
    idle = math.sin(math.tau * 0.31 * t + phase)
    return FigurePose(
        x=x + width * (0.06 * walking * step + 0.05 * idle),
        y=HORIZON + width * (visitor.short - 0.05 * walking * abs(step) + 0.015 * math.sin(math.tau * 0.23 * t)),
        width=width * (1 + 0.012 * idle),
        angle=2.4 * walking * step + 2.2 * math.sin(math.tau * 0.27 * t + 2 * phase),
        passed_gate=t > _TO_THE_GATE_S,
    )


def gone_after(visitor: Visitor) -> float:
    """Seconds from coming into view to having left the picture."""
    return visitor.late_s + VISIT_S


def _walking(t: float) -> float:
    """1 while walking, 0 while standing at the door."""
    left = APPROACH_S + PAUSE_S
    return float(np.interp(t, [APPROACH_S - 0.6, APPROACH_S, left, left + 0.3], [1, 0, 0, 1]))


def _progress(t: float) -> float:
    """Part of the way from the gate to the door, slowing down at its end."""
    part = min(t / APPROACH_S, 1.0)
    return part + 0.18 * math.sin(math.pi * part) * part


def _width(visitor: Visitor, t: float) -> float:
    """A face is as wide as its distance is small."""
    near, far = 1 / visitor.face_px, 1 / GATE
    return 1.0 / (far + (near - far) * _progress(t))


def _column(visitor: Visitor, t: float, width: float) -> float:
    """From behind the hedge through the gate, then straight to where the visitor stands; in perspective."""
    aside_at_door = (visitor.stands_at - GATE_X) / visitor.face_px
    hidden = max(1 - t / _TO_THE_GATE_S, 0.0)
    aside = aside_at_door * _progress(t) + visitor.comes_from * _BEHIND_THE_HEDGE * math.pow(hidden, 1.2)
    return GATE_X + aside * width
