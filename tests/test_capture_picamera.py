"""A stand-in for the picamera2 module: what is requested from it, and that buffers are released."""

import sys
import time
import types
import weakref

import cv2
import numpy as np
import pytest

from edge.capture.picamera import captured_at, preview_stream_size, to_bgr
from edge.capture.registry import open_camera
from edge.config.camera import CameraSettings, Region
from edge.errors import CameraError

PADDING = 32


class Request:
    """Buffers that turn to noise when they are given back, as the camera's do."""

    def __init__(self, streams, sensor_ns):
        self.buffers = {name: buffer_for(stream) for name, stream in streams.items() if stream}
        self.sensor_ns = sensor_ns
        self.releases = 0

    def get_metadata(self):
        return {"SensorTimestamp": self.sensor_ns}

    def release(self):
        self.releases += 1
        for buffer in self.buffers.values():
            buffer[...] = 77


def scene(width, height):
    """Upper half blue, lower half red."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = 255
    image[height // 2 :, :, 2] = 255
    return image


def buffer_for(stream):
    width, height = stream["size"]
    if stream["format"] == "RGB888":
        return scene(width, height)
    yuv = cv2.cvtColor(scene(width + PADDING, height), cv2.COLOR_BGR2YUV_I420)
    assert yuv.shape == (height * 3 // 2, width + PADDING)
    return yuv


class MappedArray:
    def __init__(self, request, stream):
        if request.releases:
            raise RuntimeError("mapped after release")
        self.array = request.buffers[stream].view()
        self.alive = weakref.ref(self.array)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del self.array
        if self.alive() is not None:
            raise BufferError("cannot close exported pointers exist")


class Picamera2:
    cameras = ({"Model": "imx708", "Id": "/base/i2c@1a", "Num": 0}, {"Model": "webcam", "Id": "/base/usb@1", "Num": 1})
    log: list  # what the test asks afterwards; each test sets its own
    fail_with = None
    camera_controls = types.MappingProxyType({"FrameDurationLimits": (1, 2, 3)})

    @staticmethod
    def global_camera_info():
        return list(Picamera2.cameras)

    def __init__(self, number):
        if Picamera2.fail_with:
            raise RuntimeError("Camera __init__ sequence did not complete.") from Picamera2.fail_with
        self.log.append(("open", number))
        self.main_format = "RGB888"

    def create_video_configuration(self, **asked):
        self.log.append(("asked", asked))
        return asked

    def configure(self, configuration):
        self.configuration = configuration

    def camera_configuration(self):
        return self.configuration

    def start(self):
        self.log.append(("start",))

    def capture_request(self, wait):
        if self.hangs:
            raise TimeoutError
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        request = Request({name: self.configuration[name] for name in ("main", "lores")}, now_ns - 250_000_000)
        self.log.append(("request", request))
        return request

    hangs = False

    def cancel_all_and_flush(self):
        self.log.append(("flush",))

    def close(self):
        self.log.append(("close",))


@pytest.fixture
def log(monkeypatch):
    module = types.ModuleType("picamera2")
    module.Picamera2, module.MappedArray = Picamera2, MappedArray
    monkeypatch.setitem(sys.modules, "picamera2", module)
    monkeypatch.setattr(Picamera2, "log", [], raising=False)
    return Picamera2.log


def events(log, kind):
    return [entry[1] for entry in log if entry[0] == kind]


def test_exposure_pace_and_focus_are_asked_for_where_the_camera_knows_them(log, monkeypatch):
    everything = dict.fromkeys(("FrameDurationLimits", "ExposureValue", "AfMode", "Sharpness"), (0, 1, 2))
    monkeypatch.setattr(Picamera2, "camera_controls", everything)
    open_camera(CameraSettings(source="picamera2:0", fps=10, low_light_fps=5, exposure_ev=1.5)).close()
    open_camera(CameraSettings(source="picamera2:0", fps=10, autofocus=False)).close()
    asked = [entry["controls"] for entry in events(log, "asked")]
    assert asked == [
        {"FrameDurationLimits": (100_000, 200_000), "ExposureValue": 1.5, "AfMode": 2},
        {"FrameDurationLimits": (100_000, 100_000)},
    ]


def test_two_streams_make_one_frame_and_the_buffers_go_back_once(log):
    camera = open_camera(CameraSettings(source="picamera2:0", width=1280, height=720, fps=20, preview_width=320))
    opened_at = time.monotonic()
    frames = [camera.read(), camera.read()]
    camera.close()
    asked = events(log, "asked")[0]
    assert asked["main"] == {"size": (1280, 720), "format": "RGB888"}
    assert asked["lores"] == {"size": (320, 180), "format": "YUV420"}
    assert asked["controls"] == {"FrameDurationLimits": (50000, 50000)}
    assert [request.releases for request in events(log, "request")] == [1, 1]
    np.testing.assert_array_equal(frames[0].image, scene(1280, 720))
    assert frames[0].preview.shape == (180, 320, 3)
    assert np.abs(frames[0].preview.astype(int) - scene(320, 180)).mean() < 4
    assert not frames[0].image.flags.writeable
    assert not frames[0].preview.flags.writeable
    assert opened_at - 1 < frames[1].captured_at <= time.monotonic() - 0.2
    assert log[-1] == ("close",)


def test_both_streams_are_turned_alike(log):
    settings = CameraSettings(
        width=1280, height=720, preview_width=180, rotation=90, mirror=True, region=Region(left=0.5)
    )
    frame = open_camera(settings).read()
    assert frame.image.shape == (1280, 360, 3)
    assert frame.preview.shape[1] == pytest.approx(180, abs=2)
    for picture in (frame.image, frame.preview):
        # Turned clockwise, the blue upper half is on the right; mirrored, on the left; the region keeps the right.
        assert picture[..., 2].mean() > 240
        assert picture[..., 0].mean() < 15
        assert picture.flags.c_contiguous


def test_a_small_picture_needs_one_stream(log):
    frame = open_camera(CameraSettings(width=640, height=480, preview_width=640)).read()
    assert events(log, "asked")[0]["lores"] is None
    assert frame.preview is frame.image


def test_the_preview_stream_fits_the_turned_picture():
    assert preview_stream_size(CameraSettings(width=1280, height=720, preview_width=640, rotation=90)) == (1138, 640)
    assert preview_stream_size(CameraSettings(width=1280, height=720, preview_width=641)) == (640, 360)
    half = Region(left=0.5)
    assert preview_stream_size(CameraSettings(width=1280, height=720, preview_width=320, region=half)) == (640, 360)
    assert preview_stream_size(CameraSettings(width=1280, height=720, preview_width=640, region=half)) is None


def test_a_camera_that_hangs_is_an_error(log, monkeypatch):
    camera = open_camera(CameraSettings(read_timeout_s=3))
    monkeypatch.setattr(Picamera2, "hangs", True)
    with pytest.raises(CameraError, match="picamera2:0: delivered no frame for 3 s"):
        camera.read()
    camera.close()
    assert log[-2:] == [("flush",), ("close",)]


def test_a_frame_that_cannot_be_read_is_given_back(log, monkeypatch):
    camera = open_camera(CameraSettings())

    def refuse(request, stream):
        raise RuntimeError("failed to find buffer")

    monkeypatch.setattr(sys.modules["picamera2"], "MappedArray", refuse)
    with pytest.raises(CameraError, match="a frame cannot be read: failed to find buffer"):
        camera.read()
    assert [request.releases for request in events(log, "request")] == [1]


def test_a_format_that_is_not_understood_gives_the_camera_back(log, monkeypatch):
    def adjusted(self, configuration):
        self.configuration = configuration | {"main": configuration["main"] | {"format": "MJPEG"}}

    monkeypatch.setattr(Picamera2, "configure", adjusted)
    with pytest.raises(CameraError, match="cannot be started: stream main comes as MJPEG"):
        open_camera(CameraSettings())
    assert log[-1] == ("close",)


def test_missing_busy_and_usb_cameras(log, monkeypatch):
    with pytest.raises(CameraError, match=r"picamera2:7: no such camera; found 0: imx708, 1: webcam"):
        open_camera(CameraSettings(source="picamera2:7"))
    with pytest.raises(CameraError, match=r"picamera2:1: this is a USB camera; use `v4l2:"):
        open_camera(CameraSettings(source="picamera2:1"))
    monkeypatch.setattr(Picamera2, "fail_with", OSError("Failed to acquire camera: Device or resource busy"))
    with pytest.raises(CameraError, match="cannot be opened: Failed to acquire camera: Device or resource busy"):
        open_camera(CameraSettings(source="picamera2:0"))


def test_without_picamera2_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError, match=r"apt install python3-picamera2.*--system-site-packages"):
        open_camera(CameraSettings(source="picamera2:0"))


def test_sensor_time_becomes_monotonic_time():
    assert captured_at(499_900_000_000, 100.0, 500.0) == pytest.approx(99.9)
    assert captured_at(None, 100.0, 500.0) == 100.0
    assert captured_at(501_000_000_000, 100.0, 500.0) == 100.0
    assert captured_at(1_000_000_000, 100.0, 500.0) == 100.0


@pytest.mark.parametrize(
    ("name", "code"),
    [("BGR888", cv2.COLOR_BGR2RGB), ("XRGB8888", cv2.COLOR_BGR2BGRA), ("XBGR8888", cv2.COLOR_BGR2RGBA)],
)
def test_other_formats_become_bgr(name, code):
    picture = scene(8, 4)
    np.testing.assert_array_equal(to_bgr(cv2.cvtColor(picture, code), {"format": name, "size": (8, 4)}), picture)


@pytest.mark.parametrize(
    ("fails", "advice"),
    [
        ("raise ImportError('no', name='pykms')", r"apt install python3-kms\+\+"),
        ("raise ValueError('numpy.dtype size changed')", "built for a numpy other than"),
    ],
)
def test_a_picamera2_that_cannot_be_imported_is_explained(tmp_path, monkeypatch, fails, advice):
    (tmp_path / "picamera2.py").write_text(fails + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(CameraError, match=advice):
        open_camera(CameraSettings(source="picamera2:0"))
