"""Signals as items to wait for: nothing runs in the middle of anything."""

import select
import signal
import socket
from collections.abc import Iterable


class SignalInbox:
    """Collects signals from now on, whichever thread the kernel hands them to. Main thread only.

    Blocking them and calling sigtimedwait would not do: numpy starts threads when it is imported, which do not
    have our mask.
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
        """What has come, in order; waits for the first one for so long."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        return [signal.Signals(number) for number in self._reader.recv(256)] if ready else []
