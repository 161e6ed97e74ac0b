"""Network cameras, against a real HTTP server in this process and a real RTSP server next to it."""

import itertools
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capture.address import parse
from edge.capture.registry import describe, notice, open_camera
from edge.capture.reopening import ReopeningCamera
from edge.capture.stream import address_of
from edge.config.camera import CameraSettings
from edge.errors import CameraError, ConfigError
from support import bombs
from support.capture_helpers import MjpegServer, number_of
from support.fuzzing import cases
from support.ports import free_port

PASSWORD = "s3:c@r/t %41#"  # noqa: S105 - every character that means something in an address


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return str(path)


@pytest.fixture
def serve():
    servers = []

    def start(login=""):
        servers.append(MjpegServer(login))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def settings_for(url, **more):
    return CameraSettings(source=url, **({"open_timeout_s": 10.0, "read_timeout_s": 2.0} | more))


def test_http_delivers_the_present_and_not_what_lay_in_buffers(serve):
    server = serve()
    camera = open_camera(settings_for(f"http://127.0.0.1:{server.port}/stream"))
    try:
        assert camera.live
        before = time.monotonic()
        frame = camera.read()
        assert before <= frame.captured_at <= time.monotonic()
        assert number_of(frame.image) == 1
        for number in range(2, 25):
            server.current = number
            time.sleep(0.02)
        # Nobody read meanwhile: a queue would now hand out 23 frames before the present one.
        seen = [number_of(camera.read().image) for _ in range(12)]
        assert seen[-1] == 24
    finally:
        camera.close()
        camera.close()


@pytest.mark.parametrize("size", [(16000, 16000), (4000, 100)])
def test_a_camera_that_sends_too_large_pictures_is_refused(serve, size):
    server = serve()
    server.instead = bombs.jpeg(*size)
    with pytest.raises(CameraError, match=rf"/\.\.\.: {size[0]} x {size[1]} pixels found.*; allowed: "):
        open_camera(settings_for(f"http://127.0.0.1:{server.port}/stream"))


def test_a_camera_whose_pictures_become_too_large_is_refused_before_one_is_decoded(serve):
    server = serve()
    camera = open_camera(settings_for(f"http://127.0.0.1:{server.port}/stream"))
    try:
        assert camera.read().image.shape == (120, 160, 3)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        server.instead = bombs.jpeg(16000, 16000)
        with pytest.raises(CameraError, match=r"16000 x 16000 pixels found, 256 megapixels; allowed: 36 megapixels"):
            for _ in range(50):
                camera.read()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    finally:
        camera.close()


def test_a_camera_that_sends_damaged_pictures_now_and_then_goes_on(serve):
    server = serve()
    camera = open_camera(settings_for(f"http://127.0.0.1:{server.port}/stream"))
    try:
        camera.read()
        server.instead = bombs.jpeg(320, 240)[:100]
        time.sleep(0.2)
        server.instead = b""
        server.current = 7
        assert 7 in {number_of(camera.read().image) for _ in range(12)}
    finally:
        camera.close()


def test_http_login_from_the_password_file(serve, password_file):
    server = serve(f"bob:{PASSWORD}")
    camera = open_camera(
        settings_for(f"http://127.0.0.1:{server.port}/stream", username="bob", password_file=password_file)
    )
    assert camera.read().image.shape == (120, 160, 3)
    camera.close()


def test_a_server_that_goes_away_is_noticed_at_once(serve):
    server = serve()
    camera = open_camera(settings_for(f"http://127.0.0.1:{server.port}/stream", read_timeout_s=20.0))
    camera.read()
    server.close()
    # Its own words: after the read time-out they would be others.
    with pytest.raises(CameraError, match="stopped delivering frames"):
        for _ in range(1000):
            camera.read()
    camera.close()


