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
    """While faces are followed, how often the whole picture is searched instead of their surroundings; 0: always."""
    squares: bool = True
    """Whether a wide picture is searched as overlapping squares instead of being shrunk as a whole.

    Finds smaller faces, and takes one invocation per square.
    """


class QualitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits beyond which a face is not used to decide who somebody is."""

    min_eye_distance_px: Annotated[float, Meta(ge=4, le=500)] = 12.0
    min_sharpness: Annotated[float, Meta(ge=0)] = 2.5
    """Fine detail of the aligned crop in the direction that has least of it: about 40 is crisp, 2 is a smear."""
    min_brightness: Annotated[float, Meta(ge=0, le=255)] = 25.0
    max_brightness: Annotated[float, Meta(ge=0, le=255)] = 225.0
    max_turn_deg: Annotated[float, Meta(ge=5, le=90)] = 45.0
    """How far a head may be turned away from the camera in any direction."""
    min_presence: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """How certain the landmark network must be that this is a face."""
