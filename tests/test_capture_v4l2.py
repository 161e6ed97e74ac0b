"""A CI machine has no camera, so these tests cover what is refused."""

import os
from pathlib import Path

import pytest

from edge.capture.registry import open_camera
from edge.capture.v4l2 import check_device, device_path, devices_found
from edge.config.camera import CameraSettings
from edge.errors import CameraError


def test_a_device_is_named_by_path_or_by_number():
    assert device_path("v4l2:3") == Path("/dev/video3")
    assert device_path("v4l2:/dev/v4l/by-id/usb-door") == Path("/dev/v4l/by-id/usb-door")
    assert device_path("v4l2:front door") is None


def test_a_missing_device_lists_those_there_are(tmp_path):
    with pytest.raises(CameraError, match=r"/dev/video99: no such camera\. This machine has"):
        open_camera(CameraSettings(source="v4l2:99"))
    for number, name in ((10, "codec"), (0, "HD Webcam")):
        (tmp_path / f"video{number}").mkdir()
        (tmp_path / f"video{number}" / "name").write_text(name + "\n")
    assert devices_found(tmp_path) == "This machine has v4l2:/dev/video0 (HD Webcam), v4l2:/dev/video10 (codec)"


def test_what_is_no_camera_is_refused(tmp_path):
    (tmp_path / "video0").write_text("")
    with pytest.raises(CameraError, match="not a camera device"):
        open_camera(CameraSettings(source=f"v4l2:{tmp_path}/video0"))
    with pytest.raises(CameraError, match="/dev/null: cannot be opened for video; another program may be using it"):
        open_camera(CameraSettings(source="v4l2:/dev/null"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every device")
def test_a_forbidden_device_names_the_group():
    with pytest.raises(CameraError, match="must be in the group `video`"):
        check_device(Path("/dev/mem"))
