"""whosthere check: on a real recording, a real broker and a real gallery."""

import importlib.util
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.__main__ import main
from edge.config.camera import CameraSettings
from edge.inspection.findings import CheckStatus, exit_code
from edge.inspection.surroundings import camera_finding
from support.broker import Broker, Listener, running_broker
from support.capture_helpers import write_video
from support.checking import PASSWORD, changed, check, verdicts
from support.daemon import write_config
from support.portraits import whosthere


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(
        tmp_path_factory.mktemp("broker"), users={"box": PASSWORD, "mute": PASSWORD}, acl=ACL
    ) as running:
        yield running


ACL = "user box\ntopic readwrite #\nuser mute\ntopic read #\n"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return path


@pytest.fixture
def config(tmp_path: Path, broker: Broker, demo_gallery: Path, password: Path) -> Path:
    """Everything right."""
    return write_config(tmp_path, broker, demo_gallery, mqtt={"username": "box", "password_file": str(password)})


def test_all_is_well(config: Path, broker: Broker, demo_gallery: Path) -> None:
    before = sorted(config.parent.iterdir())
    with Listener(broker, user=("box", PASSWORD)) as listener:
        result = whosthere("check", "--config", config)
        listener.wait_for("whosthere/front-door/command/result")
        heard = {message.topic for message in listener.heard}

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == [
        "config", "secret", "detector", "near_detector", "landmarks", "embedder", "gallery", "threshold", "camera",
        "broker", "outbox",
    ]  # fmt: skip
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert lines[-1] == "all is well"
    assert f"{demo_gallery}: 3 people, 3 templates" in result.stdout
    assert "640 x 480" in result.stdout
    assert "one stranger in 1,000 against 3 templates" in result.stdout
    assert "\x1b" not in result.output
    assert heard == {"whosthere/front-door/command/result"}
    assert sorted(config.parent.iterdir()) == before, "it leaves nothing behind"


def test_colours_are_for_terminals(config: Path) -> None:
    arguments = ["check", "--config", str(config), "--skip", "broker", "--skip", "camera"]
    assert "\x1b[32mok" in CliRunner().invoke(main, arguments, color=True).stdout


def test_skipping_leaves_camera_and_broker_alone(config: Path) -> None:
    changed(config, camera={"source": "/no/such/clip.mp4"}, mqtt={"port": 1})

    code, findings = check(config, "--skip", "camera", "--skip", "broker")

    assert code == 0
    assert findings["camera"][0]["verdict"] == findings["broker"][0]["verdict"] == "skipped"


def test_mistakes_in_the_config_do_not_end_the_check(config: Path) -> None:
    changed(config, match={"min_margin": 7}, runtime={"stall": 3}, mqtt={"port": "x"})

    code, findings = check(config)

    assert code == 3
    assert "3 mistakes" in findings["config"][0]["found"]
    assert verdicts(findings) == {
        "config": "failed", "detector": "ok", "near_detector": "ok", "landmarks": "ok", "embedder": "ok",
        "gallery": "ok", "threshold": "skipped", "camera": "ok", "broker": "skipped", "outbox": "skipped",
    }  # fmt: skip


def test_without_a_config_there_is_nothing_else_to_check(tmp_path: Path) -> None:
    code, findings = check(tmp_path / "none.yaml")

    assert code == 3
    assert list(findings) == ["config"]


def test_a_damaged_gallery_fails_and_a_missing_one_is_only_a_warning(config: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.whg"
    damaged.write_bytes(b"not a gallery at all")
    code, findings = check(changed(config, gallery={"path": "damaged.whg"}))
    assert code == 4
    assert str(damaged) in findings["gallery"][0]["found"]

    code, findings = check(changed(config, gallery={"path": "none.whg"}))
    assert code == 0
    assert findings["gallery"][0]["verdict"] == "warning"
    assert "whosthere enroll" in findings["gallery"][0]["advice"]
    assert findings["threshold"][0]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("none.mp4", "none.mp4: no such file"),
        ("v4l2:/dev/video97", "/dev/video97: no such camera"),
        ("rtsp://127.0.0.1:9/live", "nothing listens on 127.0.0.1:9"),
    ],
)
def test_a_camera_that_does_not_open(config: Path, source: str, told: str) -> None:
    code, findings = check(changed(config, camera={"source": source}))

    assert code == 5
    assert told in findings["camera"][0]["found"]
    assert findings["broker"][0]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("source", "active", "blamed"),
    [
        ("v4l2:/dev/null", "active", True),
        ("v4l2:/dev/null", "inactive", False),
        ("picamera2:0", "active", False),
    ],
)
def test_the_service_is_blamed_only_when_it_runs_and_the_camera_is_there(
    tmp_path: Path, source: str, active: str, blamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without picamera2, or with a stopped service, nobody is blamed for holding the camera."""
    if source.startswith("picamera2:") and importlib.util.find_spec("picamera2"):
        pytest.skip("picamera2 is installed here")
    with stopped_or_running_service(tmp_path, active, monkeypatch):
        finding = camera_finding(CameraSettings(source=source))
    assert finding.verdict is CheckStatus.FAILED
    assert ("holds the camera" in finding.advice) is blamed


@contextmanager
def stopped_or_running_service(folder: Path, active: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A `systemctl` that knows the service."""
    systemctl = folder / "bin" / "systemctl"
    systemctl.parent.mkdir()
    shown = f"LoadState=loaded\\nActiveState={active}\\nSubState=x\\nNRestarts=0\\nStatusText="
    systemctl.write_text(f'#!/bin/sh\nprintf "{shown}\\n"\n')
    systemctl.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(systemctl.parent), prepend=":")
        yield


