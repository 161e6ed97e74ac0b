"""Cameras that answer each HTTP request with one JPEG: polled at `camera.fps`."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

from edge.address import Address
from edge.capture import certificate, geometry
from edge.capture.image_header import read_header
from edge.capture.limits import frame_problem
from edge.capture.photos import decode
from edge.config.camera import CameraSettings
from edge.errors import CameraError
from edge.frame import Frame
from edge.records import Image

_MAX_BYTES = 32_000_000
_FAILURES = (OSError, http.client.HTTPException, ValueError)


def is_snapshot(address: Address, settings: CameraSettings) -> bool:
    """Whether an address answers with a single picture instead of a stream. False too when it does not answer.

    Raises CameraError when its certificate is not the pinned one.
    """
    if address.scheme not in ("http", "https"):
        return False
    try:
        opener = _opener(address, settings.certificate_sha256)
        with opener.open(address.bare_url, timeout=settings.open_timeout_s) as answer:
            return str(answer.headers.get_content_type()).startswith("image/")
    except _FAILURES:
        return False


class SnapshotCamera:
    """A camera's snapshot address. `captured_at` is when the answer arrived."""

    live = True

    def __init__(self, address: Address, settings: CameraSettings) -> None:
        self._address = address
        self._settings = settings
        self._opener = _opener(address, settings.certificate_sha256)
        self._validators: dict[str, str] = {}
        self._image: Image | None = None
        self._next_at = 0.0

    def read(self) -> Frame:
        """Return the camera's present picture: the last one again while the camera says that it has not changed."""
        time.sleep(max(0.0, self._next_at - time.monotonic()))
        self._next_at = time.monotonic() + min(1 / self._settings.fps, self._settings.read_timeout_s)
        content = self._fetch()
        if content is not None or self._image is None:
            self._image = self._decoded(content or b"")
        return geometry.frame(self._image, self._settings, time.monotonic())

    def close(self) -> None:
        self._opener.close()

    def _fetch(self) -> bytes | None:
        """The next picture; None: it has not changed since the last one."""
        request = urllib.request.Request(self._address.bare_url, headers=self._validators)  # noqa: S310  (http, https)
        deadline = time.monotonic() + self._settings.read_timeout_s
        try:
            with self._opener.open(request, timeout=self._settings.read_timeout_s) as answer:
                content = _read(answer, deadline)
                named = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
                found = {ask: answer.headers[name] for ask, name in named.items()}
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.client.NOT_MODIFIED and self._image is not None:
                return None
            raise CameraError(f"{self._address}: it refuses the request with status {error.code}") from None
        except TimeoutError:
            raise self._failure(f"delivered no picture within {self._settings.read_timeout_s:g} s") from None
        except _FAILURES as error:
            # Not quoted: the error may contain the address with what is secret in it.
            raise self._failure(f"delivers no picture ({type(error).__name__})") from None
        self._validators = {ask: value for ask, value in found.items() if value}
        return content

    def _decoded(self, content: bytes) -> Image:
        header = read_header(content)
        if header and (problem := frame_problem(header.width, header.height)):
            raise self._failure(problem)
        image = decode(content, upright=False) if header else None
        if image is None:
            raise self._failure("its answer is not a picture that can be decoded; allowed: JPEG")
        return image

    def _failure(self, text: str) -> CameraError:
        return CameraError(f"{self._address}: {text}")


def _read(answer: Any, deadline: float) -> bytes:
    """The body, unless it is too long or dribbles. Raises ValueError and TimeoutError."""
    parts, size = [], 0
    while part := answer.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > _MAX_BYTES:
            raise ValueError("too long")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)


class _PinnedConnection(http.client.HTTPSConnection):
    """Says nothing to a camera whose certificate does not pass `check`."""

    def __init__(self, host: str, check: Callable[[bytes], None], **options: Any) -> None:
        super().__init__(host, **options)
        self._check = check

    def connect(self) -> None:
        super().connect()
        try:
            self._check(self.sock.getpeercert(binary_form=True) or b"")
        except CameraError:
            self.close()
            raise


class _PinnedHandler(urllib.request.HTTPSHandler):
    """Opens connections over TLS to cameras that have the pinned certificate."""

    def __init__(self, address: Address, pinned: str) -> None:
        super().__init__()
        self._check = partial(certificate.require, address, pinned=pinned)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, /, **options: Any) -> http.client.HTTPConnection:
            return _PinnedConnection(host, self._check, context=certificate.unchecked(), **options)

        return self.do_open(connection, req)


def _opener(address: Address, pinned: str | None) -> urllib.request.OpenerDirector:
    """Basic and digest logins; no proxies. Without a fingerprint, certificates are not checked, as by FFmpeg."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({}),
        _PinnedHandler(address, pinned) if pinned else urllib.request.HTTPSHandler(context=certificate.unchecked()),
    ]
    if address.login:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        username, _, password = address.login.partition(":")
        passwords.add_password(None, f"{address.scheme}://{address.place}/", unquote(username), unquote(password))
        handlers += [
            urllib.request.HTTPDigestAuthHandler(passwords),
            urllib.request.HTTPBasicAuthHandler(passwords),
        ]
    return urllib.request.build_opener(*handlers)
