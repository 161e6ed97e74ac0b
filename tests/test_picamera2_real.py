"""picamera2 and libcamera themselves, on libcamera's virtual camera with our faces: `make test-picamera2`."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edge
from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, Daemon, decoded, running, write_config
from support.nspawn import stalled_threads
from support.portraits import BIDEN, OBAMA_2010, analyser, read_picture
from tools.bench.scenes import noisy, porch

ROOT = os.environ.get("WHOSTHERE_PICAMERA2")
pytestmark = [
    pytest.mark.skipif(ROOT is None, reason="needs a Debian with libcamera's virtual camera: `make test-picamera2`"),
    pytest.mark.timeout(900),
]
SUPPORT = Path(__file__).with_name("support")
SIZE = (640, 480)
WAIT_S = 120.0
PICTURES = 30
IDLE_S = 30.0
CAMERAS = """\
"Virtual0":
  supported_formats:
  - {width: 640, height: 480, frame_rates: [10]}
  frames: {path: /opt/faces, scale_mode: fill}
  location: CameraLocationFront
  model: Virtual Camera
"""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """The Debian, with this checkout, the pictures and what stands in for a Pi's memory."""
    found = Path(str(ROOT))
    shutil.rmtree(found / "opt/whosthere", ignore_errors=True)
    shutil.copytree(Path(edge.__file__).parent, found / "opt/whosthere/edge")
    shutil.copy(SUPPORT / "virtual_camera.py", found / "opt")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", found / "opt/heapshim.so", SUPPORT / "heapshim.c", "-ldl"], check=True
    )
    virtual = found / "usr/share/libcamera/pipeline/virtual"
    virtual.mkdir(parents=True, exist_ok=True)
    (virtual / "virtual.yaml").write_text(CAMERAS)
    show(found, BIDEN)
    (found / "tmp/unplugged").unlink(missing_ok=True)
    subprocess.run(["mount", "-t", "proc", "proc", found / "proc"], check=True)
    yield found
    subprocess.run(["umount", found / "proc"], check=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


def show(root: Path, portrait: Path) -> None:
    """Somebody stands before the camera from its next opening on; it shows its pictures as fast as it can."""
    folder = root / "opt/faces"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    noise = np.random.default_rng(6)
    porch = cv2.GaussianBlur(noise.integers(60, 190, (SIZE[1], SIZE[0], 3), np.uint8), (0, 0), 15)
    whole = read_picture(portrait)
    box = analyser().detector.detect(whole)[0].box
    side, x, y = round(1.6 * box.height), round(box.left + box.right) // 2, round(box.top + box.bottom) // 2
    face = cv2.resize(whole[max(0, y - side // 2) :, max(0, x - side // 2) :][:side, :side], (260, 260))
    for i in range(PICTURES):
        image = porch.copy()
        image[100:360, 180 + i % 5 : 440 + i % 5] = face
        cv2.imwrite(str(folder / f"{i}.jpg"), image)


def show_nobody(root: Path) -> None:
    """An empty porch before the camera, with a sensor's noise."""
    folder = root / "opt/faces"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for i, picture in enumerate(noisy(porch(*SIZE), PICTURES)):
        cv2.imwrite(str(folder / f"{i}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 98])


def inside(root: Path) -> list[str]:
    paths = ["LD_PRELOAD=/opt/heapshim.so", "PYTHONPATH=/opt/whosthere:/opt/site", "LIBCAMERA_LOG_LEVELS=*:WARN"]
    return ["chroot", str(root), "env", *paths, "PYTHONDONTWRITEBYTECODE=1", "python3", "/opt/virtual_camera.py"]


def configured(root: Path, broker: Broker, gallery: Path, **runtime: Any) -> str:
    for left in (root / "root").glob("outbox*"):
        left.unlink()
    (root / "tmp/threads").unlink(missing_ok=True)
    shutil.copy(gallery, root / "root/gallery.whg")
    camera = {"source": "picamera2:0", "width": SIZE[0], "height": SIZE[1], "preview_width": 320, "read_timeout_s": 2.0}
    camera |= {"reopen_max_s": 2.0}
    write_config(root / "root", broker, Path("gallery.whg"), camera=camera, runtime=runtime)
    return "/root/config.yaml"


@contextlib.contextmanager
def at_the_door(root: Path, broker: Broker, gallery: Path, **runtime: Any) -> Iterator[Daemon]:
    config = configured(root, broker, gallery, **runtime)
    with running(Path(config), program=inside(root)) as daemon:
        yield daemon


def named(listener: Listener) -> list[str]:
    events = [decoded(message) for message in listener.on(f"{TOPIC}/visit")]
    return [event["person_name"] for event in events if event["event_type"] == "recognized"]


@pytest.mark.parametrize(("portrait", "name"), [(OBAMA_2010, "Barack Obama"), (BIDEN, "Joe Biden")])
def test_names_come_out_of_libcamera(root: Path, broker: Broker, demo_gallery: Path, portrait: Path, name: str) -> None:
    show(root, portrait)
    with Listener(broker) as listener, at_the_door(root, broker, demo_gallery) as daemon:
        listener.wait(lambda: bool(named(listener)), WAIT_S)
        health = decoded(listener.wait_for(f"{TOPIC}/health", count=2))
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log
    print(f"{portrait.name}: {named(listener)}, {health['fps']} frames a second looked at")
    assert named(listener) == [name]


def test_another_program_that_holds_the_camera_is_told(root: Path, broker: Broker, demo_gallery: Path) -> None:
    configured(root, broker, demo_gallery)
    (root / "tmp/held").touch()
    command = [*inside(root), "check", "--config", "/root/config.yaml", "--skip", "broker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (root / "tmp/held").unlink()
    [told] = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    print(told)
    assert done.returncode == 5
    assert "picamera2:0: cannot be opened: " in told
    assert "busy. Another program may be using it, or this user is not in the group `video`" in told


def test_a_camera_that_is_unplugged_comes_back(root: Path, broker: Broker, demo_gallery: Path) -> None:
    with Listener(broker) as listener, at_the_door(root, broker, demo_gallery) as daemon:
        listener.wait(lambda: bool(named(listener)), WAIT_S)
        (root / "tmp/unplugged").touch()
        listener.wait_for(f"{TOPIC}/camera", b"offline")
        daemon.wait_for_log("delivered no frame for 2 s; check the ribbon cable; retrying until it is back")
        before = len(named(listener))
        (root / "tmp/unplugged").unlink()
        daemon.wait_for_log("picamera2:0: delivers frames again after")
        listener.wait(lambda: len(named(listener)) > before, WAIT_S)
        assert daemon.log.count("WARNING") == 1, "told once"
    print("\n".join(line for line in daemon.log.splitlines() if "picamera2:0" in line))


def libcameras_own(pid: int, python: Path) -> set[int]:
    """The thread that makes frames all the time; what else is not Python's waits for work of a network."""
    busy = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
    for _ in range(10):
        time.sleep(0.1)
        there = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()}
        idle = {thread for thread in busy & there if "futex" in Path(f"/proc/{pid}/task/{thread}/wchan").read_text()}
        busy = busy & there
        busy -= idle | {int(thread) for thread in python.read_text().split()}
    return busy


def test_a_hang_inside_libcamera_ends_the_process_so_that_it_is_started_again(
    root: Path, broker: Broker, demo_gallery: Path
) -> None:
    with Listener(broker) as listener:
        with at_the_door(root, broker, demo_gallery, stall_s=6.0) as daemon:
            listener.wait(lambda: bool(named(listener)), WAIT_S)
            own = libcameras_own(daemon.pid, root / "tmp/threads")
            assert own
            with stalled_threads(daemon.pid, own):
                daemon.wait_for_log("(most recent call first)")
            assert daemon.wait() == -signal.SIGALRM
        print("\n".join(line for line in daemon.log.splitlines() if "picamera" in line))
        before = len(named(listener))
        with at_the_door(root, broker, demo_gallery):
            listener.wait(lambda: len(named(listener)) > before, WAIT_S)


def pythons_cpu_s(pid: int, python: Path) -> float:
    """What Python's threads have used, picamera2's among them. libcamera's, which make the pictures, are left out."""
    stats = [Path(f"/proc/{pid}/task/{thread}/stat") for thread in python.read_text().split()]
    fields = [stat.read_text().rpartition(")")[2].split() for stat in stats]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def test_an_empty_porch_is_no_visit_and_its_cost_is_printed(root: Path, broker: Broker, demo_gallery: Path) -> None:
    """Ten pictures per second."""
    show_nobody(root)
    (root / "tmp/paced").touch()
    try:
        with Listener(broker) as listener, at_the_door(root, broker, demo_gallery) as daemon:
            listener.wait_for(f"{TOPIC}/health", count=2)
            began, before = time.monotonic(), pythons_cpu_s(daemon.pid, root / "tmp/threads")
            time.sleep(IDLE_S)
            used = (pythons_cpu_s(daemon.pid, root / "tmp/threads") - before) / (time.monotonic() - began)
            health = decoded(listener.wait_for(f"{TOPIC}/health", count=3))
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.log
    finally:
        (root / "tmp/paced").unlink()
    print(f"an empty porch: {used:.2%} of a core, {health['fps']} pictures a second, load {os.getloadavg()[0]:.1f}")
    assert health["fps"] > 0
    assert not listener.on(f"{TOPIC}/visit")
