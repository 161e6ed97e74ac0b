"""One client of the daemon's socket: its requests as they come, and what waits to be sent to it."""

import socket
from collections import deque
from collections.abc import Callable

from edge.link.protocol import MAX_REQUEST, AskLive, BadLink, Lines, LinkMessage, line

MAX_WAITING = 1024 * 1024
"""Bytes that may wait for a client, besides one picture. One who lets them pile up is dropped."""
STALLED_S = 10.0
"""So long a client may take nothing of what waits for it."""
IDLE_S = 60.0
"""So long a client may be connected and ask nothing."""
PER_S = 50
"""Requests of one client in one second."""
_CHUNK = 65_536
EARLY = 0.8
"""A picture may come this part of the interval early: the camera's rate is not a multiple of the client's."""


class SessionOver(Exception):
    """The client has gone, or must be dropped."""


class LinkSession:
    """Never blocks. Every method may raise SessionOver or OSError, after which the session must be closed."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.socket = connection
        self.watches = False
        """Whether it gets the news."""
        self.live: AskLive | None = None
        """The pictures that it wants, if any."""
        self.on_close: Callable[[], None] | None = None
        """Ends the enrolment that it follows, if any."""
        self.busy = False
        """Whether it waits for the answer to a command."""
        self._lines = Lines(MAX_REQUEST)
        self._out: deque[memoryview] = deque()
        self._waiting = 0
        self._active_at = self._moved_at = now
        self._second, self._asked = now, 0
        self._shown = 0
        self._due = now

    @property
    def streams(self) -> bool:
        return self.watches or self.live is not None or self.on_close is not None

    @property
    def full(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def receive(self, now: float) -> list[bytes]:
        """What the client asks, line by line. Raises BadLink for a line that is too long."""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        if not data or self.streams:
            raise SessionOver
        self._active_at = now
        lines = self._lines.feed(data)
        if now - self._second >= 1:
            self._second, self._asked = now, 0
        self._asked += len(lines)
        if self._asked > PER_S:
            raise BadLink(f"too many requests; allowed: {PER_S} in a second")
        return lines

    def send(self, message: LinkMessage, now: float, picture: bytes = b"") -> None:
        """Send a message, or keep what the client does not take at once."""
        if self._waiting > MAX_WAITING:
            raise SessionOver
        if not self._out:
            self._moved_at = now
        for part in (line(message), picture):
            if part:
                self._out.append(memoryview(part))
                self._waiting += len(part)
        self.flush(now)

    def flush(self, now: float) -> None:
        """Send what waits, as far as the client takes it."""
        while self._out:
            try:
                sent = self.socket.send(self._out[0])
            except BlockingIOError:
                return
            self._moved_at = now
            self._waiting -= sent
            left = self._out.popleft()[sent:]
            if left:
                self._out.appendleft(left)

    def wants_picture(self, number: int, now: float) -> bool:
        """Whether to send frame `number` now. A client that still reads the one before does without it."""
        if self.picture_in_s(number, now) != 0 or self.live is None:
            return False
        self._shown, self._due = number, now + EARLY / self.live.max_fps
        return True

    def picture_in_s(self, number: int, now: float) -> float | None:
        """In how many seconds frame `number` is due; None: never, or not before something else happens."""
        if self.live is None or self.full or number == self._shown:
            return None
        return max(0.0, self._due - now)

    def check(self, now: float) -> None:
        """Raise SessionOver for a client that hangs, or that has asked nothing for long."""
        idle = not self.streams and not self.busy and now - self._active_at > IDLE_S
        if idle or (self.full and now - self._moved_at > STALLED_S):
            raise SessionOver
