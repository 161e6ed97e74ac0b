"""A first install by somebody at a terminal, on a real Debian box: questions, changes of mind, power cuts; and then
the card is taken away from it: a root that is read-only, logs in memory.

`make test-systemd` makes what WHOSTHERE_BOX holds. The tests share one box and stand in the order of its life.
"""

import json
import re
import shlex
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.demo.box import FOLDER, NAMES
from support.broker import Broker, Listener, running_broker
from support.capture_helpers import MjpegServer
from support.daemon import TOPIC, decoded
from support.nspawn import GALLERY, INSTALL, OUTSIDE, WAIT_S, Box, furnished
from support.terminal import CTRL_C, CTRL_D, Terminal

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1500)]

CAMERA, BROKER, PAGE = "lens cap", "seven ravens", "long enough for a page"
ETC = "/etc/whosthere"
PICAMERA2 = """
import numpy
if not numpy.__version__.startswith("1."):
    raise ValueError("numpy.dtype size changed, may indicate binary incompatibility")
class Picamera2:
    global_camera_info = staticmethod(lambda: [])
"""
QUIET_S = 130
CHANGED = "find / /var/lib/whosthere -xdev -newer /etc/machine-id -type f -printf '%T@ %p\\n' | sort"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with furnished(tmp_path_factory.mktemp("box")) as box:
        with_picamera2_of_numpy_1(box)
        yield box


def with_picamera2_of_numpy_1(box: Box) -> None:
    """On bookworm: stands in for Raspberry Pi OS's picamera2 and its numpy; under numpy 2 it fails as the real one."""
    wheel = next((box.root / "root/whosthere/wheels").glob("numpy-1.*.whl"), None)
    if wheel is None:
        return
    package = box.root / "root/package"
    site = package / "usr/lib/python3/dist-packages"
    with zipfile.ZipFile(wheel) as numpy:
        numpy.extractall(site)
    (site / "picamera2.py").write_text(PICAMERA2)
    (package / "DEBIAN").mkdir()
    fields = ["Package: python3-picamera2", "Version: 0.3.31", "Architecture: all", "Maintainer: x", "Description: x"]
    (package / "DEBIAN/control").write_text("\n".join([*fields, ""]))
    box.run("dpkg-deb -Znone --build /root/package /root/package.deb && dpkg -i /root/package.deb")


