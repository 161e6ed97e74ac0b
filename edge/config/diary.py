"""The section `diary` of config.yaml."""

from typing import Annotated

import msgspec
from msgspec import Meta

Days = Annotated[int, Meta(ge=0, le=3650)]


class DiarySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record of visits that this box keeps."""

    keep_days: Days = 30
    """How long a visit is kept; 0: there is no diary, and one that exists is deleted."""
    max_mb: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """How large the file may become; beyond that the oldest visits go."""
    pictures_days: Days = 0
    """How long the best face picture of each visit is kept; 0: none is ever written."""
    embeddings_days: Days = 0
    """How long each visit's embeddings are kept, as float32 vectors; 0: none is ever written."""
    path: str = "/var/lib/whosthere/diary.sqlite3"
    """Relative to the folder of config.yaml."""

    def __post_init__(self) -> None:
        for key, days in (("pictures_days", self.pictures_days), ("embeddings_days", self.embeddings_days)):
            if days > self.keep_days:
                raise ValueError(f"{key}: found {days}; allowed: at most diary.keep_days, which is {self.keep_days}")
