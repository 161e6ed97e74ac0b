"""Checks of what lies outside the process: camera, broker, disk. Each takes seconds at most and changes nothing."""

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
from edge.capture.registry import advice, describe, notice, open_camera
from edge.config.camera import CameraSettings
from edge.config.mqtt import MqttSettings, OutboxSettings
from edge.errors import CameraBusy, WhosthereError
from edge.frame import Frame
from edge.inspection.findings import Finding, failed, ok, warning
from edge.inspection.service import is_active
from edge.mqtt.probe import check_broker

DARK = 20.0
"""The mean level of a picture, 0 to 255, below which there is hardly anything to see."""
TRIED_FRAMES = 3
SETTLING_FRAMES = 15
"""Cameras start dark: exposure settles over the first frames."""
PROBE = bytes(65536)
LOW_DISK_MB = 100.0


def camera_finding(settings: CameraSettings, clock: Callable[[], float] = time.monotonic) -> Finding:
    """Open the camera, read a few frames as `whosthere run` does, close it."""
    return try_camera(settings, clock)[0]


def try_camera(settings: CameraSettings, clock: Callable[[], float] = time.monotonic) -> tuple[Finding, Frame | None]:
    """The same, with a frame in which the exposure has settled; None when there is none."""
    began = clock()
    try:
        with closing(open_camera(replace(settings, realtime=False, loop=False))) as camera:
            first = camera.read()
            took = clock() - began
            frame = _settled(_enough(first, camera), camera)
    except WhosthereError as error:
        return failed("camera", error, _busy_advice(error)), None
    height, width = frame.image.shape[:2]
    found = f"{describe(settings)}: {width} x {height}, the first frame after {took:.1f} s"
    todo, brightness, text = [], float(frame.preview.mean()), notice(settings)
    if brightness < DARK:
        found += f", but nearly black: brightness {brightness:.0f} of 255"
        todo.append("uncover the lens, or switch a light on: faces need light")
    if text:
        found += f"; {text}"
        todo.append(advice(settings))
    if todo:
        return warning("camera", found, "; ".join(filter(None, todo))), frame
    return ok("camera", found), frame


def _enough(frame: Frame, camera: Camera) -> Frame:
    """The last of a few frames: a camera may deliver one and then stop."""
    try:
        for _ in range(TRIED_FRAMES - 1):
            frame = camera.read()
    except EndOfRecording:
        pass
    return frame


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


def _busy_advice(error: WhosthereError) -> str:
    """What to do about a camera that another program may hold: nothing is claimed unless the service runs."""
    if isinstance(error, CameraBusy) and is_active():
        return "the whosthere service is running and holds the camera: `systemctl stop whosthere`, or `--skip camera`"
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
    """The nearest folder above `path` that exists; the daemon makes the missing ones."""
    return next(parent for parent in path.absolute().parents if os.path.lexists(parent))


def outbox_finding(settings: OutboxSettings) -> Finding:
    """Write beside the outbox and leave nothing behind: the outbox itself may be in use."""
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
        advice = "delete something there" if full else "let the user that runs whosthere write there"
        return failed("outbox", WhosthereError(reason), advice)
    found = f"{path}: writable, {free_mb:,.0f} MB free"
    if free_mb < LOW_DISK_MB:
        advice = "delete something there: on a full disk, events wait in memory only, and a power cut loses them"
        return warning("outbox", found, advice)
    return ok("outbox", found)
