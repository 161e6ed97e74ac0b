"""Ends the process when a thread hangs, so that systemd starts it again: better than a dead doorbell."""

import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping

from edge.daemon.systemd import Notifier

log = logging.getLogger("whosthere.watchdog")

NOTIFY_S = 1.0
PATIENCE = 1.5
"""Times `runtime.stall_s`: then not even the thread that would name the stalled one gets a turn."""


class Watchdog:
    """Sends WATCHDOG=1 only while every thread makes progress. One per process, since the alarm is."""

    def __init__(self, notifier: Notifier, stall_s: float) -> None:
        self._notifier = notifier
        self._stall_s = stall_s
        self._notify_s = min(NOTIFY_S, watchdog_interval_s() or stall_s)
        self._notified_at = float("-inf")
        faulthandler.register(signal.SIGALRM, file=sys.__stderr__ or 2, all_threads=True, chain=True)

    def update(self, heartbeats: Mapping[str, float], status: Callable[[], str], now: float) -> None:
        """Check when each thread last made progress (monotonic seconds). Call it again when `due_in_s` says so.

        Ends the process when one has stalled. Unless this is called again in time, an alarm ends it and prints all
        tracebacks. The alarm needs neither a thread nor the interpreter's lock, which a camera library that hangs
        inside itself may never release.
        """
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * self._stall_s)
        name, heartbeat = min(heartbeats.items(), key=lambda item: item[1])
        if now - heartbeat >= self._stall_s:
            self._give_up(name, now - heartbeat)
        if now - self._notified_at >= self._notify_s:
            self._notifier.notify(f"WATCHDOG=1\nSTATUS={status()}")
            self._notified_at = now

    def due_in_s(self, now: float) -> float:
        """How long `update` can wait."""
        return max(0.0, self._notified_at + self._notify_s - now)

    def end(self) -> None:
        """Stop watching: from now on the process may take its time."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _give_up(self, name: str, stalled_s: float) -> None:
        text = "the %s thread has made no progress for %.0f s: ending, so that systemd starts the service again"
        log.critical(text, name, stalled_s)
        self._notifier.notify(f"STATUS=the {name} thread has stalled")
        logging.shutdown()
        # The stalled thread may hold any lock, so an orderly exit could hang as well.
        os._exit(1)


def watchdog_interval_s() -> float | None:
    """How often WATCHDOG=1 is due in seconds, half of what the unit allows; None without a watchdog."""
    usec = os.environ.get("WATCHDOG_USEC")
    return int(usec) / 2e6 if usec else None
