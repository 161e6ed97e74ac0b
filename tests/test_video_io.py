"""File names of any bytes reach OpenCV safely, and nothing else gives it a path."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.capture.clip import VideoClip
from edge.capture.video_io import open_address, open_device, open_writer
from edge.errors import ConfigError
from support import rtsp
from support.capture_helpers import write_video
from support.portraits import OBAMA_2009, whosthere

ROOT = Path(edge.__file__).parent.parent
TAKES_A_PATH = re.compile(
    r"cv2\.(imread\w*|imwrite\w*|imcount|VideoCapture|VideoWriter|haveImageReader|haveImageWriter|FileStorage"
    r"|samples|CascadeClassifier|Face\w+_create|readNet\w*|dnn)\("
)
LATIN1 = "ada-\udce9"
"""A name whose bytes are not UTF-8, as Python shows it."""


def test_nothing_else_gives_opencv_a_path() -> None:
    for folder in ("edge", "converter", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            found = TAKES_A_PATH.findall(path.read_text(encoding="utf-8"))
            assert not found or path.name == "video_io.py", f"{path}: {found}: use edge.capture.video_io or bytes"


def test_videos_are_read_and_written_whatever_bytes_their_names_hold(tmp_path: Path) -> None:
    path = tmp_path / f"{LATIN1}.mp4"
    writer = open_writer(path, "mp4v", 10, (64, 48))
    for level in (40, 80, 120):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    assert path.is_file()
    clip = VideoClip(path)
    assert clip.grab() == 0
    assert clip.picture().shape == (48, 64, 3)
    clip.close()


def test_no_link_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write_video(tmp_path / "door.avi").rename(tmp_path / f"{LATIN1}.avi")
    VideoClip(tmp_path / f"{LATIN1}.avi").close()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("address", ["rtsp://127.0.0.1:1/\udce9", "http://127.0.0.1:1/a\0b"])
def test_an_address_that_is_no_text_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"camera\.source"):
        open_address(address)


def test_a_device_of_any_name_may_fail_to_open(tmp_path: Path) -> None:
    assert not open_device(tmp_path / LATIN1).isOpened()


@pytest.mark.parametrize("suffix", [".jpg", "", ".\udcff"])
def test_identify_takes_photos_of_any_name(demo_gallery: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"{LATIN1}{suffix}").write_bytes(OBAMA_2009.read_bytes())
    options = ("--gallery", demo_gallery, "--annotate", tmp_path / "marked")
    done = subprocess.run(
        [sys.executable, "-m", "edge", "identify", *options, tmp_path / f"{LATIN1}{suffix}"],
        capture_output=True,
        check=False,
        env={"LC_ALL": "C.UTF-8", "PATH": ""},
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Barack Obama" in done.stdout
    assert len(list((tmp_path / "marked").iterdir())) == 1


def test_identify_takes_videos_of_any_name(demo_gallery: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "door.avi").rename(tmp_path / f"{LATIN1}.avi")
    done = whosthere(
        "identify", "--gallery", demo_gallery, "--annotate", tmp_path / "marked", tmp_path / f"{LATIN1}.avi"
    )
    assert done.exit_code == 0, done.output
    assert [path.suffix for path in (tmp_path / "marked").iterdir()] == [".mp4"]


@pytest.mark.skipif(rtsp.why_not() is not None, reason=str(rtsp.why_not()))
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="FFmpeg has one thread on one core")
@pytest.mark.parametrize(("size", "several"), [("640x480", False), ("1280x720", False), ("1920x1080", True)])
def test_only_large_streams_are_decoded_on_several_threads(size: str, several: bool) -> None:
    """Each thread beyond the first would hold a frame back."""
    server = rtsp.RtspServer()
    server.stop()
    server.start(size=size)
    before = set(Path("/proc/self/task").iterdir())
    capture = open_address(f"rtsp://127.0.0.1:{server.port}/door")
    try:
        assert all(capture.read()[0] for _ in range(3))
        assert bool(set(Path("/proc/self/task").iterdir()) - before) is several
    finally:
        capture.release()
        server.stop()


def test_a_large_stream_of_jpegs_is_connected_to_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cameras serve one at a time, and FFmpeg decodes none of them."""
    opened = []

    class Capture:
        def get(self, what: int) -> float:
            fourcc = cv2.VideoWriter.fourcc(*"MJPG")
            return {cv2.CAP_PROP_FRAME_WIDTH: 1600, cv2.CAP_PROP_FRAME_HEIGHT: 1200, cv2.CAP_PROP_FOURCC: fourcc}[what]

    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: opened.append(given) or Capture())
    open_address("http://127.0.0.1:1/stream")
    assert len(opened) == 1