@pytest.mark.parametrize(
    ("path", "login", "message"),
    [
        ("stream", {}, r"requires a login; set camera\.username"),
        ("stream", {"username": "bob"}, "refuses the login"),
    ],
)
def test_http_login_refused(serve, path, login, message):
    server = serve(f"bob:{PASSWORD}")
    with pytest.raises(CameraError, match=message):
        open_camera(settings_for(f"http://127.0.0.1:{server.port}/{path}", **login))


def test_what_stands_in_the_way_is_said(serve):
    server = serve()
    cases = {
        f"http://127.0.0.1:{server.port}/elsewhere": "no stream at this path",
        f"rtsp://127.0.0.1:{free_port()}/door": "nothing listens on 127.0.0.1",
        "rtsp://camera.invalid/door": "the name camera.invalid is not known",
    }
    for url, message in cases.items():
        with pytest.raises(CameraError, match=message):
            open_camera(settings_for(url))


def test_a_server_that_never_answers_costs_the_open_time_out():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(CameraError, match=r"sent no video within 0\.5 s"),
    ):
        open_camera(settings_for(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/door", open_timeout_s=0.5))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://bob:hunter2@cam.local/stream1", "rtsp://cam.local:554/..."),
        ("RTSP://bob:hun%23t@er%3F2@Cam.local:8554/a", "rtsp://cam.local:8554/..."),
        ("rtsp://bob:hunter2@cam/", "rtsp://cam:554/"),
        ("http://cam/video?user=bob&password=hunter2", "http://cam:80/..."),
        ("rtsp://cam?user=bob&password=hun@ter2", "rtsp://cam:554/..."),
        ("rtsp://cam#hunter2@x", "rtsp://cam:554"),
        ("rtsp://nvr:7447/hunter2", "rtsp://nvr:7447/..."),
        ("https://[fe80::1]/mjpeg", "https://[fe80::1]:443/..."),
        ("rtsp://[fe80::1%25eth0]:8554/a", "rtsp://[fe80::1%eth0]:8554/..."),
        ("rtsp://bob:hunter2@[FE80::1%eth0]/a", "rtsp://[fe80::1%eth0]:554/..."),
        ("rtsp://[fe80::1%]/a", "rtsp://..."),
        ("rtsp://[fe80::1/a", "rtsp://..."),
        ("rtsp://[hunter2]/a", "rtsp://..."),
        ("rtsp://bob:hunter2@/stream", "rtsp://..."),
        ("rtsp://bob:hun#t@er2@cam/stream", "rtsp://..."),
        ("rtsp://bob:hun/ter2@cam/stream", "rtsp://..."),
        ("rtsp://user=bob&password=hunter2/stream", "rtsp://..."),
        ("rtsp://cam\n.local/hunter2", "rtsp://..."),
        ("srt://bob:hunter2@cam", "srt:..."),
        ("srt://cam?passphrase=hunter2", "srt:..."),
    ],
)
def test_no_form_of_address_shows_a_secret(source, shown):
    assert describe(CameraSettings(source=source)) == shown


_PIECE = st.text(st.sampled_from("abZ19:/?#[]@!$&'()*+,;=%-._~ \t\u00e9"), max_size=4)
_FORMS = st.sampled_from(
    [
        "rtsp://u:{0}@cam/x",
        "rtsp://{0}@cam/x",
        "rtsp://cam/{0}",
        "rtsp://cam?{0}",
        "https://cam/a?user=b&password={0}",
        "http://cam:80/user=a_password={0}_c/x",
        "rtsp://[fe80::1%25e]/{0}",
        "rtsp://u:{0}",
        "rtsp://[{0}]/",
        "rtsp://cam:{0}/x",
        "srt://cam?passphrase={0}",
    ]
)


@pytest.mark.fuzz
@settings(max_examples=cases(300), deadline=None)
@given(form=_FORMS, before=_PIECE, after=_PIECE)
def test_whatever_the_address_no_part_of_a_secret_is_shown(form: str, before: str, after: str) -> None:
    source = form.format(f"{before}=QZQ{after}")
    seen = describe(CameraSettings(source=source))
    try:
        address = parse(source)
        seen += f"{address} {address!r} {address.place} {notice(CameraSettings(source=source))}"
    except ConfigError as error:
        seen += "".join(traceback.format_exception(error))
    assert "QZQ" not in seen
    assert "qzq" not in seen.lower()


