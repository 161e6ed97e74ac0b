"""Better ended and started again than a dead doorbell: an eye on every thread, and an alarm for when no eye is left."""

import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping

from edge.daemon.systemd import Notifier

log = logging.getLogger("whosthere.vigil")

TELL_S = 1.0
PATIENCE = 1.5
"""Times `runtime.stall_s`: then nothing gets a turn any more, not even the thread that would say which one hangs."""


class Watchdog:
    """Tells systemd WATCHDOG=1 only while every thread makes progress. One a process, as its alarm is."""

    def __init__(self, notifier: Notifier, stall_s: float) -> None:
        self._notifier = notifier
        self._stall_s = stall_s
        self._tell_s = min(TELL_S, watchdog_interval_s() or stall_s)
        self._told_at = float("-inf")
        faulthandler.register(signal.SIGALRM, file=sys.__stderr__ or 2, all_threads=True, chain=True)

    def update(self, heartbeats: Mapping[str, float], status: Callable[[], str], now: float) -> None:
        """Take in when each thread last made progress (monotonic seconds); called more often than TELL_S.

        Ends the process when one has stalled. Unless this is called again in time, the alarm ends it, all tracebacks
        on standard error: it needs neither a thread nor a turn of Python's, as a camera library that hangs inside of
        itself leaves none.
        """
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * self._stall_s)
        name, heartbeat = min(heartbeats.items(), key=lambda item: item[1])
        if now - heartbeat >= self._stall_s:
            self._give_up(name, now - heartbeat)
        if now - self._told_at >= self._tell_s:
            self._notifier.notify(f"WATCHDOG=1\nSTATUS={status()}")
            self._told_at = now

    def end(self) -> None:
        """The process may take its time from now on."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _give_up(self, name: str, stalled_s: float) -> None:
        text = "the %s thread has made no progress for %.0f s: ending, so that the service is started again"
        log.critical(text, name, stalled_s)
        self._notifier.notify(f"STATUS=the {name} thread has stalled")
        logging.shutdown()
        # The stalled thread may hold anything, so that an orderly exit could hang as well.
        os._exit(1)


def watchdog_interval_s() -> float | None:
    """How often WATCHDOG=1 is due (half of what the unit allows); None without a watchdog."""
    usec = os.environ.get("WATCHDOG_USEC")
    return int(usec) / 2e6 if usec else None
