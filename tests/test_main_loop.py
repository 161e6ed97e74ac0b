"""The main thread sleeps until something is due or another thread wakes it."""

import math
import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.daemon.main_loop import STARTING_S, MainLoop
from edge.daemon.signals import SignalInbox


class FewTurns:
    """Signals that record how long the main thread was ready to wait, and ask it to stop after three turns."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, timeout_s: float) -> list[signal.Signals]:
        self.waits.append(timeout_s)
        return [signal.SIGTERM] if len(self.waits) > 3 else []


def waits(
    *, ready: bool = True, watchdog_s: float = 1.0, pause_s: float = math.inf, health_s: float = 30.0
) -> list[float]:
    """How long a main loop waits in which these are due."""
    signals, sent = FewTurns(), list[object]()
    parts: list[Any] = [
        signals,
        SimpleNamespace(notify=sent.append),
        SimpleNamespace(heartbeats={}, finished=False, frames=0),
        SimpleNamespace(heartbeat=0.0, health=sent.append, settled=False),
        SimpleNamespace(failure=None, service_is_ready=ready),
        SimpleNamespace(tick=lambda _: None, due_in_s=lambda _: pause_s, restart_requested=False),
        SimpleNamespace(status=str, payload=object, camera_online=None),
        SimpleNamespace(update=lambda *_: None, due_in_s=lambda _: watchdog_s),
        SimpleNamespace(update=lambda *_: 1.0),
    ]
    cast("Any", MainLoop)(*parts, health_s).run()
    return signals.waits


def test_while_it_starts_it_looks_often_whether_it_is_ready() -> None:
    assert waits(ready=False) == [STARTING_S] * 4


def test_it_sleeps_until_the_watchdog_is_due() -> None:
    assert waits()[1:] == [1.0] * 3


def test_it_wakes_up_for_the_end_of_a_pause() -> None:
    assert waits(pause_s=0.125)[1:] == [0.125] * 3


def test_it_wakes_up_for_the_health_message() -> None:
    found = waits(watchdog_s=100.0, health_s=50.0)
    assert found[0] == 0.0, "the first is due at once"
    assert all(0 < wait <= 50 for wait in found[1:])


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    before = signal.getsignal(signal.SIGHUP)
    yield SignalInbox((signal.SIGHUP,))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGHUP, before)


def test_another_thread_wakes_it_without_a_signal(inbox: SignalInbox) -> None:
    inbox.wake()
    assert inbox.wait(600.0) == []
    threading.Timer(0.05, inbox.wake).start()
    assert inbox.wait(600.0) == []


def test_a_signal_is_not_lost_among_calls(inbox: SignalInbox) -> None:
    inbox.wake()
    signal.raise_signal(signal.SIGHUP)
    inbox.wake()
    received = list[signal.Signals]()
    until = time.monotonic() + 60
    while not received and time.monotonic() < until:
        received += inbox.wait(1.0)
    assert received == [signal.SIGHUP]