def test_unchecked_certificates_are_mentioned():
    assert "certificate is not checked" in notice(CameraSettings(source="https://cam/x"))
    assert "certificate is not checked" in notice(CameraSettings(source="RTSPS://cam/x"))
    assert notice(CameraSettings(source="rtsp://cam/x")) == ""
    assert notice(CameraSettings(source="nonsense://x")) == ""


def test_a_malformed_address_is_a_mistake_in_the_config_and_not_quoted():
    with pytest.raises(ConfigError, match=r"camera\.source: not an address such as") as raised:
        open_camera(settings_for("rtsp://bob:hun ter2@cam:99999/x"))
    assert "ter2" not in str(raised.value)


def test_logins_reach_the_library_encoded_and_the_settings_win(password_file):
    inline = address_of(CameraSettings(source="rtsp://ann:o%40ld%231@cam/x"))
    assert inline.login_url == "rtsp://ann:o%40ld%231@cam:554/x"
    settings = CameraSettings(source="rtsp://ann:old@cam/x", username="bob", password_file=password_file)
    assert address_of(settings).login_url == "rtsp://bob:s3%3Ac%40r%2Ft%20%2541%23@cam:554/x"
    assert "s3" not in repr(address_of(settings))


def test_nothing_prints_the_password_even_when_debugging_is_on():
    program = (
        "import sys\n"
        "from edge.capture.registry import open_camera\n"
        "from edge.config.camera import CameraSettings\n"
        "open_camera(CameraSettings(source=sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, f"rtsp://bob:hunter2@127.0.0.1:{free_port()}/x"]
    debugging = {
        "OPENCV_LOG_LEVEL": "VERBOSE",
        "OPENCV_VIDEOIO_DEBUG": "1",
        "OPENCV_FFMPEG_DEBUG": "1",
        "OPENCV_FFMPEG_LOGLEVEL": "56",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    done = subprocess.run(command, env=debugging, capture_output=True, text=True, check=False)
    assert "CameraError" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_rtsp_with_a_password_and_with_a_wrong_one(rtsp, tmp_path, password_file):
    server = rtsp("bob", PASSWORD)
    url = f"rtsp://127.0.0.1:{server.port}/door"
    camera = open_camera(settings_for(url, username="bob", password_file=password_file))
    frames = [camera.read() for _ in range(5)]
    camera.close()
    assert frames[0].image.shape == (240, 320, 3)
    assert all(b.captured_at > a.captured_at for a, b in itertools.pairwise(frames))
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2\n")
    with pytest.raises(CameraError, match="refuses the login") as raised:
        open_camera(settings_for(url, username="bob", password_file=str(wrong)))
    assert "hunter2" not in str(raised.value)


def test_a_frozen_rtsp_server_is_noticed_within_the_read_time_out(rtsp):
    server = rtsp()
    camera = open_camera(settings_for(f"rtsp://127.0.0.1:{server.port}/door", read_timeout_s=1.0))
    camera.read()
    server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(CameraError, match="delivered no frame for 1 s"):
        for _ in range(1000):
            camera.read()
    camera.close()


def test_an_rtsp_camera_that_is_killed_comes_back(rtsp):
    server = rtsp()
    settings = settings_for(f"rtsp://127.0.0.1:{server.port}/door", reopen_min_s=0.1, reopen_max_s=0.5)
    states, stop = [], threading.Event()
    steady = ReopeningCamera(lambda: open_camera(settings), settings, lambda online, _: states.append(online))
    frames = steady.frames(stop)
    before = next(frames)
    server.stop()
    restart = threading.Timer(1.0, server.start)
    restart.start()
    while states != [True, False, True]:
        frame = next(frames)
        assert frame.captured_at > before.captured_at
        before = frame
    restart.join()
    frames.close()
