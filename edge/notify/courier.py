"""Carries notices to one channel: a thread, a short queue, and patience that ends when the news is old."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from edge.notify.channel import NoticeChannel
from edge.notify.notice import Notice
from edge.notify.post import NotSent
from edge.notify.rules import wanted
from edge.notify.words import ago

log = logging.getLogger("whosthere.notify")

WAITING = 32
"""Notices that wait; beyond that the oldest goes. Each may hold a JPEG of 100 kB."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class CourierState:
    """How a channel is doing. Counts are since the start."""

    sent: int = 0
    failed: int = 0
    """Attempts that failed."""
    dropped: int = 0
    """Notices that were given up: too old, refused, or too many waited."""
    waiting: int = 0
    problem: str | None = None
    """Why the last attempt failed; None: it did not."""


class Courier:
    """Sends what `wanted` picks, in order. Only its own thread waits for a server."""

    def __init__(
        self,
        channel: NoticeChannel,
        give_up_s: float,
        known: Callable[[], Collection[str]],
        clock: Callable[[], float],
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """`known` gives the ids of everybody in the gallery: nobody else is named. `clock` is that of `Notice.at`."""
        self.channel = channel
        self._give_up_s = give_up_s
        self._known = known
        self._clock = clock
        self._now = now
        self._state = CourierState()
        self._remark = ""
        self._queue: deque[Notice] = deque()
        self._changed = threading.Condition()
        self._stop_at: float | None = None
        """Monotonic; None: go on."""
        self._thread = threading.Thread(target=self._run, name=f"notify {channel.name}", daemon=True)

    @property
    def state(self) -> CourierState:
        """Any thread."""
        return replace(self._state, waiting=len(self._queue))

    def start(self) -> None:
        self._thread.start()

    def offer(self, notice: Notice) -> None:
        """Take a notice to send, if the channel's rules want it. Any thread; never waits."""
        if not wanted(notice, self.channel.rules, self._now()):
            return
        with self._changed:
            self._queue.append(notice)
            while len(self._queue) > WAITING:
                self._queue.popleft()
                self._count(dropped=1)
            self._changed.notify_all()

    def ask_to_stop(self, within_s: float) -> None:
        """Send what waits, for at most so long, without pauses for another attempt."""
        with self._changed:
            self._stop_at = time.monotonic() + within_s
            self._changed.notify_all()

    def join(self) -> None:
        """Wait for the end that was asked for. A server that hangs is left behind."""
        if self._stop_at is not None and self._thread.ident is not None:
            self._thread.join(max(0.0, self._stop_at - time.monotonic()))

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while (notice := self._next()) is not None:
            try:
                left_s = self._deliver(notice)
            except Exception:
                # A mistake of ours must not silence the channel.
                log.exception("%s: a notice could not be made", self.channel.name)
                self._count(failed=1, dropped=1)
                left_s = None
            if left_s is None:
                pause_s = FIRST_PAUSE_S
            else:
                self._put_back(notice)
                self._rest(max(pause_s, left_s))
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _next(self) -> Notice | None:
        """The next notice; None: it is time to end."""
        with self._changed:
            while not self._queue:
                if self._stop_at is not None:
                    return None
                self._changed.wait()
            stopping = self._stop_at is not None and time.monotonic() >= self._stop_at
            return None if stopping else self._queue.popleft()

    def _put_back(self, notice: Notice) -> None:
        with self._changed:
            if self._stop_at is not None or len(self._queue) >= WAITING:
                self._count(dropped=1)
            else:
                self._queue.appendleft(notice)

    def _rest(self, seconds: float) -> None:
        """Wait before the next attempt, unless asked to stop."""
        until = time.monotonic() + seconds
        with self._changed:
            while self._stop_at is None and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _deliver(self, notice: Notice) -> float | None:
        """Make one attempt. None: the notice is done with; otherwise how long the server wants to be left alone."""
        name, age_s = self.channel.name, max(self._clock() - notice.at, 0.0)
        if age_s > self._give_up_s:
            log.warning("%s: a notice of %s is dropped: it is no longer news", name, ago(age_s))
            self._count(dropped=1)
            return None
        if not notice.people.keys() <= set(self._known()):
            # They have left the gallery meanwhile, and must not be named any more.
            self._count(dropped=1)
            return None
        try:
            remark = self.channel.send(notice, age_s)
        except NotSent as error:
            return self._failed(error)
        self._succeeded(remark)
        return None

    def _failed(self, error: NotSent) -> float | None:
        """Only the first of several failures in a row that say the same is logged."""
        if self._state.problem != str(error):
            log.warning("%s: not sent: %s", self.channel.name, error)
        self._count(failed=1, dropped=0 if error.again else 1, problem=str(error))
        return error.pause_s if error.again else None

    def _succeeded(self, remark: str) -> None:
        if self._state.problem is not None:
            log.info("%s: notices are sent again", self.channel.name)
        if remark and remark != self._remark:
            log.warning("%s: sent %s", self.channel.name, remark)
        self._remark = remark
        self._count(sent=1)

    def _count(self, *, sent: int = 0, failed: int = 0, dropped: int = 0, problem: str | None = None) -> None:
        with self._changed:
            old = self._state
            kept = old.problem if not sent and problem is None else problem
            self._state = CourierState(old.sent + sent, old.failed + failed, old.dropped + dropped, 0, kept)
