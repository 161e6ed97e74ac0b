"""The sections `track`, `visit`, `match` and `strangers` of config.yaml."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class TrackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How faces are followed from frame to frame."""

    confirm_hits: Annotated[int, Meta(ge=1, le=50)] = 3
    """A face seen in fewer frames counts as a false detection."""
    lost_after_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    """A face unseen for this long is gone."""
    reach: Annotated[float, Meta(gt=0, le=5)] = 0.8
    """How far a face may be from where it is expected, in face sizes."""


class VisitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What counts as one visit, and when it is decided."""

    gap_s: Annotated[float, Meta(ge=0.5, le=3600)] = 15.0
    """Somebody who has been gone for longer than this starts a new visit."""
    min_faces: Annotated[int, Meta(ge=1, le=100)] = 3
    """How many usable faces a name must be based on."""
    patience_s: Annotated[float, Meta(ge=0, le=120)] = 3.0
    """How long after the first usable face a name is still looked for before the visit is `unknown` or `uncertain`."""
    patience_faces: Annotated[int, Meta(ge=1, le=1000)] = 8
    """How many usable faces there must have been by then, in addition."""
    provisional: bool = False
    """Whether a name is announced from the first usable face, marked `provisional`; the final decision follows."""
    look_interval_s: Annotated[float, Meta(ge=0, le=10)] = 0.1
    """The least time between two embeddings of a face whose visit is undecided."""
    max_looks: Annotated[int, Meta(ge=5, le=10_000)] = 80
    """After this many embeddings of one visit, the next follow only every `recheck_s`."""
    recheck_s: Annotated[float, Meta(ge=0.1, le=600)] = 0.5
    """How often a decided visit is checked for somebody else having taken the person's place."""
    link_wait_s: Annotated[float, Meta(ge=0, le=10)] = 1.5
    """How long a new face may turn out to be somebody who has just been lost from view."""


Liveness = Literal["advise", "require"] | bool
"""false is `off`. `require` and true are understood only to be refused with a reason."""


class MatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How certain a name must be."""

    false_alarm_target: Annotated[float, Meta(gt=0, le=0.5)] = 0.001
    """How often a stranger may be called by a name: 0.001 is one stranger in a thousand (FPIR)."""
    min_margin: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """By how much the most similar person must lead the second; less is `uncertain`.

    For embedders other than the bundled one, it is stretched: `edge.visits.thresholds.name_margin`.
    """
    threshold: Annotated[float, Meta(ge=-1, le=1)] | None = None
    """A cosine similarity that replaces the calibrated threshold; only for an embedder without calibration."""


class UnknownFacesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures of visitors who were not recognised, for `whosthere-converter enroll --from-box`."""

    keep: Annotated[int, Meta(ge=0, le=500)] = 0
    """How many visitors to keep; 0: no picture is ever written."""
    keep_hours: Annotated[float, Meta(gt=0, le=2160)] = 48.0
    group: bool = False
    """Whether visits of the same stranger are recognised as such, numbered and counted."""
    path: str = "/var/lib/whosthere/strangers"
    """Relative to the folder of config.yaml."""
