"""The Raspberry Pi's camera, through picamera2 and libcamera."""

import contextlib
import importlib
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.capture import geometry
from edge.capture.camera import CameraKind, FoundCamera
from edge.config.camera import CameraSettings
from edge.errors import CameraBusy, CameraError
from edge.frame import Frame
from edge.records import Image, read_only

PREFIX = "picamera2:"
_TO_BGR: dict[str, int | None] = {
    # picamera2 names these by the order within a little-endian word: in memory RGB888 is B, G, R.
    "RGB888": None,
    "BGR888": cv2.COLOR_RGB2BGR,
    "XRGB8888": cv2.COLOR_BGRA2BGR,
    "XBGR8888": cv2.COLOR_RGBA2BGR,
    "YUV420": cv2.COLOR_YUV2BGR_I420,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
}
_BUFFERS = 4
_AF_CONTINUOUS = 2
_OLDEST_S = 10.0


class PiCamera:
    """A camera on the Pi's connector, read as two streams: `main` for the image, `lores` for a narrower preview.

    The image signal processor scales the preview, which costs the CPU nothing. No camera buffer is kept: `read` copies
    what it needs and releases the request. `captured_at` is when the sensor began the frame.
    """

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._name = settings.source
        self._module = _picamera2()
        self._device = self._open(int(self._name.removeprefix(PREFIX)))
        try:
            self._start()
        except RuntimeError as error:
            self.close()
            raise CameraBusy(f"{self._name}: cannot be started: {_root(error)}") from error

    def _open(self, number: int) -> Any:
        cameras = self._module.Picamera2.global_camera_info()
        if number >= len(cameras):
            found = ", ".join(f"{i}: {camera.get('Model', 'unnamed')}" for i, camera in enumerate(cameras))
            raise CameraError(
                f"{self._name}: no such camera; found {found or 'none'}. "
                "Check the ribbon cable and `rpicam-hello --list-cameras`"
            )
        if _on_usb(cameras[number]):
            raise CameraError(f"{self._name}: this is a USB camera; use `v4l2:/dev/video0` for it")
        try:
            return self._module.Picamera2(number)
        except (RuntimeError, IndexError) as error:
            raise CameraBusy(
                f"{self._name}: cannot be opened: {_root(error)}. Another program may be using it, or this "
                "user is not in the group `video`"
            ) from error

    def _start(self) -> None:
        settings, device = self._settings, self._device
        main = {"size": (settings.width, settings.height), "format": "RGB888"}
        small = preview_stream_size(settings)
        lores = {"size": small, "format": "YUV420"} if small else None
        asked = {name: value for name, value in controls(settings).items() if name in device.camera_controls}
        device.configure(
            device.create_video_configuration(main=main, lores=lores, controls=asked, buffer_count=_BUFFERS)
        )
        self._streams = {name: device.camera_configuration()[name] for name in ("main", "lores")}
        for name, stream in self._streams.items():
            if stream and stream["format"] not in _TO_BGR:
                raise RuntimeError(f"stream {name} comes as {stream['format']}, which is not supported")
        device.start()

    def read(self) -> Frame:
        try:
            request = self._device.capture_request(wait=self._settings.read_timeout_s)
        except TimeoutError as error:
            self._device.cancel_all_and_flush()
            raise CameraError(
                f"{self._name}: delivered no frame for {self._settings.read_timeout_s:g} s; check the ribbon cable"
            ) from error
        try:
            return self._frame(request)
        except RuntimeError as error:
            raise CameraError(f"{self._name}: a frame cannot be read: {_root(error)}") from error
        finally:
            request.release()

    def close(self) -> None:
        # It raises when its own threads have died; then there is nothing left to release.
        with contextlib.suppress(RuntimeError):
            self._device.close()

    def _frame(self, request: Any) -> Frame:
        sensor_ns = request.get_metadata().get("SensorTimestamp")
        at = captured_at(sensor_ns, time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
        image = self._picture(request, "main")
        if self._streams["lores"]:
            return Frame(read_only(image), read_only(self._picture(request, "lores")), at)
        return Frame(read_only(image), geometry.preview(image, self._settings.preview_width), at)

    def _picture(self, request: Any, stream: str) -> Image:
        """Return one stream of the request, turned, as a copy."""
        with self._module.MappedArray(request, stream) as mapped:
            return self._copied(mapped.array, self._streams[stream])

    def _copied(self, buffer: NDArray[np.uint8], stream: dict[str, Any]) -> Image:
        # A separate function: picamera2 cannot unmap a buffer that a local variable still refers to.
        image = geometry.turned(to_bgr(buffer, stream), self._settings)
        return image.copy() if np.may_share_memory(image, buffer) else image


def pi_cameras() -> list[FoundCamera]:
    """Return the cameras that libcamera finds, except those on USB; none without picamera2."""
    try:
        cameras = _picamera2().Picamera2.global_camera_info()
    except CameraError:
        return []
    return [
        FoundCamera(f"{PREFIX}{number}", str(camera.get("Model", "unnamed")))
        for number, camera in enumerate(cameras)
        if not _on_usb(camera)
    ]


def _on_usb(camera: dict[str, Any]) -> bool:
    return "usb" in str(camera.get("Id", "")).lower()


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        # picamera2 imports pykms for previews on a screen; a minimal installation lacks it.
        package = "python3-kms++" if error.name == "pykms" else "python3-picamera2"
        raise CameraError(
            f"picamera2 cannot be imported ({error}); `sudo apt install {package}`, and make the virtual "
            "environment with `--system-site-packages` so that it sees it"
        ) from error
    except ValueError as error:
        raise CameraError(
            f"picamera2 cannot be imported ({error}); it was built for a numpy other than the one "
            "installed with whosthere. On Debian bookworm, use numpy 1: `pip install 'whosthere[tflite-runtime]'`"
        ) from error


def preview_stream_size(settings: CameraSettings) -> tuple[int, int] | None:
    """Width and height of the low-resolution stream, both even, such that it is `preview_width` wide once turned.

    None: the image is no wider than that, so no second stream is needed.
    """
    scale = settings.preview_width / geometry.turned_size(settings.width, settings.height, settings)[0]
    if scale >= 1:
        return None
    return 2 * round(settings.width * scale / 2), 2 * round(settings.height * scale / 2)


def controls(settings: CameraSettings) -> dict[str, Any]:
    """The controls to set if the camera has them, by libcamera's names and in its units (microseconds)."""
    slowest = min(settings.fps, settings.low_light_fps or settings.fps)
    asked: dict[str, Any] = {"FrameDurationLimits": (round(1e6 / settings.fps), round(1e6 / slowest))}
    if settings.exposure_ev:
        asked["ExposureValue"] = settings.exposure_ev
    if settings.autofocus:
        asked["AfMode"] = _AF_CONTINUOUS
    return asked


def to_bgr(buffer: NDArray[np.uint8], stream: dict[str, Any]) -> Image:
    """Convert a stream's buffer, as `MappedArray` gives it, to BGR; RGB888 is returned unchanged.

    `stream` is its configuration: `format` and `size`. The row padding of planar formats is cut off.
    """
    code = _TO_BGR[stream["format"]]
    if code is None:
        return buffer
    width, height = stream["size"]
    return np.asarray(cv2.cvtColor(buffer, code), np.uint8)[:height, :width]


def captured_at(sensor_ns: int | None, monotonic: float, boottime: float) -> float:
    """Convert a sensor timestamp (nanoseconds since boot, including suspension) to monotonic seconds.

    A frame without a timestamp, or with one too old for any frame in a queue, counts as captured now.
    """
    age = boottime - sensor_ns / 1e9 if sensor_ns else 0.0
    return monotonic - age if 0 <= age <= _OLDEST_S else monotonic


def _root(error: BaseException) -> str:
    """libcamera's own message: picamera2 wraps the exception several times."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__


def _takes(source: str) -> bool:
    return source.startswith(PREFIX) and source.removeprefix(PREFIX).isdecimal()


KIND = CameraKind(forms="`picamera2:0`", takes=_takes, open=PiCamera, discover=pi_cameras)
