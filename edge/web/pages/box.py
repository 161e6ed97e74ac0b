"""The page of the box itself: how it is, how the week was, and every setting and file that belongs to it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge.diary.opening import open_diary
from edge.diary.week import MAX_VISITS, WEEK_S, week_of
from edge.errors import ConfigError
from edge.inspection.doctor_report import DoctorReport
from edge.storage.database import StorageError
from edge.web.box import WebBox
from edge.web.page import Page, get
from edge.web.pages.backups import ROUTES as BACKUPS
from edge.web.pages.box_settings import ROUTES as SETTINGS
from edge.web.pages.box_settings import region_values, target_values
from edge.web.programs import run_whosthere
from edge.web.templating import render

LOG_LINES = 200
MAX_LOG = 64_000
LOG_S = 10.0
SAID = {
    "target": "The false-alarm target is changed.",
    "region": "The region is changed. The camera uses it after a restart.",
    "restart": "The service restarts.",
    "not-restarted": "The service cannot be reached; restart it with: sudo systemctl restart whosthere",
}


def show(request: Request) -> Response:
    """All that can be shown at once; doctor and log take a moment and come after it."""
    box: WebBox = request.app.state.box
    return render(
        request,
        "box.html",
        week=_week(box),
        target=target_values(box.loaded),
        region=region_values(box.loaded),
        said=SAID.get(request.query_params.get("done", ""), ""),
    )


async def doctor(request: Request) -> Response:
    """What `whosthere doctor` finds, in a process of its own: it loads every network."""
    box: WebBox = request.app.state.box
    done = await run_whosthere("doctor", "--json", "--config", str(box.config_path))
    try:
        report: Any = msgspec.json.decode(done.out, type=DoctorReport)
    except msgspec.DecodeError:
        report = None
    return render(request, "box_doctor.html", report=report, problem=done.problem)


async def log(request: Request) -> Response:
    """The last lines of the daemon's journal, where this process may read them."""
    lines, problem = await _journal()
    return render(request, "box_log.html", lines=lines, problem=problem)


async def _journal() -> tuple[str, str]:
    """The lines, or why there are none."""
    words = ["journalctl", "-u", "whosthere", "-n", str(LOG_LINES), "--no-pager", "--quiet", "-o", "short-iso"]
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError:
        return "", "There is no journal on this box: its log is where you have sent it."
    try:
        out, _ = await asyncio.wait_for(process.communicate(), LOG_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return "", "The journal did not answer in time."
    text = out[-MAX_LOG:].decode(errors="replace").strip()
    return text, "" if text else "This page may not read the journal: on the box, `journalctl -u whosthere` shows it."


def _week(box: WebBox) -> list[str]:
    try:
        with open_diary(box.loaded) as diary:
            return week_of(diary.visits(MAX_VISITS, since=time.time() - WEEK_S)).sentences()
    except ConfigError as error:
        return [str(error)]
    except StorageError:
        if not Path(box.loaded.config.diary.path).exists():
            return ["The diary is empty."]
        raise


PAGE = Page(
    name="box",
    title="Box",
    path="/box",
    routes=(get("/box", show), get("/box/doctor", doctor), get("/box/log", log), *SETTINGS, *BACKUPS),
)
