"""Who hears about visits: every event goes to every subscriber, and none can harm another or the inference thread.

To add a subscriber, write a function of one event and put it into the list in `app`. If it writes files or encodes
pictures, wrap it in `Background`.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from edge.events import Event

log = logging.getLogger("whosthere.subscribers")

WAITING = 8
"""Each event may hold a whole picture, so that only a few can wait."""

E = TypeVar("E")

EventSubscriber = Callable[[Event], None]
"""Hears about every event of every visit, in order, on the inference thread: it never blocks and never raises."""


class Subscribers:
    """Hands each event to all subscribers in turn.

    One that raises nevertheless loses that event; the others and the thread go on.
    """

    def __init__(self, subscribers: Sequence[EventSubscriber]) -> None:
        self._subscribers = [(subscriber, Guard(_name(subscriber))) for subscriber in subscribers]

    def on_event(self, event: Event) -> None:
        for subscriber, guard in self._subscribers:
            guard.run(partial(subscriber, event))


class Background(Generic[E]):
    """A subscriber with a thread of its own, which also has something to do between events.

    The thread sends no heartbeat: the door does not depend on it, so a slow disk may hold it up. While `WAITING`
    events wait for it, new ones are dropped.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[E], None],
        *,
        wants: Callable[[E], bool],
        tidy: Callable[[], None],
        tidy_s: float,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Pass `handle` the events that `wants` picks; call `tidy` at the start and then every `tidy_s`.

        `close` is called at the end. All of them run on the same thread.
        """
        self._handle = handle
        self._wants = wants
        self._tidy = tidy
        self._tidy_s = tidy_s
        self._close = close
        self._guard = Guard(name)
        self._events: queue.Queue[E | None] = queue.Queue(WAITING)
        self._full = False
        self.dropped = 0
        """Events that did not fit into the queue, since the start."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def on_event(self, event: E) -> None:
        """Take an event to handle later."""
        if not self._wants(event):
            return
        try:
            self._events.put_nowait(event)
            self._full = False
        except queue.Full:
            self.dropped += 1
            if not self._full:
                log.warning("%s: too slow, so events are dropped until it has caught up", self._thread.name)
            self._full = True

    def stop(self, timeout_s: float) -> None:
        """Handle what waits, for at most so long, and end the thread."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._events.put(None, timeout=timeout_s)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        tidy_at = float("-inf")
        while True:
            if time.monotonic() >= tidy_at:
                self._guard.run(self._tidy)
                tidy_at = time.monotonic() + self._tidy_s
            try:
                event = self._events.get(timeout=max(0.0, tidy_at - time.monotonic()))
            except queue.Empty:
                continue
            if event is None:
                self._guard.run(self._close)
                return
            self._guard.run(partial(self._handle, event))


class Guard:
    """Runs what must not fail. Of failures in a row, only the first is logged, with its traceback."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failing = False

    def run(self, call: Callable[[], None]) -> None:
        try:
            call()
            self._failing = False
        except Exception:
            if not self._failing:
                log.exception("%s: failed; what it was to do is lost, and the daemon goes on", self._name)
            self._failing = True


def _name(subscriber: EventSubscriber) -> str:
    return getattr(subscriber, "__qualname__", type(subscriber).__name__)
