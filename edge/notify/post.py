"""One HTTP request: verified, bounded in time and size, and explained when it fails."""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from urllib.parse import quote

from edge.address import Address
from edge.config.secret_file import read_secret
from edge.errors import ConfigError, WhosthereError

TIMEOUT_S = 10.0
"""For connecting, and for each step after that."""
TOTAL_S = 30.0
"""For everything: a server that dribbles is cut off."""
_TRY_AGAIN = frozenset({408, 425, 429})
_SAFE = "/?&=%:@!$'()*+,;~#[]"
_MAX_PAUSE_S = 300.0
_REASONS: Mapping[type[OSError], str] = {
    socket.gaierror: "its name cannot be resolved; is it right, and is the box online?",
    ConnectionRefusedError: "nothing listens there; is the server running, and is the port right?",
    ConnectionError: "it hung up without an answer; does it speak HTTP, or does this port expect https://?",
}
"""The first that fits."""


class NotSent(WhosthereError):
    """A notice could not be sent; the text says why and what to do, and holds no secret."""

    def __init__(self, text: str, *, again: bool, status: int | None = None, pause_s: float = 0.0) -> None:
        super().__init__(text)
        self.again = again
        """Whether trying again may help."""
        self.status = status
        """What the server answered; None: nothing."""
        self.pause_s = pause_s
        """How long the server wants to be left alone."""


class WebServer:
    """Sends requests to one address."""

    def __init__(self, address: Address, ca_file: str | None, key: str) -> None:
        """`key` is the section of the config, for errors. Raises ConfigError when `ca_file` holds no certificates."""
        self.address = address
        self._key = key
        self._context = _context(ca_file, key) if address.scheme == "https" else None

    def send(self, method: str, headers: Mapping[str, str], body: bytes, target: str | None = None) -> None:
        """Send a request to the address, or to another path there. Redirects are not followed. Raises NotSent."""
        path = quote(self.address.target if target is None else target, safe=_SAFE) or "/"
        self._within(lambda connection: self._exchange(connection, method, path, headers, body))

    def connect(self) -> None:
        """Connect, verify the certificate and hang up: nothing is sent. Raises NotSent."""
        self._within(lambda connection: connection.connect())

    def _within(self, act: Callable[[http.client.HTTPConnection], None]) -> None:
        with closing(self._connection()) as connection:
            cut = threading.Timer(TOTAL_S, _hang_up, [connection])
            cut.daemon = True
            cut.start()
            try:
                act(connection)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # Not chained: it may quote the address, or a header.
                raise NotSent(f"{self.address}: {_why(error, self._key)}", again=True) from None
            finally:
                cut.cancel()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.address.host, self.address.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._context)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """The body of the answer is of no interest, and is not waited for."""
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        if 200 <= answer.status < 300:
            return
        again = answer.status in _TRY_AGAIN or answer.status >= 500
        pause = answer.headers.get("Retry-After", "")
        pause_s = min(float(pause), _MAX_PAUSE_S) if pause.isascii() and pause.isdigit() else 0.0
        text = f"{self.address}: {_meaning(answer.status, self._key)}"
        raise NotSent(text, again=again, status=answer.status, pause_s=pause_s)


def bearer(token_file: str | None, key: str) -> dict[str, str]:
    """The header with the token in a file; empty without one. `key` names the file, for errors. Raises ConfigError."""
    if token_file is None:
        return {}
    token = read_secret(token_file, key).strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise ConfigError(f"{key}: {token_file}: its first line is not a token (not quoted); allowed: printable ASCII")
    return {"Authorization": f"Bearer {token}"}


def _hang_up(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _context(ca_file: str | None, key: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"{key}.ca_file: {ca_file} holds no certificates in PEM form: {error}") from error


def _meaning(status: int, key: str) -> str:
    """An answer that is no success, and what to do about it."""
    meanings = {
        401: f"it wants to know who asks; set {key}.token_file",
        403: f"it does not allow this; is the token in {key}.token_file right, and may it write there?",
        404: "there is nothing at this address",
        405: "it takes no messages at this address",
        413: "the message is too large for it; send no picture",
        429: "it has had too many messages",
    }
    if 300 <= status < 400:
        found = "it redirects to another address; set that one"
    elif status >= 500:
        found = "it has a problem of its own"
    else:
        found = meanings.get(status, "it refuses the message")
    return f"status {status}: {found}"


def _why(error: Exception, key: str) -> str:
    """Why no answer came, and what to do about it."""
    if isinstance(error, ssl.SSLError):
        return _why_not_secure(error, key)
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    known = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), None)
    if known is None and isinstance(error, OSError):
        known = error.strerror
    return known or f"no proper answer came ({type(error).__name__}); does it speak HTTP, or did it take too long?"


def _why_not_secure(error: ssl.SSLError, key: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; for a server of your own, name the authority's "
            f"certificate in {key}.ca_file"
        )
    return f"TLS failed: {error.reason or 'no reason given'}; does this port speak TLS?"