@pytest.fixture(scope="module")
def broker(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    users = {"front-door": BROKER, "home": "automation"}
    with running_broker(tmp_path_factory.mktemp("broker"), host="0.0.0.0", users=users) as running:  # noqa: S104  (the box has a network of its own)
        yield running


@pytest.fixture(scope="module")
def film() -> list[bytes]:
    """The demo's clip, of which the first picture shows nobody."""
    video, pictures = cv2.VideoCapture(str(FOLDER / "clip.mp4")), []
    while (read := video.read())[0]:
        pictures.append(cv2.imencode(".jpg", read[1])[1].tobytes())
    return pictures


@pytest.fixture(scope="module")
def camera(box: Box, film: list[bytes]) -> Iterator[MjpegServer]:
    """An HTTP camera. People stay for half a minute, as a busy machine analyses a frame in two seconds."""
    server = MjpegServer(f"doorbell:{CAMERA}", OUTSIDE, film)
    server.film_fps = 3.0
    yield server
    server.close()


def at_a_terminal(box: Box, command: str) -> Terminal:
    """A terminal of the box's own within ours, as over SSH, so that keys reach nobody but the program."""
    return Terminal(box.inside(f"script -qec {shlex.quote(command)} /dev/null"))


def left(box: Box) -> list[str]:
    """Configs, releases and units."""
    there = f"{ETC}/* {ETC}/.c* /opt/whosthere/releases/* /opt/whosthere/current /etc/systemd/system/whosthere*"
    return box.run(f"ls -d {there} 2>/dev/null", ok=False).split()


def test_an_install_that_is_killed_halfway_leaves_what_the_next_one_clears_away(box: Box) -> None:
    box.run(f"setsid {INSTALL} --config /dev/null </dev/null >/root/first.log 2>&1 &")
    box.wait_until("pip is at work", lambda: bool(box.processes("bin/pip")))
    box.kill("systemd/install.sh")
    assert len(left(box)) == 1
    assert box.processes("bin/pip"), "its child goes on"


@pytest.mark.parametrize("how", [CTRL_C, CTRL_D, "hang up"], ids=["Ctrl-C", "Ctrl-D", "hang up"])
def test_questions_that_are_given_up_leave_nothing(box: Box, how: str) -> None:
    with at_a_terminal(box, INSTALL) as terminal:
        terminal.answer("Name of this box", "front-door")
        terminal.wait_for("Camera: ")
        if how == "hang up":
            terminal.hang_up()
            box.wait_until("it has ended", lambda: not box.processes("systemd/install.sh"))
        else:
            terminal.press(how)
            assert terminal.end() != 0
            assert "setup was not finished, so nothing was started; run this again" in terminal.shown
    assert left(box) == []


@contextmanager
def little_memory(box: Box) -> Iterator[None]:
    """As much as a Zero 2 W says that it has."""
    box.run("sed 's/^MemTotal:.*/MemTotal: 426160 kB/' /proc/meminfo > /root/meminfo")
    box.run("mount --bind /root/meminfo /proc/meminfo")
    yield
    box.run("umount /proc/meminfo")


def test_answers_lead_to_a_service_that_watches(box: Box, broker: Broker, camera: MjpegServer) -> None:
    with little_memory(box), at_a_terminal(box, INSTALL) as terminal:
        terminal.answer("Name of this box", "front-door")
        terminal.answer("Camera: ", f"http://{OUTSIDE}:{camera.port}/stream")
        terminal.answer("Login", "doorbell")
        terminal.answer("Password", CAMERA)
        terminal.wait_for("640 x 480")
        terminal.answer("MQTT broker", OUTSIDE)
        terminal.answer("Encrypted", "n")
        terminal.answer("Port", str(broker.port))
        terminal.answer("Login", "front-door")
        terminal.answer("Password", "wrong")
        terminal.answer("Another broker or login?", "y")
        for question in ("MQTT broker", "Encrypted", "Port", "Login"):
            terminal.answer(question, "")
        terminal.answer("Password", BROKER)
        terminal.answer("Password for the box's web page (empty: the page stays off)", PAGE)
        terminal.answer("The same again", PAGE)
        assert terminal.end() == 0, terminal.shown
    print(without_picture(terminal.shown))
    assert terminal.shown.count("\N{UPPER HALF BLOCK}") >= 500
    assert "accepts this box" in terminal.shown
    assert "The web page has a password now; it listens on 127.0.0.1:8480" in terminal.shown
    assert f"sudo whosthere enroll --gallery {GALLERY}" in terminal.shown
    assert "416 MB of memory: the service may use three quarters" in terminal.shown
    assert "MemoryMax=75%" in box.run("systemctl cat whosthere.service")
    assert box.show("ActiveState") == ["active"]
    stat = box.run(f"stat -c '%U:%G %a %n' {ETC}/*")
    assert stat.splitlines() == [
        f"root:root 600 {ETC}/camera-password",
        f"root:whosthere 640 {ETC}/config.yaml",
        f"root:root 600 {ETC}/mqtt-password",
    ]
    for secret in (CAMERA, BROKER, PAGE):
        assert secret not in terminal.shown + box.run(f"cat {ETC}/config.yaml; journalctl --quiet")


def without_picture(shown: str) -> str:
    lines = [line for line in shown.splitlines() if "\N{UPPER HALF BLOCK}" not in line]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(lines))


def test_beside_bookworms_picamera2_the_runtime_is_one_that_leaves_numpy_alone(box: Box) -> None:
    if box.attempt("dpkg --status python3-picamera2").returncode != 0:
        pytest.skip("no picamera2, or one built for numpy 2")
    assert "tflite-runtime 2.14" in box.run("whosthere doctor")
    assert box.run("/opt/whosthere/current/bin/python -c 'import picamera2'") == ""


