"""From `camera.source` to a camera: the only place that picks a class."""

from pathlib import Path

from edge.capture.address import is_address, parse
from edge.capture.camera import Camera
from edge.capture.picamera import PiCamera
from edge.capture.recording import Recording
from edge.capture.stream import StreamCamera
from edge.capture.v4l2 import V4l2Camera, device_path
from edge.config.camera import CameraSettings, is_recording, names_scheme
from edge.errors import ConfigError

FORMS = (
    "`picamera2:0`, `v4l2:/dev/video0` (or `v4l2:0`), `rtsp://host/path`, `http://host/path`, "
    "or the path of a video, a GIF, an image or a folder of images"
)


def open_camera(settings: CameraSettings) -> Camera:
    """The camera or recording that the settings name, opened.

    Raises CameraError, and ConfigError for what no waiting will mend: an unknown form of source, no password file.
    """
    source = settings.source
    if is_address(source):
        return StreamCamera(settings)
    if source.startswith("picamera2:") and source.removeprefix("picamera2:").isdecimal():
        return PiCamera(settings, int(source.removeprefix("picamera2:")))
    if source.startswith("v4l2:") and (device := device_path(source)) is not None:
        return V4l2Camera(settings, device)
    if is_recording(settings):
        return Recording(settings)
    hint = f"; did you mean `v4l2:{source}`?" if Path(source).is_char_device() else ""
    raise ConfigError(f"camera.source: {describe(settings)!r} is none of {FORMS}{hint}")


def describe(settings: CameraSettings) -> str:
    """The source as it may be shown and logged: without login, query or anything that looks like a password."""
    if is_address(settings.source):
        try:
            return str(parse(settings.source))
        except ConfigError:
            return f"{settings.source.partition('://')[0]}://..."
    if names_scheme(settings.source) and "@" in settings.source:
        return f"{settings.source.partition(':')[0]}:..."
    return settings.source
