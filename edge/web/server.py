"""uvicorn on an address or on systemd's socket. Slow clients have deadlines, and it ends when nobody asks any more."""

import asyncio
import logging
import os
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.config.web import host_and_port
from edge.errors import ConfigError
from edge.owner import become_decider
from edge.web.app import make_app
from edge.web.box import WebBox
from edge.web.certificate import certificate
from edge.web.spare_memory import give_back

log = logging.getLogger("whosthere.web")
FIRST_FD = 3
"""Where systemd passes its sockets."""
MAX_CONNECTIONS = 64
MAX_PER_ADDRESS = 40
"""So that one address cannot keep all others out."""
MAX_HEAD_BYTES = 16_384
HEAD_S = 10.0
"""How long a client may take for the head of a request."""
KEEP_ALIVE_S = 15
TIDY_TICKS = 10
"""A second: uvicorn has ten ticks in one."""


@dataclass(slots=True)
class Activity:
    """When somebody last asked for something, in monotonic seconds."""

    last: float
    running: int = 0


class Watched:
    """Middleware: notes that there was a request."""

    def __init__(self, app: ASGIApp, activity: Activity) -> None:
        self._app = app
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # `lifespan` lasts as long as the process.
            await self._app(scope, receive, send)
            return
        self._activity.running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._activity.running -= 1
            self._activity.last = time.monotonic()


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on clients whose request's head does not arrive in time, or who open too much at once."""

    messengers: frozenset[str] = frozenset()
    """Addresses that speak for many: the reverse proxy, Home Assistant."""
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._has_too_many():
            transport.abort()
        else:
            self._wait_for_head()

    def _has_too_many(self) -> bool:
        mine = self.client[0] if self.client else None
        if mine in self.messengers:
            return False
        known = [one for one in self.connections if isinstance(one, H11Protocol) and one.client]
        return sum(one.client is not None and one.client[0] == mine for one in known) > MAX_PER_ADDRESS

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEAD_S + KEEP_ALIVE_S * (self.cycle is not None), self._hang_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _hang_up(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()


class IdleServer(uvicorn.Server):
    """Ends when there has been no request for `idle_s`; None: never. Gives memory back after requests."""

    def __init__(self, config: uvicorn.Config, activity: Activity, idle_s: float | None) -> None:
        super().__init__(config)
        self._activity = activity
        self._idle_s = idle_s
        self._tidied = 0.0

    async def on_tick(self, counter: int) -> bool:
        if counter % TIDY_TICKS == 0 and self._tidied != self._activity.last:
            self._tidied = self._activity.last
            give_back()
        quiet = self._idle_s is not None and not self._activity.running
        if quiet and self._idle_s is not None and time.monotonic() - self._activity.last > self._idle_s:
            log.info("nobody has asked for %.0f minutes: stopping until somebody does", self._idle_s / 60)
            return True
        return await super().on_tick(counter)


def serve(box: WebBox, listener: socket.socket, idle_s: float | None) -> None:
    """Serve the page until stopped, or until nobody has asked for `idle_s`: then systemd listens, and starts it again.

    Raises ConfigError for a certificate that cannot be used.
    """
    activity = Activity(time.monotonic())
    files = certificate(box.settings.tls, box.folder, box.loaded.device_id) if box.settings.tls.enabled else None
    config = uvicorn.Config(
        Watched(make_app(box), activity),
        http=_protocol(box),
        loop="asyncio",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=3,
        ssl_certfile=files[0] if files else None,
        ssl_keyfile=files[1] if files else None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        names = " and ".join(map(str, files or ()))
        raise ConfigError(f"web.tls: {names} cannot be used: {error.strerror or error}") from error
    become_decider(box.folder)
    IdleServer(config, activity, idle_s).run(sockets=[listener])


def _protocol(box: WebBox) -> type[PatientProtocol]:
    known = frozenset(one for one in (box.settings.trusted_proxy, box.settings.ingress) if one is not None)
    return type("BoxProtocol", (PatientProtocol,), {"messengers": known})


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"web.listen: cannot listen on {host}:{port}: {reason}; choose another one") from error
    return listener


def activated_socket() -> socket.socket | None:
    """The socket that systemd passes (sd_listen_fds(3)); None: it did not start this process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=FIRST_FD)


def elsewhere(listener: socket.socket, listen: str) -> str:
    """What is wrong when systemd's socket is not where `web.listen` says; empty: nothing."""
    host, port = listener.getsockname()[:2]
    wanted_host, wanted_port = host_and_port(listen, "web.listen")
    # `ListenStream=8480` listens on every address, as 0.0.0.0 does.
    same = {host, wanted_host} <= {"::", "0.0.0.0"} or host == wanted_host  # noqa: S104
    if same and port == wanted_port:
        return ""
    return (
        f"web.listen: found {listen}, but systemd listens on {host}:{port}; "
        "change either with `systemctl edit whosthere-web.socket` or in config.yaml"
    )


def page_address(listener: socket.socket, *, tls: bool) -> str:
    """The address to open on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"{'https' if tls else 'http'}://{host}:{port}/"
