"""RTSP and HTTP cameras, read with FFmpeg through OpenCV, or polled where each answer is one picture."""

import functools
import logging
import time

import cv2

from edge.address import Address
from edge.bare_address import address_meant
from edge.capture import certificate, geometry
from edge.capture.address import is_address, parse, shown
from edge.capture.camera import Camera, CameraKind
from edge.capture.live_capture import LiveCapture
from edge.capture.snapshot import SnapshotCamera, is_snapshot
from edge.capture.stream_diagnosis import why_not
from edge.capture.video_io import open_address, size_problem, take_jpegs
from edge.config.camera import CameraSettings
from edge.config.secret_file import read_secret
from edge.errors import CameraError, ConfigError
from edge.frame import Frame

_log = logging.getLogger("whosthere.capture")

_PROBE_S = 3.0


class StreamCamera:
    """A network camera. Only FFmpeg sees the address with the login in it.

    Raises CameraError when it cannot be opened, and ConfigError when the address or the password file is wrong.
    `captured_at` is when the frame was decoded; the delay of camera and network is not known.
    """

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        address = address_of(settings)
        capture = _opened(address, settings)
        if problem := size_problem(capture):
            capture.release()
            raise CameraError(f"{address}: {problem}")
        self._capture = LiveCapture(capture, str(address), settings.read_timeout_s, jpegs=take_jpegs(capture))

    def read(self) -> Frame:
        image, at = self._capture.newest()
        return geometry.frame(image, self._settings, at)

    def close(self) -> None:
        self._capture.close()


def _opened(address: Address, settings: CameraSettings) -> cv2.VideoCapture:
    """Raises CameraError."""
    began = time.monotonic()
    pinned, within, reason = settings.certificate_sha256, settings.open_timeout_s, None
    if pinned is None:
        capture = open_address(address.login_url, _time_outs(settings))
    else:
        with certificate.trusted(address, pinned, within) as trusted:
            capture = open_address(address.login_url, _time_outs(settings), trusted)
            if not capture.isOpened():
                reason = certificate.why_refused(address, trusted, within)
    if capture.isOpened():
        return capture
    reason = reason or _why(address, settings, time.monotonic() - began)
    raise CameraError(f"{address}: cannot be opened: {reason}")


def open_network_camera(settings: CameraSettings) -> Camera:
    """Open a stream, or a snapshot address. Raises CameraError and ConfigError."""
    address = address_of(settings)
    if text := _notice(settings):
        _log_once(f"{address}: {text}")
    if is_snapshot(address, settings):
        return SnapshotCamera(address, settings)
    return StreamCamera(settings)


def address_of(settings: CameraSettings) -> Address:
    """Return the address in `camera.source`, with `camera.username` and its password added. Raises ConfigError."""
    address = parse(settings.source)
    if settings.username is None:
        return address
    password = read_secret(settings.password_file, "camera.password_file") if settings.password_file else ""
    return address.with_login(settings.username, password)


def _time_outs(settings: CameraSettings) -> list[int]:
    open_ms, read_ms = round(settings.open_timeout_s * 1000), round(settings.read_timeout_s * 1000)
    return [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, open_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_ms]


def _why(address: Address, settings: CameraSettings, took_s: float) -> str:
    if took_s >= 0.9 * settings.open_timeout_s:
        return f"{address.place} sent no video within {settings.open_timeout_s:g} s"
    return why_not(address, min(settings.open_timeout_s, _PROBE_S))


def _notice(settings: CameraSettings) -> str:
    if settings.certificate_sha256 is not None or not _is_secure(settings.source):
        return ""
    return "the camera's certificate is not checked: anybody on the way could pose as the camera"


def _advice(settings: CameraSettings) -> str:
    if not _notice(settings):
        return ""
    try:
        found = certificate.fingerprint(
            certificate.fetch(parse(settings.source), min(settings.open_timeout_s, _PROBE_S))
        )
    except (OSError, ConfigError):
        return ""
    return f'to have it checked, if this is the camera\'s own, set {certificate.KEY}: "{found}"'


def _is_secure(source: str) -> bool:
    return source.strip().partition("://")[0].lower() in certificate.SCHEMES


@functools.cache
def _log_once(text: str) -> None:
    """Not again each time the camera is reopened."""
    _log.warning("%s", text)


KIND = CameraKind(
    forms="`rtsp://host/path`, `http://host/path`",
    takes=is_address,
    open=open_network_camera,
    shown=shown,
    notice=_notice,
    advice=_advice,
    takes_login=True,
    suggest=address_meant,
)
