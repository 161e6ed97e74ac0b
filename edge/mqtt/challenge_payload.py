"""The payload of a challenge: what the visitor should do, and how it ended. Part of the contract."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.events import ChallengeFailure, ChallengeState, ChallengeUpdate
from edge.mqtt.payloads import SCHEMA_VERSION, Count, Time, rfc3339


class ChallengePayload(msgspec.Struct, frozen=True):
    """What a visitor who is challenged should do now, or how it ended, on `challenge`."""

    challenge_id: str
    device_id: str
    visit_id: str
    state: Annotated[
        ChallengeState, Meta(description="What to do, by the visitor's own left and right; or how it ended")
    ]
    reason: Annotated[ChallengeFailure | None, Meta(description="Why it failed; null otherwise")]
    turns: Annotated[int, Meta(ge=1, description="How many turns are asked for")]
    done: Annotated[Count, Meta(description="How many of them have been made")]
    at: Time
    until: Annotated[Time, Meta(description="When it fails unless it has been passed")]
    schema_version: Literal[1] = SCHEMA_VERSION


def challenge_payload(update: ChallengeUpdate, device_id: str, wall: float) -> ChallengePayload:
    """The payload of an update that happened at `wall`, in seconds since the epoch."""
    return ChallengePayload(
        challenge_id=update.challenge_id,
        device_id=device_id,
        visit_id=update.visit_id,
        state=update.state,
        reason=update.reason,
        turns=update.turns,
        done=update.done,
        at=rfc3339(wall),
        until=rfc3339(wall + update.until - update.at),
    )
