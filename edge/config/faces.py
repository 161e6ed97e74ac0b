"""The sections `motion`, `detect` and `quality` of config.yaml."""

from typing import Annotated

import msgspec
from msgspec import Meta


class MotionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the detector is woken up."""

    enabled: bool = True
    min_change: Annotated[float, Meta(gt=0, le=255)] = 12.0
    """By how many grey levels a pixel must differ from the background."""
    min_area: Annotated[float, Meta(gt=0, le=1)] = 0.004
    """The fraction of the picture that must have changed."""
    linger_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    """How long the detector stays awake after the last motion."""
    idle_interval_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """How often it runs while nothing moves."""
    adapt_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """Time constant with which the background adapts to what stays."""


class DetectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When something counts as a face."""

    min_score: Annotated[float, Meta(ge=0.3, le=1)] = 0.6
    full_interval_s: Annotated[float, Meta(ge=0, le=10)] = 0.4
    """How often the whole picture is searched while faces are followed or nothing moves any more; 0: always.

    While nothing but followed people moves: every `motion.idle_interval_s`, if that is longer.
    """
    tiles: Annotated[int, Meta(ge=0, le=64)] = 3
    """How many small parts of the full picture are searched for far faces per frame, where something moves; 0: none."""
    squares: bool = True
    """Whether a wide picture is searched as overlapping squares instead of being shrunk as a whole.

    Finds smaller faces, and takes one invocation per square.
    """


class QualitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits beyond which a face is not used to decide who somebody is."""

    min_eye_distance_px: Annotated[float, Meta(ge=4, le=500)] = 7.0
    min_sharpness: Annotated[float, Meta(ge=0)] = 0.7
    """Fine detail of the aligned crop in the direction that has least of it: about 40 is crisp, 2 is a smear."""
    min_brightness: Annotated[float, Meta(ge=0, le=255)] = 3.0
    max_brightness: Annotated[float, Meta(ge=0, le=255)] = 245.0
    """Where fewer than half of the faces of known people still match, by docs/50-accuracy.md; so is the one before."""
    max_turn_deg: Annotated[float, Meta(ge=5, le=90)] = 45.0
    """How far a head may be turned away from the camera in any direction."""
    min_presence: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """How certain the landmark network must be that this is a face."""


ENROLMENT_LIMITS = QualitySettings(
    min_eye_distance_px=12.0, min_sharpness=2.5, min_brightness=25.0, max_brightness=225.0
)
"""What a template needs: it is compared with every visitor for years, while a visitor's face is one of many."""


def enrolment_limits(limits: QualitySettings) -> QualitySettings:
    """The stricter of each configured limit and that of ENROLMENT_LIMITS."""
    return QualitySettings(
        min_eye_distance_px=max(limits.min_eye_distance_px, ENROLMENT_LIMITS.min_eye_distance_px),
        min_sharpness=max(limits.min_sharpness, ENROLMENT_LIMITS.min_sharpness),
        min_brightness=max(limits.min_brightness, ENROLMENT_LIMITS.min_brightness),
        max_brightness=min(limits.max_brightness, ENROLMENT_LIMITS.max_brightness),
        max_turn_deg=min(limits.max_turn_deg, ENROLMENT_LIMITS.max_turn_deg),
        min_presence=max(limits.min_presence, ENROLMENT_LIMITS.min_presence),
    )