def somebody_named(broker: Broker) -> dict[str, Any]:
    with Listener(broker, user=("home", "automation")) as home:
        home.wait(lambda: any(event["person_name"] for event in map(decoded, home.on(f"{TOPIC}/visit"))), WAIT_S)
        events = [decoded(message) for message in home.on(f"{TOPIC}/visit")]
    return next(event for event in events if event["person_name"])


def test_who_is_enrolled_then_is_named_at_the_broker(box: Box, broker: Broker) -> None:
    for person, name in NAMES.items():
        box.run(f"whosthere enroll --gallery {GALLERY} --person '{name}' /root/portraits/{person}/*.jpg")
    event = somebody_named(broker)
    print(json.dumps(event))
    assert event["person_name"] in NAMES.values()


def test_asked_again_the_answers_of_before_are_kept_with_enter(box: Box) -> None:
    kept = f"cd {ETC} && sha256sum * && stat -c '%U:%G %a' *"
    before = box.run(kept)
    with at_a_terminal(box, "whosthere setup") as terminal:
        terminal.answer("Name of this box on MQTT [front-door]", "hall")
        terminal.wait_for("Camera: ")
        terminal.press(CTRL_C)
        assert terminal.end() != 0
    assert box.run(kept) == before
    with at_a_terminal(box, "whosthere setup && systemctl restart whosthere") as terminal:
        for question in ("Name", "Camera", "Login", "Password", "broker", "Encrypted", "Port", "Login", "Password"):
            terminal.answer(question, "")
        terminal.answer("web page (empty: keep the old one)", "")
        assert terminal.end() == 0, terminal.shown
    assert "accepts this box" in terminal.shown
    assert box.run(kept) == before
    assert box.show("ActiveState") == ["active"]


def test_with_a_read_only_root_and_logs_in_memory_all_goes_on(box: Box, broker: Broker) -> None:
    drop_in = box.root / "etc/systemd/journald.conf.d/volatile.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Journal]\nStorage=volatile\n")
    box.run("systemctl stop whosthere && systemctl restart systemd-journald && rm -rf /var/log/journal")
    box.run("mount --bind /var/lib/whosthere /var/lib/whosthere && mount -o remount,bind,ro /")
    for folder in ("/", "/etc/whosthere", "/var/log", "/opt/whosthere"):
        assert "Read-only file system" in box.attempt(f"touch {folder}/probe").stdout
    box.run("systemctl start whosthere")
    assert somebody_named(broker)["person_name"] in NAMES.values()
    box.run(f"whosthere gallery remove --gallery {GALLERY} --yes 'Grace Hopper'")
    box.wait_for_journal("2 people, threshold")
    assert "read-only" not in box.journal().lower()
    assert box.run("ls /run/log/journal").split()


def test_while_nobody_comes_nothing_is_written(box: Box, camera: MjpegServer, film: list[bytes]) -> None:
    camera.film = film[:1]
    # The last visit ends, and the outbox is tidied up.
    time.sleep(60)
    before, changed = written(box), box.run(CHANGED)
    box.run(f"sleep {QUIET_S}", timeout_s=QUIET_S + WAIT_S)
    print(f"{written(box) - before} bytes written in {QUIET_S} s with nobody at the door")
    assert written(box) == before
    assert box.run(CHANGED) == changed
    assert box.show("ActiveState") == ["active"]


def written(box: Box) -> int:
    """Bytes that the daemon has had written, as the kernel counts them."""
    counts = dict(line.split(": ") for line in Path(f"/proc/{box.main_process()}/io").read_text().splitlines())
    return int(counts["write_bytes"])


def test_uninstalling_asks_whether_the_gallery_goes_too(box: Box) -> None:
    box.run("systemctl stop whosthere && umount --lazy /var/lib/whosthere && mount -o remount,bind,rw /")
    for answer, stays in (("n", True), ("y", False)):
        with at_a_terminal(box, "cp /root/whosthere/systemd/uninstall.sh /root/ && /root/uninstall.sh") as terminal:
            terminal.wait_for(f"Remove the gallery {GALLERY} as well? [y/N] ")
            terminal.press(f"{answer}\r")
            assert terminal.end() == 0, terminal.shown
        assert (box.attempt(f"test -e {GALLERY}").returncode == 0) is stays
    assert left(box) == []
