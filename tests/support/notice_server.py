"""A web server on loopback that records what it gets, and answers as the test wants."""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from support.broker import WAIT_S


@dataclass(frozen=True)
class Posted:
    """A request."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any])

    @property
    def parts(self) -> dict[str, bytes]:
        """The parts of a form, by name."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + self.body)
        found: dict[str, bytes] = {}
        for part in form.get_payload():
            assert isinstance(part, Message)
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found[str(part.get_param("name", header="Content-Disposition"))] = content
        return found

    def text(self, header: str) -> str:
        """A header as ntfy reads it: decoded by RFC 2047."""
        return str(make_header(decode_header(self.headers[header])))


class NoticeServer:
    """`answers` are the statuses of the next requests, with headers; after them, everything is accepted.

    A status of 0 hangs up without an answer, and -1 dribbles one until the test is over.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.hang = threading.Event()
        """While it is set, requests get no answer."""
        self.over = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._answer(self)

            do_PUT = do_POST  # noqa: N815  (the name is http.server's)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.scheme = "https" if context else "http"
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def wait_for(self, count: int) -> list[Posted]:
        """What came, once it is at least so much."""
        deadline = time.monotonic() + WAIT_S
        while len(self.posted) < count:
            assert time.monotonic() < deadline, f"only {len(self.posted)} of {count} requests came"
            time.sleep(0.01)
        return list(self.posted)

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.posted.append(Posted(request.command, request.path, request.headers, body))
        status, headers = self.answers.popleft() if self.answers else (200, {})
        while self.hang.is_set() and not self.over.wait(0.02):
            pass
        request.close_connection = True
        if status > 0:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.end_headers()
        while status < 0 and not self.over.wait(0.05):
            try:
                request.connection.sendall(b"H")
            except OSError:
                return


@contextmanager
def notice_server(context: ssl.SSLContext | None = None) -> Iterator[NoticeServer]:
    server = NoticeServer(context)
    try:
        yield server
    finally:
        server.close()


def unused_url() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}"
