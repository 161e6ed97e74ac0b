"""The daemon's end of the socket, on a thread of its own.

It sends no heartbeat, and nothing waits for it: the door does not depend on who looks at it. A client that hangs,
floods or speaks nonsense is dropped.
"""

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from edge.link.answers import LinkAnswers, LinkedBox
from edge.link.live_view import LiveView
from edge.link.open_visits import News
from edge.link.protocol import BadLink, Hello, LinkAnswer, LinkError, LinkMessage
from edge.link.session import LinkSession, SessionOver
from edge.link.socket_file import ListeningSocket, may_connect

log = logging.getLogger("whosthere.link")

MAX_CLIENTS = 16
TURN_S = 0.5
STATUS_S = 10.0
RETRY_S = 5.0
MAX_INBOX = 1000
"""Messages of other threads that can wait for this one."""


class LinkServer:
    """Listens, answers and streams until it is stopped."""

    def __init__(self, path: Path, hello: Hello, view: LiveView, box: LinkedBox) -> None:
        self._path = path
        self._hello = hello
        self._view = view
        self._answers = LinkAnswers(view, box, self._later)
        self._sessions: set[LinkSession] = set()
        self._selector = selectors.DefaultSelector()
        self._inbox: deque[Callable[[float], None]] = deque(maxlen=MAX_INBOX)
        self._bell, self._rung = socket.socketpair()
        for end in (self._bell, self._rung):
            end.setblocking(False)
        self._stopping = threading.Event()
        self._complained = ""
        self._status_key: object = None
        self._status_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        view.on_frame = self._wake

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Close every connection, and end the thread."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout_s)

    def tell(self, news: News) -> None:
        """Pass news on to all who watch. Any thread; never blocks."""
        self._answers.open_visits.update(news)
        self._post(partial(self._tell, news))

    def _later(self, session: LinkSession, action: Callable[[float], None]) -> None:
        self._post(partial(self._guarded, session, action))

    def _post(self, action: Callable[[float], None]) -> None:
        self._inbox.append(action)
        self._wake()

    def _wake(self) -> None:
        # A full buffer has woken it already.
        with suppress(OSError):
            self._bell.send(b"!")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except LinkError as error:
                self._complain(str(error))
            except OSError as error:
                self._complain(
                    f"{self._path}: {error.strerror or error}; set another link.path, or link.enabled: false"
                )
            except Exception:
                log.exception("the socket failed; its clients are dropped, and the daemon goes on")
            self._inbox.clear()
            self._stopping.wait(RETRY_S)

    def _complain(self, text: str) -> None:
        if text != self._complained:
            log.warning("no socket for the web page and other programs: %s", text)
            self._complained = text

    def _listen(self) -> None:
        listening = ListeningSocket(self._path)
        self._complained = ""
        self._selector.register(listening.socket, selectors.EVENT_READ, listening)
        self._selector.register(self._rung, selectors.EVENT_READ, None)
        try:
            while not self._stopping.is_set():
                self._turn(self._selector.select(self._patience_s()))
        finally:
            self._drop_all()
            for watched in (listening.socket, self._rung):
                self._selector.unregister(watched)
            listening.close()

    def _patience_s(self) -> float | None:
        """How long to wait for something to happen; None: until it does, as nobody is connected."""
        if not self._sessions:
            return None
        now, number = time.monotonic(), self._view.number
        due = (session.picture_in_s(number, now) for session in self._sessions)
        return min((one for one in due if one is not None), default=TURN_S)

    def _turn(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        now = time.monotonic()
        for key, events in ready:
            match key.data:
                case None:
                    with suppress(BlockingIOError):
                        self._rung.recv(4096)
                case ListeningSocket() as listening:
                    self._accept(listening, now)
                case session:
                    self._guarded(session, partial(self._serve, session, events), now)
        while self._inbox:
            self._inbox.popleft()(now)
        self._send_status(now)
        self._send_pictures(now)
        for session in list(self._sessions):
            self._guarded(session, session.check, now)
            if session in self._sessions:
                self._selector.modify(session.socket, _wanted(session), session)
        self._view.watched = any(session.live for session in self._sessions)

    def _accept(self, listening: ListeningSocket, now: float) -> None:
        try:
            connection, _ = listening.socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("a client cannot connect: %s", error.strerror)
            self._stopping.wait(TURN_S)
            return
        connection.setblocking(False)
        session = LinkSession(connection, now)
        self._sessions.add(session)
        self._selector.register(connection, selectors.EVENT_READ, session)
        self._guarded(session, partial(self._greet, session), now)

    def _greet(self, session: LinkSession, now: float) -> None:
        if not may_connect(session.socket):
            raise SessionOver
        session.send(self._hello, now)
        if len(self._sessions) > MAX_CLIENTS:
            raise BadLink(f"too many clients; allowed: {MAX_CLIENTS} at once")

    def _guarded(self, session: LinkSession, action: Callable[[float], None], now: float) -> None:
        """Do something for one client. Its mistakes and its end cost nobody else anything."""
        if session not in self._sessions:
            return
        try:
            action(now)
        except BadLink as error:
            with suppress(OSError, SessionOver):
                session.send(LinkAnswer(False, str(error)), now)
            self._drop(session)
        except (OSError, SessionOver):
            self._drop(session)

    def _serve(self, session: LinkSession, events: int, now: float) -> None:
        if events & selectors.EVENT_WRITE:
            session.flush(now)
        if events & selectors.EVENT_READ:
            for text in session.receive(now):
                if session.busy or session.streams:
                    raise BadLink("one request at a time, and none after `watch`, `live` and `guide`")
                self._answers.answer(session, text, now)

    def _tell(self, news: LinkMessage, now: float) -> None:
        for session in [one for one in self._sessions if one.watches]:
            self._guarded(session, partial(session.send, news), now)

    def _send_status(self, now: float) -> None:
        if not any(session.watches for session in self._sessions):
            return
        key = self._answers.settings
        if key != self._status_key or now - self._status_at >= STATUS_S:
            self._status_key, self._status_at = key, now
            self._tell(self._answers.status(), now)

    def _send_pictures(self, now: float) -> None:
        for session in list(self._sessions):
            live = session.live
            if live is not None and session.wants_picture(self._view.number, now):
                picture = self._view.picture(boxes=live.boxes)
                if picture is not None:
                    self._guarded(session, partial(session.send, picture[0], picture=picture[1]), now)

    def _drop(self, session: LinkSession) -> None:
        self._sessions.discard(session)
        self._selector.unregister(session.socket)
        session.socket.close()
        if session.on_close is not None:
            session.on_close()

    def _drop_all(self) -> None:
        for session in list(self._sessions):
            self._drop(session)
        self._view.watched = False


def _wanted(session: LinkSession) -> int:
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if session.full else 0)
