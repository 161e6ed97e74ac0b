"""What lies outside of the process: camera, broker, disk. Each check takes seconds at most and changes nothing."""

import errno
import ipaddress
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from edge.capture.camera import Camera, EndOfRecording
from edge.capture.registry import describe, kind_of, open_camera
from edge.config.camera import CameraSettings
from edge.config.mqtt import MqttSettings, OutboxSettings
from edge.errors import WhosthereError
from edge.inspection.findings import Finding, failed, ok, warning
from edge.mqtt.probe import check_broker
from edge.records import Frame

DARK = 20.0
"""Mean level of a picture, 0 to 255, under which there is hardly anything to see."""
SETTLING_FRAMES = 15
"""Cameras open in the dark: exposure settles over the first frames."""
PROBE = bytes(65536)
ROOM_MB = 100.0


def camera_finding(settings: CameraSettings, clock: Callable[[], float] = time.monotonic) -> Finding:
    """Open it, read a frame, close it."""
    return look_through(settings, clock)[0]


def look_through(settings: CameraSettings, clock: Callable[[], float] = time.monotonic) -> tuple[Finding, Frame | None]:
    """The same with a frame in which the exposure has settled; None when there is none."""
    began = clock()
    try:
        with closing(open_camera(replace(settings, realtime=False, loop=False))) as camera:
            first = camera.read()
            took = clock() - began
            frame = _settled(first, camera)
    except WhosthereError as error:
        return failed("camera", error, _in_use(settings)), None
    height, width = frame.image.shape[:2]
    found = f"{describe(settings)}: {width} x {height}, the first frame after {took:.1f} s"
    brightness = float(frame.preview.mean())
    if brightness >= DARK:
        return ok("camera", found), frame
    advice = "is the lens covered, or is it night? Faces need light"
    return warning("camera", f"{found}, but nearly black: brightness {brightness:.0f} of 255", advice), frame


def _settled(frame: Frame, camera: Camera) -> Frame:
    """The first frame that is not dark, or the last one tried."""
    try:
        for _ in range(SETTLING_FRAMES):
            if float(frame.preview.mean()) >= DARK:
                break
            frame = camera.read()
    except EndOfRecording:
        pass
    return frame


def _in_use(settings: CameraSettings) -> str:
    kind = kind_of(settings.source)
    if kind is not None and kind.exclusive:
        return "whosthere as a service holds the camera: `systemctl stop whosthere`, or `check --skip camera`"
    return ""


def broker_finding(settings: MqttSettings, device_id: str) -> Finding:
    """Connect, publish something harmless, disconnect."""
    try:
        found = check_broker(settings, device_id)
    except WhosthereError as error:
        return failed("broker", error)
    if settings.username is not None and not settings.tls.enabled and not _is_this_box(settings.host):
        return warning("broker", f"{found}, but the password crosses the network unencrypted", "set mqtt.tls.enabled")
    return ok("broker", found)


def _is_this_box(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def existing_folder(path: Path) -> Path:
    """The nearest folder above `path` that exists: missing ones are made by the daemon."""
    return next(parent for parent in path.absolute().parents if os.path.lexists(parent))


def outbox_finding(settings: OutboxSettings) -> Finding:
    """Write beside the outbox, leaving nothing behind; the outbox itself may be in use."""
    path = Path(settings.path)
    folder = existing_folder(path)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
        with path.open("r+b") if path.parent == folder and path.exists() else tempfile.TemporaryFile(dir=folder):
            free_mb = shutil.disk_usage(folder).free / 1e6
    except OSError as error:
        reason = f"mqtt.outbox.path: {path} cannot be written: {error.strerror}"
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "make room there" if full else "let the user that runs whosthere write there"
        return failed("outbox", WhosthereError(reason), advice)
    found = f"{path}: writable, {free_mb:,.0f} MB free"
    if free_mb < ROOM_MB:
        return warning("outbox", found, "make room: a full disk keeps events in memory only, until the power goes")
    return ok("outbox", found)
