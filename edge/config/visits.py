"""The sections `track`, `visit`, `match` and `strangers` of config.yaml."""

from typing import Annotated

import msgspec
from msgspec import Meta


class TrackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How faces are followed from frame to frame."""

    confirm_hits: Annotated[int, Meta(ge=1, le=50)] = 3
    """A face seen fewer times is taken for a false detection."""
    lost_after_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    """A face not seen for so long is gone."""
    reach: Annotated[float, Meta(gt=0, le=5)] = 0.8
    """How far a face may have moved off its expected place, in face sizes."""


class VisitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is one visit, and when it is decided."""

    gap_s: Annotated[float, Meta(ge=0.5, le=3600)] = 15.0
    """Somebody who is away for longer than this begins a new visit."""
    min_faces: Annotated[int, Meta(ge=1, le=100)] = 3
    """Usable faces that a name must rest on."""
    patience_s: Annotated[float, Meta(ge=0, le=120)] = 3.0
    """How long, from the first usable face on, a name is sought before the visit is `unknown` or `uncertain`."""
    patience_faces: Annotated[int, Meta(ge=1, le=1000)] = 8
    """And how many usable faces must have been looked at by then."""
    provisional: bool = False
    """Announce a name from the first usable face on, marked `provisional`; the final decision follows."""
    look_interval_s: Annotated[float, Meta(ge=0, le=10)] = 0.1
    """How often a face of an undecided visit is embedded."""
    max_looks: Annotated[int, Meta(ge=5, le=10_000)] = 80
    """After so many looks a visit's face is looked at only every `recheck_s`."""
    recheck_s: Annotated[float, Meta(ge=0.5, le=600)] = 2.0
    """How often a decided visit is looked at again, lest somebody else has taken the place."""
    link_wait_s: Annotated[float, Meta(ge=0, le=10)] = 1.5
    """How long a new face may take to show whether it is somebody who just left."""


class MatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How sure a name must be."""

    false_alarm_target: Annotated[float, Meta(gt=0, le=0.5)] = 0.001
    """How often a stranger may be called by a name: 0.001 is one stranger in a thousand (FPIR)."""
    min_margin: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """How much more similar the first person must be than the second; less is `uncertain`."""
    threshold: Annotated[float, Meta(ge=-1, le=1)] | None = None
    """A cosine similarity that overrides the calibration; only for an embedder without one."""


class UnknownFacesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures of unknown visitors, for `whosthere-converter enroll --from-box`."""

    keep: Annotated[int, Meta(ge=0, le=500)] = 0
    """How many visitors; 0: no picture is ever written."""
    keep_hours: Annotated[float, Meta(gt=0, le=2160)] = 48.0
    path: str = "/var/lib/whosthere/strangers"
    """Relative paths count from the folder of config.yaml."""
