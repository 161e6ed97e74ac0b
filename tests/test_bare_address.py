"""An address without its scheme is no file that does not exist: what is meant is said, and no login is shown."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from converter.__main__ import main as converter
from edge.bare_address import address_meant, hint
from edge.capture.registry import describe, open_camera
from edge.config.camera import is_recording
from edge.config.loading import load_config
from edge.errors import ConfigError
from support.portraits import whosthere

MEANT = {
    "192.168.1.5/stream": "rtsp://192.168.1.5/...",
    "192.168.1.5": "rtsp://192.168.1.5",
    "192.168.1.5:554/Streaming/Channels/101": "rtsp://192.168.1.5:554/...",
    "192.168.1.5:8080/video": "http://192.168.1.5:8080/...",
    "192.168.1.5:443/video": "https://192.168.1.5:443/...",
    "bob:hunter2@192.168.1.5/stream": "rtsp://192.168.1.5/...",
    "bob:hunter2@cam/stream?token=hunter2": "rtsp://cam/...",
    "//192.168.1.5/hunter2": "rtsp://192.168.1.5/...",
    "rtsp:/192.168.1.5/stream": "rtsp://192.168.1.5/...",
    "rtsp//cam/stream": "rtsp://cam/...",
    "http:cam.lan/video.mjpg": "http://cam.lan/...",
    "camera.local/stream": "rtsp://camera.local/...",
    "localhost:8554/door": "rtsp://localhost:8554/...",
    "door:8554/live": "rtsp://door:8554/...",
    "[fe80::1%eth0]/stream": "rtsp://[fe80::1%eth0]/...",
    "[::1]:554": "rtsp://[::1]:554",
}
FILES = (
    "clip.mp4",
    "no/such/clip.mp4",
    "~/clips",
    "../clips",
    "/var/clip.mp4",
    "clips.d/a.mp4",
    "v1.2.mp4",
    "holiday",
    "",
)


@pytest.mark.parametrize("source", MEANT)
def test_the_camera_says_what_is_meant(source: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"camera: {{source: '{source}'}}\n")
    camera = load_config(config).config.camera
    with pytest.raises(ConfigError, match=r"camera\.source: found .*did you mean `") as raised:
        open_camera(camera)
    assert f"did you mean `{MEANT[source]}`?" in str(raised.value)
    assert "hunter2" not in str(raised.value) + describe(camera)


@pytest.mark.parametrize("source", FILES)
def test_files_stay_files(source: str) -> None:
    assert address_meant(source) is None


def test_what_is_there_is_a_file_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "192.168.1.5").mkdir()
    (tmp_path / "config.yaml").write_text("camera: {source: 192.168.1.5}\n")
    source = load_config(tmp_path / "config.yaml").config.camera.source
    assert source == str(tmp_path / "192.168.1.5")
    assert is_recording(source)


@pytest.mark.parametrize(
    "given", ["rtsp://cam/stream", "192.168.1.5/stream", "http://192.168.1.5:8080/video", "v4l2:99"]
)
def test_commands_that_read_files_say_where_a_camera_goes(given: str, tmp_path: Path, demo_gallery: Path) -> None:
    said = "if you mean a camera, "
    for words in (
        ("identify", "--gallery", demo_gallery, given),
        ("enroll", "--gallery", tmp_path / "new.whg", "--person", "Ada", given),
        ("bench", given),
    ):
        done = whosthere(*words)
        assert done.exit_code != 0
        assert said in " ".join(done.output.split()), (words, done.output)


def test_a_device_is_no_host() -> None:
    assert hint("v4l2:/dev/video0").endswith("if you mean a camera, put v4l2:/dev/video0 in camera.source")
    assert "hunter2" not in hint("v4l2:bob:hunter2@192.168.1.5")


def test_the_converter_says_so_too(tmp_path: Path) -> None:
    for words in (["enroll", "192.168.1.5/people", "-o", "x.whg"], ["evaluate", "--images", "rtsp://cam/x"]):
        done = CliRunner().invoke(converter, words)
        assert done.exit_code != 0
        assert "if you mean a camera" in " ".join(done.output.split()), (words, done.output)


@given(st.text(max_size=60))
@example("bob:hunter2@192.168.1.5/x")
def test_no_text_makes_it_fail_or_show_what_precedes_an_at(text: str) -> None:
    meant = address_meant(text)
    if meant is not None:
        assert "@" not in meant
        assert "?" not in meant
