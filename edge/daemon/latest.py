"""A slot for one item: the newest wins, and drops are counted."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Hands items from one thread to another without a queue, so that nothing lags behind."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Replace what nobody has taken yet."""
        with self._condition:
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._condition.notify_all()

    def put_when_free(self, item: T, timeout_s: float) -> bool:
        """Wait until the last item was taken, so that none is dropped; False when that takes too long."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._item is None or self._closed, timeout_s):
                return False
            if not self._closed:
                self._item = item
                self._condition.notify_all()
            return True

    def take(self, timeout_s: float) -> T | None:
        """The item, waiting for one for so long; None when there is none, or never will be."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            self._condition.notify_all()
            return item

    def close(self) -> None:
        """There will be no more items; the last one can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def finished(self) -> bool:
        """Closed, and the last item taken."""
        with self._condition:
            return self._closed and self._item is None
