"""Snapshot addresses: one JPEG per response, polled."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.capture.registry import open_camera
from edge.capture.snapshot import SnapshotCamera
from edge.config.camera import CameraSettings
from edge.errors import CameraError
from edge.inspection.surroundings import camera_finding
from support import bombs
from support.capture_helpers import MjpegServer, number_of


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    server = MjpegServer()
    yield server
    server.close()


def settings(server: MjpegServer, path: str = "snapshot.jpg?token=hunter2", **more: object) -> CameraSettings:
    values = {"fps": 50.0, "open_timeout_s": 5.0, "read_timeout_s": 2.0} | more
    return CameraSettings(source=f"http://127.0.0.1:{server.port}/{path}", **values)  # type: ignore[arg-type]


def test_a_snapshot_address_is_polled_at_its_pace(server: MjpegServer) -> None:
    camera = open_camera(settings(server, fps=20.0))
    assert isinstance(camera, SnapshotCamera)
    began = time.monotonic()
    assert [number_of(camera.read().image) for _ in range(5)] == [1] * 5
    assert time.monotonic() - began >= 0.19
    assert server.unchanged == 4
    server.current = 9
    assert number_of(camera.read().image) == 9
    camera.close()


def test_check_tries_more_than_one_frame(server: MjpegServer) -> None:
    finding = camera_finding(settings(server))
    assert "160 x 120" in str(finding)
    assert server.connections >= 4


def test_a_snapshot_address_with_a_login(tmp_path: Path) -> None:
    server = MjpegServer("bob:s3:c@r/t")
    (tmp_path / "password").write_text("s3:c@r/t\n")
    login = {"username": "bob", "password_file": str(tmp_path / "password")}
    camera = open_camera(settings(server, **login))
    assert number_of(camera.read().image) == 1
    camera.close()
    server.close()


def test_a_camera_that_goes_away_is_reported_without_its_secrets(server: MjpegServer) -> None:
    camera = open_camera(settings(server))
    camera.read()
    server.close()
    with pytest.raises(CameraError, match=r"/\.\.\.: delivers no picture") as raised:
        camera.read()
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("film", "message"),
    [
        (bombs.jpeg(16000, 16000), "256 megapixels; allowed: 36 megapixels"),
        (b"<html>", "can be decoded; allowed: JPEG"),
        (b"\xff\xd8\xff", "can be decoded"),
        (b"", "can be decoded"),
    ],
)
def test_an_answer_that_is_no_picture_of_a_camera_is_refused(film: bytes, message: str) -> None:
    server = MjpegServer(film=[film])
    try:
        with pytest.raises(CameraError, match=message):
            open_camera(settings(server)).read()
    finally:
        server.close()
