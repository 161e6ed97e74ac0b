"""A recorder and whosthere on one camera: `make test-recorder`. Real RTSP and H.264; GStreamer stands in for mediamtx.

The recorder takes the large stream, as it comes, into a file, and whosthere the small one; or both take the only one.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records import Image
from support.broker import Listener, running_broker
from support.daemon import TOPIC, running, visits, write_config
from support.portraits import OBAMA, read_picture
from support.publishing import until
from support.rtsp import RtspServer, why_not

ENOUGH_BYTES = 60_000
RECORD = """
import sys, gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst
Gst.init(None)
line = "rtspsrc location={} protocols=tcp ! rtph264depay ! h264parse ! matroskamux streamable=true"
line += " ! filesink location={} buffer-mode=unbuffered"
Gst.parse_launch(line.format(*sys.argv[1:])).set_state(Gst.State.PLAYING)
GLib.MainLoop().run()
"""

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@contextmanager
def owner(picture: Path) -> Iterator[str]:
    """The program that owns the camera; the address of its streams."""
    script = Path(__file__).parent / "support" / "camera_owner.py"
    process = subprocess.Popen(["/usr/bin/python3", str(script), str(picture)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"rtsp://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def recorder(address: str, file: Path) -> Iterator[None]:
    """Writes a stream into a Matroska file without decoding it, as recorders do."""
    process = subprocess.Popen(["/usr/bin/python3", "-c", RECORD, address, str(file)], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def recorded(file: Path) -> tuple[int, tuple[int, int]]:
    """The number of pictures in a file, and their width and height."""
    video = cv2.VideoCapture(str(file))
    count, size = 0, (0, 0)
    while True:
        more, image = video.read()
        if not more:
            return count, size
        count, size = count + 1, (image.shape[1], image.shape[0])


def widescreen(image: Image) -> Image:
    """The picture in the middle of one of 1280x720."""
    scale = 720 / image.shape[0]
    small = cv2.resize(image, (round(image.shape[1] * scale), 720))
    left = (1280 - small.shape[1]) // 2
    grey = (90, 90, 90)
    return np.asarray(
        cv2.copyMakeBorder(small, 0, 0, left, 1280 - small.shape[1] - left, cv2.BORDER_CONSTANT, value=grey), np.uint8
    )


@pytest.mark.slow
def test_one_program_owns_the_camera_and_serves_a_recorder_and_whosthere(tmp_path: Path, demo_gallery: Path) -> None:
    picture = tmp_path / "visitor.jpg"
    cv2.imwrite(str(picture), widescreen(read_picture(OBAMA)))
    file = tmp_path / "recorded.mkv"
    with (
        owner(picture) as address,
        recorder(f"{address}/main", file),
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as home,
        running(write_config(tmp_path, broker, demo_gallery, camera={"source": f"{address}/second", "realtime": True})),
    ):
        home.wait(lambda: any(event["event_type"] == "recognized" for event in visits(home)))
        size = file.stat().st_size
        until(lambda: file.stat().st_size > size + ENOUGH_BYTES)
    [name] = {event["person_name"] for event in visits(home) if event["event_type"] == "recognized"}
    assert name == "Barack Obama"
    count, shape = recorded(file)
    assert count > 15 and shape == (1280, 720)


def test_two_programs_read_one_rtsp_doorbell(tmp_path: Path, demo_gallery: Path) -> None:
    file, doorbell = tmp_path / "recorded.mkv", RtspServer()
    address = f"rtsp://127.0.0.1:{doorbell.port}/door"
    try:
        with (
            recorder(address, file),
            running_broker(tmp_path / "broker") as broker,
            Listener(broker) as home,
            running(write_config(tmp_path, broker, demo_gallery, camera={"source": address, "realtime": True})),
        ):
            home.wait_for(f"{TOPIC}/camera", b"online")
            until(lambda: file.exists() and file.stat().st_size > ENOUGH_BYTES)
            size = file.stat().st_size
            home.wait_for(f"{TOPIC}/health", count=len(home.on(f"{TOPIC}/health")) + 3)
            until(lambda: file.stat().st_size > size)
    finally:
        doorbell.stop()
    count, shape = recorded(file)
    assert count > 15 and shape == (320, 240)
