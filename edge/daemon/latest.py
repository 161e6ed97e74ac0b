"""A slot for one item: the newest wins, and drops are counted."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands items from one thread to another. Without a queue, no delay can build up."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._resting = False
        self._nudged = False
        self.dropped = 0

    def put(self, item: T, worth: Callable[[T], bool] = lambda _: True) -> None:
        """Put an item in the slot, in place of one that nobody has taken.

        While the taker rests, `worth` decides whether an item is worth waking it; if not, it stays out. The taker does
        nothing meanwhile, so that `worth` may use what is otherwise the taker's.
        """
        with self._condition:
            if self._resting and self._item is None and not worth(item):
                return
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._condition.notify_all()

    def put_when_free(self, item: T, timeout_s: float) -> bool:
        """Put an item in once the last one has been taken, so none is dropped; False after `timeout_s`."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._item is None or self._closed, timeout_s):
                return False
            if not self._closed:
                self._item = item
                self._condition.notify_all()
            return True

    def take(self, timeout_s: float, *, resting: bool = False) -> T | None:
        """Wait for an item and take it; None after `timeout_s`, when nudged, or when the slot is closed and empty.

        `resting`: only for an item that is worth it.
        """
        with self._condition:
            self._resting = resting
            self._condition.wait_for(lambda: self._item is not None or self._nudged or self._closed, timeout_s)
            self._resting = self._nudged = False
            item, self._item = self._item, None
            self._condition.notify_all()
            return item

    def nudge(self) -> None:
        """End the wait for an item, or the next one."""
        with self._condition:
            self._nudged = True
            self._condition.notify_all()

    def close(self) -> None:
        """Accept no more items. The last one can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the slot is closed and the last item has been taken."""
        with self._condition:
            return self._closed and self._item is None
