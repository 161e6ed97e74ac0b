"""whosthere setup: typed answers, a real broker, a real recording for a camera."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.capture.v4l2 import usb_cameras
from edge.commands.picture import in_blocks
from edge.config.loading import load_config
from support.broker import Broker, running_broker
from support.portraits import OBAMA, whosthere
from support.terminal import CTRL_C, CTRL_D, Terminal

PASSWORD = "correct horse"  # noqa: S105  (of a broker that lives as long as this test)
TEMPLATE = Path(__file__).parent.parent / "config.yaml"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker", users={"door": PASSWORD}) as running:
        yield running


def typed(*answers: object) -> str:
    return "".join(f"{answer}\n" for answer in answers)


def test_answers_are_tried_and_written_into_the_template(tmp_path: Path, broker: Broker) -> None:
    config = tmp_path / "config.yaml"
    answers = ["front door", "front-door", OBAMA, broker.host, "n", broker.port, "door", PASSWORD]
    result = whosthere("setup", "--config", config, typed=typed(*answers))
    assert result.exit_code == 0, result.output
    assert "letters, digits, _ and -" in result.output
    assert "1 face in the picture" in result.output
    assert "accepts this box" in result.output
    assert PASSWORD not in result.output + config.read_text()
    found = load_config(config).config
    assert (found.device_id, found.camera.source) == ("front-door", str(OBAMA))
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.username) == (broker.host, broker.port, "door")
    secret = tmp_path / "mqtt-password"
    assert found.mqtt.password_file == str(secret)
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == (f"{PASSWORD}\n", 0o600)
    comments = [line for line in TEMPLATE.read_text().splitlines() if line.startswith("#")]
    assert all(line in config.read_text() for line in comments if "device_id:" not in line)


def test_what_does_not_work_is_said_and_asked_again(tmp_path: Path, broker: Broker) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("device_id: hall  # mine\nmotion:\n  enabled: false\n")
    wrong = ["", tmp_path / "nothing.mp4", "y", OBAMA, broker.host, "n", broker.port, "door", "wrong", "y"]
    right = ["", "", "", "", PASSWORD]
    result = whosthere("setup", "--config", config, typed=typed(*wrong, *right))
    assert result.exit_code == 0, result.output
    assert "nothing.mp4: no such file" in result.output
    assert "failed   broker" in result.output
    text = config.read_text()
    assert "device_id: hall  # mine" in text
    assert load_config(config).config.motion.enabled is False


def at_a_terminal(config: Path) -> Terminal:
    return Terminal([sys.executable, "-P", "-m", "edge", "setup", "--config", config])


@pytest.mark.slow
@pytest.mark.parametrize("how", [CTRL_C, CTRL_D, "hang up"], ids=["Ctrl-C", "Ctrl-D", "hang up"])
@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
def test_who_stops_in_the_middle_has_changed_nothing(tmp_path: Path, broker: Broker, how: str, again: bool) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    if again:
        (folder / "config.yaml").write_text(
            "device_id: hall\nmqtt:\n  username: door\n  password_file: mqtt-password\n"
        )
        (folder / "mqtt-password").write_text("in use\n")
    before = {path.name: path.read_text() for path in folder.iterdir()}
    with at_a_terminal(folder / "config.yaml") as terminal:
        terminal.answer("Name of this box", "door")
        terminal.answer("Camera: ", str(OBAMA))
        terminal.answer("MQTT broker", broker.host)
        terminal.answer("Encrypted", "n")
        terminal.answer("Port", str(broker.port))
        terminal.answer("Login", "door")
        terminal.answer("Password", "wrong")
        terminal.wait_for("Another broker or login?")
        if how == "hang up":
            terminal.hang_up()
        else:
            terminal.press(how)
            assert terminal.end() != 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert "wrong\r" not in terminal.shown


def test_asked_again_what_was_answered_before_is_kept_with_enter(tmp_path: Path, broker: Broker) -> None:
    config = tmp_path / "config.yaml"
    first = ["front-door", OBAMA, broker.host, "n", broker.port, "door", PASSWORD]
    assert whosthere("setup", "--config", config, typed=typed(*first)).exit_code == 0
    before, secret = config.read_text(), (tmp_path / "mqtt-password").read_text()
    config.chmod(0o640)
    again = whosthere("setup", "--config", config, typed=typed(*[""] * 7))
    assert again.exit_code == 0, again.output
    assert "accepts this box" in again.output
    assert "systemctl restart whosthere" in again.output
    assert (config.read_text(), (tmp_path / "mqtt-password").read_text()) == (before, secret)
    assert config.stat().st_mode & 0o777 == 0o640

    whosthere("setup", "--config", config, typed=typed(*[""] * 5, "-", "n"))
    found = load_config(config).config.mqtt
    assert (found.username, found.password_file) == (None, None)


def test_the_picture_is_shown_in_a_terminal(tmp_path: Path) -> None:
    blocks = in_blocks(np.array([[[0, 0, 255]], [[255, 0, 0]]], np.uint8).repeat(4, 1), 4)
    assert blocks.count("\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m") == 4
    with at_a_terminal(tmp_path / "config.yaml") as terminal:
        terminal.answer("Name of this box", "door")
        terminal.answer("Camera: ", str(OBAMA))
        terminal.wait_for("1 face in the picture")
    assert terminal.shown.count("\N{UPPER HALF BLOCK}") >= 500


def test_usb_cameras_are_told_from_other_video_devices(tmp_path: Path) -> None:
    for number, (name, where, index) in enumerate(
        [("HD Webcam", "usb1/1-1", 0), ("HD Webcam", "usb1/1-1", 1), ("pispbe", "platform/isp", 0)]
    ):
        device = tmp_path / "devices" / where
        device.mkdir(parents=True, exist_ok=True)
        folder = tmp_path / "class" / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
        (folder / "index").write_text(f"{index}\n")
        (folder / "device").symlink_to(device)
    assert usb_cameras(tmp_path / "class") == [("v4l2:/dev/video0", "HD Webcam")]
