"""A slot for one item: the newest wins, and drops are counted."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands items from one thread to another. Without a queue, no delay can build up."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Put an item in the slot, in place of one that nobody has taken."""
        with self._condition:
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

    def take(self, timeout_s: float) -> T | None:
        """Wait for an item and take it; None after `timeout_s`, or when the slot is closed and empty."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            self._condition.notify_all()
            return item

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
