"""Which picture of a visitor is the best to look at; what recognises them best is another question."""

import math

from edge.records import Box, Quality

SHARP = 60.0
"""Sharper than this looks no better."""
AROUND = 0.2
"""So much around the face, in parts of its width, should be in the picture too: hair, chin and ears."""
DARK, BRIGHT = 70.0, 190.0
"""Between them the light is good."""
UNUSABLE = 0.5
"""A face that cannot be recognised is shown when there is none better."""


def picture_value(quality: Quality, box: Box, width: int, height: int) -> float:
    """How good a face in a picture of that size is to look at, 0..1.

    A product, so that one fault outweighs everything else: small, blurred, dark, turned away, or half out of the frame.
    """
    crisp = math.sqrt(min(1.0, quality.sharpness / SHARP))
    usable = 1.0 if quality.usable else UNUSABLE
    return quality.score * crisp * _whole(box, width, height) ** 2 * _light(quality.brightness) * usable


def _whole(box: Box, width: int, height: int) -> float:
    """How much of the face and of what is around it lies in the picture."""
    around = AROUND * box.width
    across = min(box.right + around, width) - max(box.left - around, 0.0)
    down = min(box.bottom + around, height) - max(box.top - around, 0.0)
    area = (box.width + 2 * around) * (box.height + 2 * around)
    return max(across, 0.0) * max(down, 0.0) / area if area > 0 else 0.0


def _light(brightness: float) -> float:
    return max(0.0, min(1.0, brightness / DARK, (255.0 - brightness) / (255.0 - BRIGHT)))
