"""The watchdog ends a process when a thread stalls, and its alarm when nothing gets a turn at all."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.daemon.watchdog import Watchdog


class RecordingNotifier:
    """A service manager that remembers."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def notify(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture
def notifier() -> RecordingNotifier:
    return RecordingNotifier()


@pytest.fixture
def watchdog(notifier: RecordingNotifier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watchdog]:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    watchdog = Watchdog(notifier, 30.0)
    yield watchdog
    watchdog.end()


def test_progress_is_told_once_a_second_however_often_it_is_looked_at(
    watchdog: Watchdog, notifier: RecordingNotifier
) -> None:
    for turn in range(50):
        now = 1000.0 + turn * 0.2
        watchdog.update({"camera": now, "publisher": now - 29.0}, lambda: "well", now)
    assert notifier.messages == ["WATCHDOG=1\nSTATUS=well"] * 10


def test_it_says_when_it_is_due(watchdog: Watchdog) -> None:
    assert watchdog.due_in_s(1000.0) == 0.0
    watchdog.update({"camera": 1000.0}, str, 1000.0)
    assert watchdog.due_in_s(1000.25) == 0.75
    assert watchdog.due_in_s(1002.0) == 0.0


def test_a_short_watchdog_is_fed_in_time(notifier: RecordingNotifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    watchdog = Watchdog(notifier, 30.0)
    for turn in range(10):
        watchdog.update({"camera": turn * 0.5}, lambda: "well", turn * 0.5)
    watchdog.end()
    assert len(notifier.messages) == 10


BEGIN = """
import ctypes, time
from edge.daemon.systemd import NoServiceManager
from edge.daemon.watchdog import Watchdog
watchdog = Watchdog(NoServiceManager(), 3.0)
"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    script = folder / "watched.py"
    script.write_text(BEGIN + program)
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=300)


def test_a_process_in_which_nothing_gets_a_turn_ends_and_says_where(tmp_path: Path) -> None:
    program = """
for _ in range(6):
    watchdog.update({"camera": time.monotonic()}, str, time.monotonic())
    time.sleep(0.9)
watchdog.end()
time.sleep(5)
print("alive", flush=True)
watchdog.update({"camera": time.monotonic()}, str, time.monotonic())
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
    watchdog.update({"camera": began, "publisher": time.monotonic()}, str, time.monotonic())
    time.sleep(0.1)
""",
    )
    assert done.returncode == 1
    assert re.search(r"the camera thread has made no progress for \d+ s: ending", done.stderr)
