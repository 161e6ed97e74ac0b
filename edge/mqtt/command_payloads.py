"""What may be asked of the box over MQTT: the payloads of `command/...`, as types."""

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.errors import UsageError

MAX_PAYLOAD = 4096
_SWITCH = {b"ON": True, b"OFF": False, b"true": True, b"false": False}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Any command. Nothing at all is as good as an empty object where no field is needed."""

    correlation_id: (
        Annotated[str, Meta(max_length=128, description="Comes back on command/result, for clients without MQTT 5")]
        | None
    ) = None


class Pause(Request, frozen=True):
    """Look for nobody."""

    for_s: Annotated[float, Meta(gt=0, le=604_800)] | None = None
    """null: until somebody resumes, or the box starts anew."""


class Resume(Request, frozen=True):
    """Look again."""


class Reload(Request, frozen=True):
    """Take the gallery, and the section `match` of config.yaml, anew."""


class Restart(Request, frozen=True):
    """Begin anew as a process, with all of config.yaml and the software as it is installed now."""


class Snapshot(Request, frozen=True):
    """Show the present picture on `snapshot`."""


class Ring(Request, frozen=True):
    """As if somebody had pressed the doorbell's button."""


class Sensitivity(Request, frozen=True, kw_only=True):
    """How sure a name must be, until the next start."""

    false_alarm_target: Annotated[float, Meta(gt=0, le=0.5)]
    """How often a stranger may be called by a name; `controls` tells the bounds."""


KINDS: dict[str, type[Request]] = {
    "pause": Pause,
    "resume": Resume,
    "reload": Reload,
    "restart": Restart,
    "snapshot": Snapshot,
    "sensitivity": Sensitivity,
    "ring": Ring,
}
KNOWN = (*KINDS, "paused")
"""`paused` is for switches: `ON` or `true` pauses, `OFF` or `false` resumes."""


class BadRequest(UsageError):
    """A command that cannot be understood."""


def parse(name: str, payload: bytes) -> Request:
    """The command in a payload. Raises BadRequest, whatever the bytes are."""
    if name not in KNOWN:
        raise BadRequest(f"no such command; known: {', '.join(KNOWN)}")
    if len(payload) > MAX_PAYLOAD:
        raise BadRequest(f"the payload is too large; at most {MAX_PAYLOAD} bytes are taken")
    if name == "paused":
        if payload not in _SWITCH:
            raise BadRequest("expected ON or OFF, or true or false")
        return Pause() if _SWITCH[payload] else Resume()
    try:
        return msgspec.json.decode(payload.strip() or b"{}", type=KINDS[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected nothing or a JSON object with {_fields(KINDS[name])}: {error}") from error


def _fields(kind: type[Request]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(kind))
