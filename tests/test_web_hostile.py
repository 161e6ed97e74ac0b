"""Hostile requests at the real page: nothing is read, written or let in, and its memory is bounded.

`make test-hostile` sends two thousand and prints the figures; `make test` sends a few hundred.
"""

import hashlib
import random
import time
from pathlib import Path

import pytest

from support import hostile_requests as hostile
from support.fuzzing import FULL
from support.household import Household
from support.http_client import Client
from support.kept_strangers import keep, seen_as
from support.portraits import COLLINS
from support.web import PASSWORD, running_page

MAX_MORE_MB = 60
SLOW_WAIT_S = 90.0
"""Longer than the page waits for any head or body."""
MAX_SLOW = 30
"""Fewer than it takes from one address at once: the others are still answered."""
OWN = ("web", "outbox")
"""The page's own folder counts log-ins and holds uploads."""


def many(full: int) -> int:
    return full if FULL else max(4, full // 8)


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    box = Household(tmp_path, demo_gallery)
    strangers = f"strangers:\n  group: true\n  keep: 9\n  path: {tmp_path / 'kept'}\n"
    box.config.write_text(f"{box.config.read_text()}web:\n  path: {tmp_path / 'web'}\n{strangers}")
    box.came(box.looks_like(0.6), jpeg=b"\xff\xd8secret picture\xff\xd9")
    keep(box.config, 1, seen_as(COLLINS), now=time.time() - 3600)
    return box


def state(folder: Path) -> dict[str, str]:
    """Every file of the box and its hash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts[0]
        if path.is_file() and not inside.startswith(OWN) and not path.name.endswith(("-shm", "-wal", ".log")):
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def memory_mb(pid: int, kind: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition(f"{kind}:")[2].split()[0]) // 1024


@pytest.mark.slow
def test_nothing_is_read_written_or_let_in(box: Household, capsys: pytest.CaptureFixture[str]) -> None:
    rng, tally = random.Random(13), hostile.Tally()
    with running_page(box.config, box.folder) as page:
        owner = Client(page.address)
        assert owner.log_in().status == 303
        before, began = state(box.folder), memory_mb(page.process.pid, "VmRSS")
        slow = hostile.slow(page.address, many(MAX_SLOW), tally, SLOW_WAIT_S)
        hostile.without_session(page.address, many(700), tally, rng)
        hostile.forged(owner, many(500), tally, rng)
        hostile.tricks(owner, many(360), tally)
        hostile.endless(owner, many(50), tally)
        hostile.bombs_sent(owner, many(60), tally)
        for thread in slow:
            thread.join()
        assert state(box.folder) == before
        # These have session and token: what they write is what was asked, with text that does no harm.
        hostile.nasty_names(owner, many(200), tally, rng)
        hostile.many_logins(page.address, max(10, many(100)), tally, PASSWORD)
        assert owner.get("/visits").status == 200, "whoever is logged in stays so"
        peak = memory_mb(page.process.pid, "VmHWM")
        assert page.process.poll() is None
    text = "\n".join(f"  {count:5} {outcome}" for outcome, count in sorted(tally.outcomes.items()))
    with capsys.disabled():
        print(f"\n{tally.count} hostile requests; memory {began} MB before, {peak} MB at most\n{text}")
    assert tally.let_in == []
    assert peak - began < MAX_MORE_MB
    assert box.templates() == 3
    assert "Traceback" not in (box.folder / "web.log").read_text()
