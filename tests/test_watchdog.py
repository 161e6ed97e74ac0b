"""The eye on every thread, and the alarm that ends a process in which nothing gets a turn."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.daemon.watchdog import Watchdog


class Heard:
    """A service manager that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def notify(self, message: str) -> None:
        self.told.append(message)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def vigil(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    vigil = Watchdog(heard, 30.0)
    yield vigil
    vigil.end()


def test_progress_is_told_once_a_second_however_often_it_is_looked_at(vigil: Watchdog, heard: Heard) -> None:
    for turn in range(50):
        now = 1000.0 + turn * 0.2
        vigil.update({"camera": now, "publisher": now - 29.0}, lambda: "well", now)
    assert heard.told == ["WATCHDOG=1\nSTATUS=well"] * 10


def test_a_short_watchdog_is_fed_in_time(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    vigil = Watchdog(heard, 30.0)
    for turn in range(10):
        vigil.update({"camera": turn * 0.5}, lambda: "well", turn * 0.5)
    vigil.end()
    assert len(heard.told) == 10


BEGIN = """
import ctypes, time
from edge.daemon.systemd import NoServiceManager
from edge.daemon.watchdog import Watchdog
vigil = Watchdog(NoServiceManager(), 2.0)
"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    script = folder / "watched.py"
    script.write_text(BEGIN + program)
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=300)


def test_a_process_in_which_nothing_gets_a_turn_ends_and_says_where(tmp_path: Path) -> None:
    program = """
for _ in range(5):
    vigil.update({"camera": time.monotonic()}, str, time.monotonic())
    time.sleep(0.9)
vigil.end()
time.sleep(3.5)
print("alive", flush=True)
vigil.update({"camera": time.monotonic()}, str, time.monotonic())
ctypes.PyDLL(None).sleep(60)  # as a library that never lets Python have a turn
"""
    done = run(tmp_path, program)
    assert (done.returncode, done.stdout) == (-signal.SIGALRM, "alive\n")
    assert "most recent call first" in done.stderr
    assert 'watched.py", line 14' in done.stderr


def test_a_thread_that_stalls_ends_the_process(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
began = time.monotonic()
for _ in range(100):
    vigil.update({"camera": began, "publisher": time.monotonic()}, str, time.monotonic())
    time.sleep(0.1)
""",
    )
    assert done.returncode == 1
    assert re.search(r"the camera thread has made no progress for \d+ s: ending", done.stderr)
