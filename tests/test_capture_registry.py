from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture import registry
from edge.capture.camera import CameraKind, FoundCamera
from edge.capture.registry import describe, discover_cameras, open_camera
from edge.config.camera import CameraSettings, is_recording
from edge.config.loading import load_config
from edge.errors import CameraError, ConfigError
from edge.frame import Frame
from edge.inspection.issue import private_words
from edge.inspection.surroundings import camera_finding
from edge.records import read_only
from support.capture_helpers import number_of, numbered, write_video
from support.portraits import whosthere


def test_files_and_folders_are_recordings(tmp_path):
    write_video(tmp_path / "v4l2:clip.avi", frames=2)
    cv2.imwrite(str(tmp_path / "0.png"), numbered(0))
    for path in (tmp_path, tmp_path / "0.png", tmp_path / "v4l2:clip.avi"):
        settings = CameraSettings(source=str(path))
        assert is_recording(settings.source)
        assert describe(settings) == str(path)
        camera = open_camera(settings)
        assert number_of(camera.read().image) == 0
        camera.close()


@pytest.mark.parametrize("source", ["picamera2:0", "v4l2:0", "rtsp://cam/x", "https://cam/x", "srt://cam", "/dev/null"])
def test_cameras_are_no_recordings(source):
    assert not is_recording(source)


@pytest.mark.parametrize("source", ["", "picamera2:", "picamera2:zero", "v4l2:video0", "usb:0", "srt://cam/x"])
def test_an_unknown_source_is_told_the_allowed_ones(source):
    with pytest.raises(
        ConfigError, match=r"camera\.source: found .*; allowed: .*picamera2:0.*v4l2:.*rtsp:.*folder of images"
    ):
        open_camera(CameraSettings(source=source))


def test_a_bare_device_is_told_its_prefix():
    with pytest.raises(ConfigError, match="did you mean `v4l2:/dev/null`"):
        open_camera(CameraSettings(source="/dev/null"))


def test_a_missing_file_is_an_error_of_the_camera():
    with pytest.raises(CameraError, match=r"no-such\.mp4: no such file"):
        open_camera(CameraSettings(source="no-such.mp4"))


class PatternCamera:
    """What a new kind of camera would be: a test picture."""

    live = True

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings

    def read(self) -> Frame:
        picture = read_only(np.full((self._settings.height, self._settings.width, 3), 90, np.uint8))
        return Frame(picture, picture, 1.0)

    def close(self) -> None:
        pass


PATTERN = CameraKind(
    forms="`pattern:bars`",
    takes=lambda source: source.startswith("pattern:"),
    open=PatternCamera,
    discover=lambda: [FoundCamera("pattern:bars", "Test picture")],
    shown=lambda source: source.partition("@")[0],
    suggest=lambda source: "pattern:bars" if source == "bars:" else None,
)


def test_a_kind_is_added_by_its_entry_in_the_registry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KINDS", (PATTERN, *registry.KINDS))
    settings = CameraSettings(source="pattern:bars@secret", width=320, height=200)

    assert describe(settings) == "pattern:bars"
    assert open_camera(settings).read().image.shape == (200, 320, 3)
    assert camera_finding(settings).found.startswith("pattern:bars: 320 x 200")
    assert FoundCamera("pattern:bars", "Test picture") in discover_cameras()
    with pytest.raises(ConfigError, match=r"allowed: `pattern:bars`, `picamera2:0`.*did you mean `pattern:bars`\?"):
        open_camera(CameraSettings(source="bars:"))

    config = tmp_path / "config.yaml"
    config.write_text("camera: {source: pattern:bars@secret}\n")
    assert private_words(load_config(config))["pattern:bars@secret"] == "<camera address>"
    config.unlink()
    done = whosthere("setup", "--config", config, typed="door\n1\n")
    assert "1  pattern:bars  Test picture" in done.output
    assert "pattern:bars: 1280 x 720" in done.output
