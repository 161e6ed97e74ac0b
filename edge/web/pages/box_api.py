"""The box for scripts: how it is, its settings, backup and restore."""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route

from edge import __version__
from edge.backup.contents import RestoreReport
from edge.config.camera import Region
from edge.inspection.doctor_report import DoctorReport
from edge.visits.thresholds import check_target
from edge.web.api import ApiCall, ApiEndpoint, ApiFiles, MediaType, NoFields, api
from edge.web.box_facts import examined, journal, week_in_words
from edge.web.pages.backups import MAX_BYTES, made, restored
from edge.web.pages.box_settings import (
    TargetStep,
    allowed_targets,
    restarted,
    target_values,
    write_region,
    write_target,
)


class TargetGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many strangers may be called by a name."""

    false_alarm_target: Annotated[float, Meta(gt=0, lt=1)]
    """This part of them; GET /api/box says which are allowed."""


class TargetInfo(msgspec.Struct, frozen=True):
    """The false-alarm target."""

    now: float
    allowed: tuple[float, float] | None
    """The least and the largest; null: none can be set."""
    problem: str
    """Why none can be set; empty: one can."""
    steps: list[TargetStep]
    """Those of the page's slider, each with its price in words."""


class BoxInfo(msgspec.Struct, frozen=True):
    """One box."""

    device_id: str
    release: str
    week: list[str]
    """The last seven days, in sentences."""
    target: TargetInfo
    region: Region


class LogLines(msgspec.Struct, frozen=True):
    """The end of the service's journal."""

    lines: list[str]
    problem: str
    """Why there are none; empty: there are some."""


class BackupGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A backup to make."""

    passphrase: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    """Encrypts the backup, which then holds keys and passwords too; null: it does neither."""


class RestoreGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to restore a backup."""

    sure: bool
    """True: the people and the diary of this box may be replaced."""
    passphrase: Annotated[str, Meta(max_length=200)] = ""
    """The backup's; empty: it has none."""
    keep_config: bool = False
    """Leave the settings of this box as they are."""


def _box(call: ApiCall) -> BoxInfo:
    loaded = call.box.loaded
    config, values, allowed = loaded.config, target_values(loaded), allowed_targets(loaded)
    region = config.camera.region
    return BoxInfo(
        loaded.device_id,
        __version__,
        week_in_words(call.box),
        TargetInfo(
            config.match.false_alarm_target,
            (allowed.low, allowed.high) if allowed else None,
            values.problem,
            values.steps,
        ),
        Region(region.left, region.top, region.right, region.bottom),
    )


async def _doctor(call: ApiCall) -> DoctorReport:
    """The same as `whosthere doctor --json`. It loads every network, which takes a while."""
    return await examined(call.box)


async def _log(_: ApiCall) -> LogLines:
    text, problem = await journal()
    return LogLines(text.splitlines(), problem)


async def _target(call: ApiCall) -> NoFields:
    """Sets `match.false_alarm_target` in config.yaml. A running daemon uses it at once."""
    target: float = call.given.false_alarm_target
    check_target(target, await run_in_threadpool(allowed_targets, call.box.loaded))
    await write_target(call.box, target)
    return NoFields()


async def _region(call: ApiCall) -> NoFields:
    """Sets `camera.region` in config.yaml. The camera uses it after a restart. A side left out is the picture's own."""
    await write_region(call.box, msgspec.structs.asdict(call.given))
    return NoFields()


async def _restart(call: ApiCall) -> NoFields:
    """The daemon starts over, and applies all of config.yaml."""
    await restarted(call.box)
    return NoFields()


async def _backup(call: ApiCall) -> bytes:
    """The same as `whosthere backup`."""
    return await made(call.box, call.given.passphrase or "")


async def _restore(call: ApiCall) -> RestoreReport:
    """The same as `whosthere restore`. Afterwards the page has the backup's password, and this session is over."""
    given: RestoreGiven = call.given
    if not given.sure:
        raise HTTPException(422, "nothing was restored: `sure` must be true, because this box is overwritten")
    return await restored(call.box, call.files[0], given.passphrase, keep_config=given.keep_config)


_FILE = ApiFiles("file", 1, MAX_BYTES)
_BYTES = MediaType("application/octet-stream")
ROUTES: tuple[Route, ...] = tuple(
    api(endpoint)
    for endpoint in (
        ApiEndpoint("GET", "/api/box", "The box, its week and its settings", BoxInfo, _box),
        ApiEndpoint("GET", "/api/box/doctor", "Examine the box", DoctorReport, _doctor),
        ApiEndpoint("GET", "/api/box/log", "The end of its log", LogLines, _log),
        ApiEndpoint("POST", "/api/box/target", "Set the false-alarm target", NoFields, _target, TargetGiven),
        ApiEndpoint("POST", "/api/box/region", "Set the camera's region", NoFields, _region, Region),
        ApiEndpoint("POST", "/api/box/restart", "Restart the daemon", NoFields, _restart),
        ApiEndpoint("POST", "/api/box/backup", "Make a backup", _BYTES, _backup, BackupGiven),
        ApiEndpoint("POST", "/api/box/restore", "Restore a backup", RestoreReport, _restore, RestoreGiven, _FILE),
    )
)
