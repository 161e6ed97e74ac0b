"""Under a service manager: a real notification socket, the real daemon."""

import secrets
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from edge.daemon.systemd import SEND_S, notifier
from support.broker import Listener, running_broker
from support.daemon import TOPIC, running, write_config
from support.service_manager import service_manager


def abstract() -> str:
    return f"@whosthere-{secrets.token_hex(8)}"


def test_messages_arrive_at_a_path_and_at_an_abstract_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (str(tmp_path / "notify"), abstract()):
        with service_manager(address) as manager:
            monkeypatch.setenv("NOTIFY_SOCKET", address)
            notifier().notify("WATCHDOG=1\nSTATUS=l\u00e4uft")
            manager.wait_for("STATUS=l\u00e4uft")
            assert manager.lines == ["WATCHDOG=1", "STATUS=l\u00e4uft"]


def test_a_service_manager_that_does_not_listen_is_reported_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = str(tmp_path / "nobody")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    lost = notifier()
    lost.notify("WATCHDOG=1")
    lost.notify("WATCHDOG=1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with service_manager(address) as manager:
        lost.notify("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1")


def test_waiting_for_a_service_manager_that_does_not_read_takes_no_cpu_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        sender = notifier()
        while "timed out" not in caplog.text:
            sender.notify("WATCHDOG=1")
        before = time.thread_time()
        sender.notify("WATCHDOG=1")
        assert time.thread_time() - before < SEND_S / 4


def test_started_by_hand_nobody_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier().notify("READY=1")


def test_ready_watchdog_reload_and_stop_are_told(tmp_path: Path, demo_gallery: Path) -> None:
    gallery = tmp_path / "gallery.whg"
    shutil.copy(demo_gallery, gallery)
    with service_manager(tmp_path / "notify") as manager, running_broker(tmp_path / "broker") as broker:
        config = write_config(tmp_path, broker, gallery, camera={"realtime": True, "loop": True})
        with running(config, environment=manager.environment) as daemon:
            manager.wait_for("READY=1")
            manager.wait_for("WATCHDOG=1", count=3)
            daemon.send(signal.SIGHUP)
            manager.wait_for("RELOADING=1")
            manager.wait_for("READY=1", count=2)
            daemon.send(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert daemon.wait() == 0, daemon.log
    assert any(line.startswith("MONOTONIC_USEC=") for line in manager.lines)
    assert any("3 people known" in line for line in manager.lines if line.startswith("STATUS="))


def test_a_camera_that_is_not_there_is_told_and_the_service_stays_up(tmp_path: Path, demo_gallery: Path) -> None:
    with (
        service_manager(tmp_path / "notify") as manager,
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as home,
    ):
        config = write_config(tmp_path, broker, demo_gallery, camera={"source": "rtsp://127.0.0.1:9/none"})
        with running(config, environment=manager.environment) as daemon:
            manager.wait_for("READY=1")
            home.wait_for(f"{TOPIC}/camera", b"offline")
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.log
    assert any("127.0.0.1:9" in line for line in manager.lines if line.startswith("STATUS="))


def test_ready_waits_until_the_missing_broker_has_been_told(tmp_path: Path, demo_gallery: Path) -> None:
    with service_manager(tmp_path / "notify") as manager, running_broker(tmp_path / "broker") as broker:
        broker.kill()
        config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True, "loop": True})
        with running(config, environment=manager.environment) as daemon:
            manager.wait_for("READY=1")
            daemon.wait_for_log("Events wait in the outbox")


def test_the_reason_of_an_end_stays_in_the_status(tmp_path: Path, demo_gallery: Path) -> None:
    with service_manager(abstract()) as manager, running_broker(tmp_path / "broker") as broker:
        config = write_config(tmp_path, broker, demo_gallery, camera={"rotation": 45})
        with running(config, environment=manager.environment) as daemon:
            assert daemon.wait() == 3, daemon.log
    [status] = [line for line in manager.lines if line.startswith("STATUS=")]
    assert "camera.rotation: found 45; allowed: 0, 90, 180 or 270" in status
