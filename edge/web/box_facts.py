"""What the page of the box shows of it, beside its settings: the week, the journal, and doctor's findings."""

import asyncio
import time
from pathlib import Path

from edge.diary.opening import open_diary
from edge.diary.week import MAX_VISITS, WEEK_S, week_of
from edge.errors import ConfigError
from edge.inspection.doctor_report import DoctorReport
from edge.storage.database import StorageError
from edge.web.box import WebBox
from edge.web.programs import run_whosthere

LOG_LINES = 200
MAX_LOG = 64_000
LOG_S = 10.0


async def examined(box: WebBox) -> DoctorReport:
    """What `whosthere doctor` finds, in a process of its own: it loads every network. Raises WhosthereError."""
    return (await run_whosthere("doctor", "--json", "--config", str(box.config_path))).report(DoctorReport)


async def journal() -> tuple[str, str]:
    """The last lines of the daemon's journal, and why there are none."""
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


def week_in_words(box: WebBox) -> list[str]:
    """The last week, in sentences. Raises StorageError for a damaged diary."""
    try:
        with open_diary(box.loaded) as diary:
            return week_of(diary.visits(MAX_VISITS, since=time.time() - WEEK_S)).sentences()
    except ConfigError as error:
        return [str(error)]
    except StorageError:
        if not Path(box.loaded.config.diary.path).exists():
            return ["The diary is empty."]
        raise
