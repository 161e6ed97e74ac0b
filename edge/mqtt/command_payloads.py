"""The payloads of `command/...`: what a box can be asked over MQTT."""

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.errors import UsageError

MAX_PAYLOAD = 4096
_SWITCH = {b"ON": True, b"OFF": False, b"true": True, b"false": False}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any command. Where no field is required, an empty payload counts as an empty object."""

    correlation_id: (
        Annotated[str, Meta(max_length=128, description="Returned on command/result, for clients without MQTT 5")]
        | None
    ) = None


class Pause(Request, frozen=True):
    """Stop recognising people."""

    for_s: (
        Annotated[float, Meta(gt=0, le=604_800, description="Seconds; null: until `resume` or the next start")] | None
    ) = None


class Resume(Request, frozen=True):
    """Recognise people again."""


class Reload(Request, frozen=True):
    """Load the gallery and the section `match` of config.yaml again."""


class Restart(Request, frozen=True):
    """Restart the process, with all of config.yaml and the installed version of the software."""


class Snapshot(Request, frozen=True):
    """Publish the camera's current picture on `snapshot`."""


class Ring(Request, frozen=True):
    """Ring, as the doorbell's button does."""


class Sensitivity(Request, frozen=True, kw_only=True):
    """Set how strict the box is, until the next start."""

    false_alarm_target: Annotated[
        float,
        Meta(gt=0, le=0.5, description="How many of all strangers may be called by a name; `controls` has the bounds"),
    ]


class ChallengeCommand(Request, frozen=True, kw_only=True):
    """Ask a visitor to turn the head, to tell a living person from a picture."""

    visit_id: Annotated[str, Meta(max_length=64, description="null: the visit nearest to the camera")] | None = None
    turns: Annotated[
        int, Meta(ge=1, le=5, description="How many turns to the left or right, drawn at random, must be made")
    ] = 2
    within_s: Annotated[float, Meta(ge=3, le=60, description="Seconds for all turns together")] = 15.0


KINDS: dict[str, type[Request]] = {
    "pause": Pause,
    "resume": Resume,
    "reload": Reload,
    "restart": Restart,
    "snapshot": Snapshot,
    "sensitivity": Sensitivity,
    "ring": Ring,
    "challenge": ChallengeCommand,
}
KNOWN = (*KINDS, "paused")
"""`paused` is for switches: `ON` or `true` pauses, `OFF` or `false` resumes."""


class BadRequest(UsageError):
    """An unknown command, or a payload that it does not accept."""


def parse(name: str, payload: bytes) -> Request:
    """The request in a payload. Raises BadRequest for anything else, whatever the bytes are."""
    if name not in KNOWN:
        raise BadRequest(f"no such command; allowed: {', '.join(KNOWN)}")
    if len(payload) > MAX_PAYLOAD:
        raise BadRequest(f"the payload is too large; allowed: {MAX_PAYLOAD} bytes")
    if name == "paused":
        if payload not in _SWITCH:
            raise BadRequest("the payload is not valid; allowed: ON, OFF, true, false")
        return Pause() if _SWITCH[payload] else Resume()
    try:
        return msgspec.json.decode(payload.strip() or b"{}", type=KINDS[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            f"the payload is not valid: {error}; allowed: nothing, or a JSON object with {_fields(KINDS[name])}"
        ) from error


def _fields(kind: type[Request]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(kind))