def test_a_recording_that_may_not_be_read(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir()
    write_video(folder / "clip.avi")
    folder.chmod(0)
    try:
        if os.access(folder / "clip.avi", os.R_OK):
            pytest.skip("root may read everything")
        code, findings = check(changed(config, camera={"source": str(folder / "clip.avi")}))
    finally:
        folder.chmod(0o700)

    assert code == 5
    assert "clip.avi: cannot be read: Permission denied" in findings["camera"][0]["found"]


def test_a_nearly_black_picture_is_a_warning(config: Path, tmp_path: Path) -> None:
    (tmp_path / "dark").mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / "dark" / f"{index}.png"), np.full((120, 160, 3), 2, np.uint8))

    code, findings = check(changed(config, camera={"source": "dark"}))

    assert code == 0
    assert findings["camera"][0]["verdict"] == "warning"
    assert "nearly black: brightness 2 of 255" in findings["camera"][0]["found"]


def test_a_picture_that_is_dark_only_at_first_is_fine(config: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "dawn.avi")

    _, findings = check(changed(config, camera={"source": "dawn.avi"}))

    assert findings["camera"][0]["verdict"] == "ok"
    assert "160 x 120" in findings["camera"][0]["found"]


def test_a_broker_that_is_not_there(config: Path) -> None:
    code, findings = check(changed(config, mqtt={"port": 9}))

    assert code == 6
    assert "nothing listens at 127.0.0.1:9" in findings["broker"][0]["found"]


def test_a_broker_that_does_not_take_the_password(config: Path, password: Path) -> None:
    password.write_text("another-secret")

    code, findings = check(config)

    assert code == 6
    assert "mqtt.username, mqtt.password_file" in findings["broker"][0]["found"]
    assert "another-secret" not in json.dumps(findings)


def test_a_broker_whose_acl_denies_publishing(config: Path) -> None:
    code, findings = check(changed(config, mqtt={"username": "mute"}))

    assert code == 6
    assert "whosthere/front-door/command/result: the broker's ACL denies it" in findings["broker"][0]["found"]


def test_secrets_that_cannot_be_read_or_that_everybody_can(
    config: Path, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password.chmod(0o644)
    code, findings = check(config)
    assert code == 0
    assert findings["secret"][0]["verdict"] == "warning"
    assert f"chmod o-rwx {password}" in findings["secret"][0]["advice"]

    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    code, findings = check(changed(config, mqtt={"password_file": "$CREDENTIALS_DIRECTORY/password"}))
    assert code == 3
    assert findings["secret"][0]["found"].startswith("mqtt.password_file: cannot read the secret")
    assert "systemd sets CREDENTIALS_DIRECTORY for the service alone" in findings["secret"][0]["advice"]
    assert findings["broker"][0]["verdict"] == "skipped"

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(password.parent))
    password.chmod(0o600)
    code, findings = check(config)
    assert code == 0, findings


@pytest.mark.parametrize("path", ["/proc/whosthere/outbox.sqlite3", "config.yaml/outbox.sqlite3"])
def test_an_outbox_that_cannot_be_written(config: Path, path: str) -> None:
    code, findings = check(changed(config, mqtt={"outbox": {"path": path}}))

    assert code == 1
    assert "mqtt.outbox.path: " in findings["outbox"][0]["found"]
    assert path in findings["outbox"][0]["found"]


def test_the_most_fundamental_failure_gives_the_exit_code(config: Path) -> None:
    changed(config, camera={"source": "none.mp4"}, mqtt={"port": 9, "outbox": {"path": "/proc/o.sqlite3"}})
    code, findings = check(config)
    assert code == 5
    assert {name for name, verdict in verdicts(findings).items() if verdict == "failed"} == {
        "camera", "broker", "outbox",
    }  # fmt: skip

    assert exit_code([6, 1, 5, 4, 3]) == 3
    assert exit_code([0, 1, 6]) == 6
    assert exit_code([0, 1]) == 1
    assert exit_code([0, 0]) == 0
