import cv2
import pytest

from edge.capture.registry import describe, open_camera
from edge.config.camera import CameraSettings, is_recording
from edge.errors import CameraError, ConfigError
from support.capture_helpers import number_of, numbered, write_video


def test_files_and_folders_are_recordings(tmp_path):
    write_video(tmp_path / "v4l2:clip.avi", frames=2)
    cv2.imwrite(str(tmp_path / "0.png"), numbered(0))
    for path in (tmp_path, tmp_path / "0.png", tmp_path / "v4l2:clip.avi"):
        settings = CameraSettings(source=str(path))
        assert is_recording(settings)
        assert describe(settings) == str(path)
        camera = open_camera(settings)
        assert number_of(camera.read().image) == 0
        camera.close()


@pytest.mark.parametrize("source", ["picamera2:0", "v4l2:0", "rtsp://cam/x", "https://cam/x", "srt://cam", "/dev/null"])
def test_cameras_are_no_recordings(source):
    assert not is_recording(CameraSettings(source=source))


@pytest.mark.parametrize("source", ["", "picamera2:", "picamera2:zero", "v4l2:video0", "usb:0", "srt://cam/x"])
def test_an_unknown_source_is_told_the_allowed_ones(source):
    with pytest.raises(
        ConfigError, match=r"camera\.source: .* is none of .*picamera2:0.*v4l2:.*rtsp:.*folder of images"
    ):
        open_camera(CameraSettings(source=source))


def test_a_bare_device_is_told_its_prefix():
    with pytest.raises(ConfigError, match="did you mean `v4l2:/dev/null`"):
        open_camera(CameraSettings(source="/dev/null"))


def test_a_missing_file_is_an_error_of_the_camera():
    with pytest.raises(CameraError, match=r"no-such\.mp4: no such file"):
        open_camera(CameraSettings(source="no-such.mp4"))
