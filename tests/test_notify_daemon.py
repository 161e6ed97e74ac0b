"""Notices of the real daemon: on the bundled clip, to real servers."""

import time
from pathlib import Path
from typing import Any

import pytest

from support.broker import Listener, running_broker
from support.daemon import TOPIC, decoded, events_by_visit, running, visits, write_config
from support.notice_server import NoticeServer, notice_server, unused_url

TOKEN = "tk_d41d8cd98f00b204"  # noqa: S105
TOPIC_NAME = "door-8f3kq0zv7m"


def both(folder: Path, phone: str, program: str) -> dict[str, Any]:
    (folder / "token").write_text(TOKEN)
    (folder / "url").write_text(f"{program}/api/webhook/{TOKEN}")
    return {
        "ntfy": {"server": phone, "topic": TOPIC_NAME, "token_file": "token", "picture": True},
        "webhook": {"url_file": "url", "secret_file": "token"},
    }


def timeless(visit: dict[str, Any]) -> dict[str, Any]:
    """Without times, which two parts of the daemon convert by the clock at slightly different moments."""
    return {key: value for key, value in visit.items() if key not in ("started_at", "decided_at")}


def titles(server: NoticeServer) -> list[str]:
    return [posted.text("Title") for posted in server.posted]


@pytest.mark.slow
def test_phone_and_program_hear_each_decision_once_and_the_log_no_secret(tmp_path: Path, demo_gallery: Path) -> None:
    with (
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as listener,
        notice_server() as phone,
        notice_server() as program,
    ):
        (tmp_path / "web").mkdir()
        (tmp_path / "web" / "password").touch()
        web = {"path": str(tmp_path / "web"), "url": "https://door.example"}
        config = write_config(tmp_path, broker, demo_gallery, notify=both(tmp_path, phone.url, program.url), web=web)
        with running(config) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        published = [visit for visit in visits(listener) if visit["event_type"] in ("recognized", "unknown")]
        assert [timeless(posted.json) for posted in program.posted] == [timeless(visit) for visit in published]
        expected = [f"{visit['person_name'] or 'An unknown visitor'} is at the door" for visit in published]
        assert titles(phone) == expected
    pages = [f"https://door.example/visits#visit-{visit['visit_id']}" for visit in published]
    assert [posted.headers["Click"] for posted in phone.posted] == pages
    assert len(published) >= 4 and {visit["event_type"] for visit in published} == {"recognized", "unknown"}
    assert all(posted.body.startswith(b"\xff\xd8") for posted in phone.posted), "pictures, without mqtt.snapshot"
    assert listener.on(f"{TOPIC}/snapshot") == []
    assert TOKEN not in daemon.log and TOPIC_NAME not in daemon.log


@pytest.mark.slow
def test_servers_that_hang_and_refuse_cost_the_door_nothing(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener, notice_server() as phone:
        phone.hang.set()
        sections = {"notify": both(tmp_path, phone.url, unused_url()), "runtime": {"stall_s": 30}}
        with running(write_config(tmp_path, broker, demo_gallery, **sections)) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        ended = [visit for visit in events_by_visit(listener) if visit[-1][0] == "ended"]
    assert len(ended) == 5
    assert "webhook: not sent: http://localhost:" in daemon.log and "nothing listens there" in daemon.log
    assert TOKEN not in daemon.log and TOPIC_NAME not in daemon.log


def test_a_ring_reaches_the_phone_with_what_the_camera_saw(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener, notice_server() as phone:
        notify = {"ntfy": {"server": phone.url, "topic": TOPIC_NAME, "events": ["ring"], "picture": True}}
        sections: dict[str, Any] = {"notify": notify, "camera": {"realtime": True, "loop": True}}
        with running(write_config(tmp_path, broker, demo_gallery, **sections)):
            listener.wait_for(f"{TOPIC}/camera", b"online")
            time.sleep(0.5)
            listener.publish(f"{TOPIC}/command/ring", b"")
            ring = decoded(listener.wait_for(f"{TOPIC}/doorbell"))
            [posted] = phone.wait_for(1)
    assert posted.text("Title") == "Somebody is ringing"
    assert (posted.headers["X-Sequence-ID"], posted.headers["Tags"]) == (ring["event_id"], "bell")
    assert posted.body.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("file", "told"),
    [("token", "notify.ntfy.token_file: cannot read the secret"), ("url", "notify.webhook.url_file: cannot read")],
)
def test_a_secret_that_is_missing_ends_the_start(tmp_path: Path, demo_gallery: Path, file: str, told: str) -> None:
    with running_broker(tmp_path / "broker") as broker:
        config = write_config(
            tmp_path, broker, demo_gallery, notify=both(tmp_path, "https://a.example", "https://a.example")
        )
        (tmp_path / file).unlink()
        with running(config) as daemon:
            assert daemon.wait() == 3
    assert told in daemon.log
