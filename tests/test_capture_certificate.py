"""Cameras over TLS: a pinned certificate is checked before a login is sent, for pictures, MJPEG and RTSP."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest

from edge.capture import certificate
from edge.capture.certificate import KEY, fetch, fingerprint
from edge.capture.registry import open_camera
from edge.capture.stream import address_of
from edge.capture.video_io import open_address
from edge.config.camera import CameraSettings
from edge.config.loading import load_config
from edge.errors import CameraError, ConfigError
from edge.inspection.doctor import Doctor
from edge.inspection.findings import CheckStatus
from edge.inspection.surroundings import camera_finding
from support import rtsp
from support.capture_helpers import MjpegServer, number_of
from support.self_signed import CameraCertificate, self_signed, signed_by_another

PATHS = ("snapshot.jpg", "stream")
Serve = Callable[[CameraCertificate], MjpegServer]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> CameraCertificate:
    return self_signed(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> CameraCertificate:
    return self_signed(tmp_path_factory.mktemp("strange"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[MjpegServer] = []

    def started(of: CameraCertificate, login: str = "bob:hunter2") -> MjpegServer:
        servers.append(MjpegServer(login, certificate=of.context))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


def skip_unless_checked(path: str) -> None:
    """OpenCV 4.11, which comes with tflite-runtime, checks no certificates of streams, and `whosthere` then refuses."""
    if path != "snapshot.jpg" and not certificate.ffmpeg_checks("https"):
        pytest.skip(f"OpenCV {cv2.__version__} checks no certificates")


def settings(port: int, path: str, pinned: str | None, scheme: str = "https") -> CameraSettings:
    source = f"{scheme}://bob:hunter2@127.0.0.1:{port}/{path}"
    return CameraSettings(source=source, certificate_sha256=pinned, fps=50.0, open_timeout_s=5.0, read_timeout_s=5.0)


@pytest.mark.parametrize("path", PATHS)
def test_a_camera_with_the_pinned_certificate_is_read(path: str, own: CameraCertificate, serve: Serve) -> None:
    skip_unless_checked(path)
    camera = open_camera(settings(serve(own).port, path, own.fingerprint))
    assert number_of(camera.read().image) == 1
    camera.close()


@pytest.mark.parametrize("path", PATHS)
def test_another_certificate_is_refused_and_gets_no_login(
    path: str, own: CameraCertificate, strange: CameraCertificate, serve: Serve
) -> None:
    skip_unless_checked(path)
    server = serve(strange)
    with pytest.raises(CameraError, match=f"{strange.fingerprint}; allowed by {KEY}: {own.fingerprint}") as raised:
        open_camera(settings(server.port, path, own.fingerprint))
    assert server.logins == []
    assert "hunter2" not in str(raised.value)


def test_a_certificate_that_changes_while_a_camera_is_polled_is_refused(
    own: CameraCertificate, strange: CameraCertificate, serve: Serve
) -> None:
    server = serve(own)
    camera = open_camera(settings(server.port, "snapshot.jpg", own.fingerprint))
    camera.read()
    own.context.load_cert_chain(strange.file, strange.file.with_suffix(".key"))
    try:
        asked = len(server.logins)
        with pytest.raises(CameraError, match="allowed by"):
            camera.read()
        assert len(server.logins) == asked
    finally:
        own.context.load_cert_chain(own.file, own.file.with_suffix(".key"))
        camera.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", [str.lower, lambda text: text.replace(":", "")])
def test_a_fingerprint_may_be_written_in_several_forms(
    path: str, form: Callable[[str], str], own: CameraCertificate, serve: Serve
) -> None:
    skip_unless_checked(path)
    open_camera(settings(serve(own).port, path, form(own.fingerprint))).close()


def test_a_stream_whose_certificate_ffmpeg_cannot_check_says_so(tmp_path: Path, serve: Serve) -> None:
    skip_unless_checked("stream")
    signed = signed_by_another(tmp_path)
    server = serve(signed)
    with pytest.raises(
        CameraError, match=r"FFmpeg does not accept it: unable to get.* issuer certificate; give the camera"
    ):
        open_camera(settings(server.port, "stream", signed.fingerprint))
    open_camera(settings(server.port, "snapshot.jpg", signed.fingerprint)).close()


def test_without_a_ffmpeg_that_checks_a_stream_is_refused(
    own: CameraCertificate, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "ffmpeg_checks", lambda _: False)
    server = serve(own)
    with pytest.raises(CameraError, match="opens streams without checking their certificates"):
        open_camera(settings(server.port, "stream", own.fingerprint))


def test_opencv_5_checks() -> None:
    checks = cv2.__version__ >= "5"
    assert [certificate.ffmpeg_checks(scheme) for scheme in ("https", "rtsps")] == [checks, checks]


def test_a_ffmpeg_that_ignores_the_trusted_file_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(address: str, options: list[int], *, trusted: Path) -> cv2.VideoCapture:
        return open_address(address, options)

    monkeypatch.setattr(certificate, "open_address", trusting)
    assert not certificate.ffmpeg_checks.__wrapped__("https")
    assert not certificate.ffmpeg_checks.__wrapped__("rtsps")


def test_options_of_the_owner_for_ffmpeg_stay(
    own: CameraCertificate, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_checked("stream")
    name = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    open_camera(settings(serve(own).port, "stream", own.fingerprint)).close()
    assert name not in os.environ
    monkeypatch.setenv(name, "rtsp_transport;udp")
    open_camera(settings(serve(own).port, "stream", own.fingerprint)).close()
    assert os.environ[name] == "rtsp_transport;udp"


@pytest.mark.parametrize("path", PATHS)
def test_check_shows_the_fingerprint_to_pin(path: str, own: CameraCertificate, serve: Serve) -> None:
    skip_unless_checked(path)
    server = serve(own)
    server.current = 9
    finding = camera_finding(settings(server.port, path, None))
    assert finding.verdict is CheckStatus.WARNING
    assert "the camera's certificate is not checked" in finding.found
    assert f'set {KEY}: "{own.fingerprint}"' in finding.advice
    assert camera_finding(settings(server.port, path, own.fingerprint)).verdict is CheckStatus.OK


def test_doctor_says_that_it_is_not_checked_and_keeps_the_fingerprint_out_of_reports(
    tmp_path: Path, own: CameraCertificate, serve: Serve
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"camera:\n  source: https://127.0.0.1:{serve(own).port}/stream\n")
    (hint,) = [hint for hint in Doctor(config).report().hints if "certificate" in hint]
    assert "`whosthere check` shows the fingerprint" in hint
    assert own.fingerprint not in hint


def test_the_fingerprint_is_the_one_that_openssl_shows(own: CameraCertificate, serve: Serve) -> None:
    address = address_of(settings(serve(own).port, "stream", None))
    asked = ["openssl", "x509", "-in", own.file, "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert shown.strip().endswith(f"={fingerprint(fetch(address, 5.0))}")


@pytest.mark.parametrize("text", ["AB:CD", "sha256:" + "AB" * 32, "AB" * 31, "GG" * 32, "AB:" * 32, "AB" * 32 + "\n"])
def test_a_fingerprint_of_another_form_is_refused_in_words(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"camera: {{source: 'https://cam/x', certificate_sha256: {json.dumps(text)}}}\n")
    with pytest.raises(ConfigError, match=r"camera.certificate_sha256: .*allowed: .*64 hexadecimal digits"):
        load_config(config)


@pytest.mark.parametrize("source", ["http://cam/x", "rtsp://cam/x", "v4l2:0", "clip.mp4"])
def test_a_fingerprint_for_a_camera_without_tls_is_refused(tmp_path: Path, source: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"camera: {{source: '{source}', certificate_sha256: {'AB' * 32}}}\n")
    with pytest.raises(ConfigError, match=r"certificate_sha256: found with a camera.source that does not use TLS"):
        load_config(config)


@pytest.mark.skipif(rtsp.why_not() is not None, reason=rtsp.why_not() or "")
def test_rtsp_over_tls(own: CameraCertificate, strange: CameraCertificate) -> None:
    skip_unless_checked("stream")
    server = rtsp.RtspServer()
    lines = [rtsp.Line(server.port, each.context) for each in (own, strange)]
    try:
        camera = open_camera(settings(lines[0].port, "door", own.fingerprint, "rtsps"))
        assert camera.read().image.shape == (240, 320, 3)
        camera.close()
        with pytest.raises(CameraError, match="allowed by"):
            open_camera(settings(lines[1].port, "door", own.fingerprint, "rtsps"))
    finally:
        server.stop()
        for line in lines:
            line.close()
