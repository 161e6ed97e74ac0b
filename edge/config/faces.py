"""The sections `motion`, `detect` and `quality` of config.yaml."""

from typing import Annotated

import msgspec
from msgspec import Meta


class MotionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the detector is woken."""

    enabled: bool = True
    min_change: Annotated[float, Meta(gt=0, le=255)] = 12.0
    """By how many grey levels a spot must differ from the background."""
    min_area: Annotated[float, Meta(gt=0, le=1)] = 0.004
    """Part of the picture that must have changed."""
    linger_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    """How long the detector stays awake after the last motion."""
    idle_interval_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """How often it looks when nothing moves."""
    adapt_s: Annotated[float, Meta(gt=0, le=600)] = 1.0
    """How fast the background takes in what stays (time constant)."""


class DetectSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a face counts as seen."""

    min_score: Annotated[float, Meta(ge=0.3, le=1)] = 0.6
    full_interval_s: Annotated[float, Meta(ge=0, le=10)] = 0.4
    """While faces are followed the whole picture is looked at only so often; between, only around them. 0: always."""
    squares: bool = True
    """Look at overlapping squares of a wide picture instead of shrinking the whole.

    Finds smaller faces and costs an invocation a square.
    """


class QualitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits beyond which a face is not used to decide who somebody is."""

    min_eye_distance_px: Annotated[float, Meta(ge=4, le=500)] = 12.0
    min_sharpness: Annotated[float, Meta(ge=0)] = 2.5
    """Fine detail of the aligned crop in the direction that has least: about 40 is crisp, 2 a smear."""
    min_brightness: Annotated[float, Meta(ge=0, le=255)] = 25.0
    max_brightness: Annotated[float, Meta(ge=0, le=255)] = 225.0
    max_turn_deg: Annotated[float, Meta(ge=5, le=90)] = 45.0
    """How far a head may be turned away from the camera, whichever way."""
    min_presence: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """What the landmark network must think of it being a face at all."""
