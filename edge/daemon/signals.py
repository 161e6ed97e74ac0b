"""Signals to wait for. No handler interrupts other code."""

import select
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress

_WAKE = 0
"""No signal has this number."""


class SignalInbox:
    """Collects signals from now on, whichever thread the kernel delivers them to. Main thread only.

    Blocking them and calling sigtimedwait would miss some: numpy starts threads when it is imported, and their mask
    lets signals through.
    """

    def __init__(self, wanted: Iterable[signal.Signals]) -> None:
        self._reader, writer = socket.socketpair()
        self._reader.setblocking(False)
        writer.setblocking(False)
        self._writer = writer
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in wanted:
            signal.signal(number, lambda *_: None)

    def wait(self, timeout_s: float) -> list[signal.Signals]:
        """Wait for signals; those received, in order, or none after `timeout_s` or when woken."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        received = self._reader.recv(256) if ready else b""
        return [signal.Signals(number) for number in received if number != _WAKE]

    def wake(self) -> None:
        """End the wait, or the next one, without a signal. Any thread."""
        # A full buffer ends it already.
        with suppress(BlockingIOError):
            self._writer.send(bytes([_WAKE]))
