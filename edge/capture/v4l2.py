"""USB cameras and other Video4Linux devices."""

import os
from pathlib import Path

import cv2

from edge.capture import geometry
from edge.capture.camera import CameraKind, FoundCamera
from edge.capture.live_capture import LiveCapture
from edge.capture.video_io import open_device
from edge.config.camera import CameraSettings
from edge.errors import CameraBusy, CameraError
from edge.frame import Frame

SYSTEM = Path("/sys/class/video4linux")
_BUFFERS = 2
"""One is filled while the other is read; the thread of LiveCapture keeps both from growing old."""


class V4l2Camera:
    """A device such as `/dev/video0`. MJPEG is requested: few USB cameras deliver raw video at full size and rate.

    The device may choose another size, rate or format; frames have whatever size it delivers.
    """

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        device = _device(settings.source)
        check_device(device)
        capture = open_device(device)
        if not capture.isOpened():
            raise CameraBusy(
                f"{device}: cannot be opened for video; another program may be using it (`fuser -v {device}` shows "
                f"which), or it is not a camera. {devices_found()}"
            )
        _ask_for(capture, settings)
        self._capture = LiveCapture(capture, str(device), settings.read_timeout_s)

    def read(self) -> Frame:
        image, at = self._capture.newest()
        return geometry.frame(image, self._settings, at)

    def close(self) -> None:
        self._capture.close()


def _ask_for(capture: cv2.VideoCapture, settings: CameraSettings) -> None:
    # The format comes first: it decides which sizes and rates the device offers.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)


def device_path(source: str) -> Path | None:
    """Return the device that `v4l2:/dev/video0` or `v4l2:0` names; None when the source has neither form."""
    scheme, _, name = source.partition(":")
    if scheme != "v4l2":
        return None
    if name.isdecimal():
        return Path(f"/dev/video{name}")
    return Path(name) if name.startswith("/") else None


def _device(source: str) -> Path:
    device = device_path(source)
    if device is None:
        raise ValueError(f"{source!r} names no V4L2 device")
    return device


def check_device(device: Path) -> None:
    """Raises CameraError when the device is missing, is not a device, or this user may not open it."""
    if not device.exists():
        raise CameraError(f"{device}: no such camera. {devices_found()}")
    if not device.is_char_device():
        raise CameraError(f"{device}: not a camera device. {devices_found()}")
    if not os.access(device, os.R_OK | os.W_OK):
        raise CameraError(f"{device}: permission denied; the user that runs whosthere must be in the group `video`")


def devices(system: Path = SYSTEM) -> list[FoundCamera]:
    """Return every video device, whether it is a camera or not."""
    found = sorted(system.glob("video*"), key=lambda path: int(path.name.removeprefix("video")))
    return [FoundCamera(f"v4l2:/dev/{path.name}", _text(path / "name")) for path in found]


def usb_cameras(system: Path = SYSTEM) -> list[FoundCamera]:
    """Return the devices that can be a doorbell's camera: on USB, and not a camera's second node (its metadata)."""
    return [
        camera
        for camera in devices(system)
        if "/usb" in str((system / Path(camera.source).name / "device").resolve())
        and _text(system / Path(camera.source).name / "index") in {"0", ""}
    ]


def devices_found(system: Path = SYSTEM) -> str:
    """Return a sentence that names the video devices of this machine."""
    found = devices(system)
    if not found:
        return "This machine has no video device; is the camera plugged in?"
    return f"This machine has {', '.join(f'{source} ({name})' for source, name in found)}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _suggest(source: str) -> str | None:
    return f"v4l2:{source}" if Path(source).is_char_device() else None


KIND = CameraKind(
    forms="`v4l2:/dev/video0` (or `v4l2:0`)",
    takes=lambda source: device_path(source) is not None,
    open=V4l2Camera,
    discover=usb_cameras,
    suggest=_suggest,
)
