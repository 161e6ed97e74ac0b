"""The socket of the real daemon: clients see what MQTT's subscribers see, and cannot hold up the door."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from edge.link.client import Link
from edge.link.protocol import BoxStatus, LinkError, RingNews, VisitNews
from support.broker import Listener, running_broker
from support.daemon import TOPIC, Daemon, running, visits, write_config
from support.linked import RawClient, listens
from support.portraits import COLLINS, read_picture, save
from support.publishing import until


@contextmanager
def at_the_door(folder: Path, gallery: Path, **sections: Any) -> Iterator[tuple[Daemon, Listener, Path]]:
    """A daemon whose camera shows one person for ever."""
    pictures = folder / "pictures"
    pictures.mkdir()
    save(pictures / "0.png", read_picture(COLLINS))
    camera = {"source": str(pictures), "realtime": True, "loop": True}
    with (
        running_broker(folder / "broker") as broker,
        Listener(broker) as listener,
        running(write_config(folder, broker, gallery, camera=camera, **sections)) as daemon,
    ):
        listener.wait_for(f"{TOPIC}/camera", b"online")
        yield daemon, listener, folder / "link.sock"


def test_what_is_seen_asked_and_shown(tmp_path: Path, demo_gallery: Path) -> None:
    with at_the_door(tmp_path, demo_gallery) as (daemon, listener, path):
        link = Link(path)
        listener.wait_for(f"{TOPIC}/visit", count=2)
        watching = link.watch()
        first = next(watching)
        assert isinstance(first, BoxStatus)
        [here] = first.here
        assert without_times(here) == without_times(visits(listener)[-1]), "the same record as over MQTT"
        header, data = next(iter(link.live(boxes=True)))
        [face] = header.faces
        assert face.visit_id == here.visit_id and face.box[2] > 20
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[1] == header.width
        assert link.command("ring").ok
        while not isinstance(news := next(watching), RingNews):
            pass
        assert news.ring.visit_id == here.visit_id
        assert link.command("pause").ok
        listener.wait(lambda: b'"paused":true' in listener.on(f"{TOPIC}/controls")[-1].payload)
        assert link.status().health.state == "paused"
        assert not link.command("snapshot").ok, "pictures over MQTT are off"
        daemon.send(signal.SIGTERM)
        ended = [one.visit for one in watching_until_the_end(watching)]
        assert daemon.wait() == 0, daemon.log
        assert [one.event_type for one in ended] == ["ended"]
    assert not path.exists()
    assert "link" not in daemon.log


def without_times(visit: Any) -> dict[str, Any]:
    """A visit's record; both sides read the clock, and may be a millisecond apart."""
    document: dict[str, Any] = json.loads(msgspec.json.encode(visit))
    return {key: value for key, value in document.items() if key not in ("started_at", "decided_at")}


def watching_until_the_end(watching: Iterator[Any]) -> Iterator[VisitNews]:
    try:
        for news in watching:
            if isinstance(news, VisitNews):
                yield news
    except LinkError:
        pass


def test_killed_and_hanging_clients_do_not_hold_up_the_door(tmp_path: Path, demo_gallery: Path) -> None:
    """One viewer is stopped in the middle of a picture, another killed; rings and their visits go on."""
    viewer = "import sys; from pathlib import Path; from edge.link.client import Link\n"
    viewer += "for picture in Link(Path(sys.argv[1])).live(boxes=True): print(picture[0].number, flush=True)"
    with at_the_door(tmp_path, demo_gallery) as (daemon, listener, path):
        viewers = [
            subprocess.Popen([sys.executable, "-c", viewer, str(path)], stdout=subprocess.PIPE) for _ in range(2)
        ]
        for one in viewers:
            assert one.stdout is not None and one.stdout.readline()
        os.kill(viewers[0].pid, signal.SIGSTOP)
        viewers[1].kill()
        with RawClient(path) as mute:
            mute.say(b'{"request": "watch"}\n')
            for number in range(3):
                listener.publish(f"{TOPIC}/command/ring", b"")
                listener.wait_for(f"{TOPIC}/doorbell", count=number + 1)
            assert Link(path).status().health.fps >= 0
        assert daemon.ended is None
        for one in viewers:
            one.kill()
            one.wait()
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log


def test_a_killed_daemon_leaves_a_socket_that_the_next_replaces(tmp_path: Path, demo_gallery: Path) -> None:
    with at_the_door(tmp_path, demo_gallery) as (daemon, _, path):
        until(lambda: listens(path))
        daemon.send(signal.SIGKILL)
        daemon.wait()
        assert path.is_socket()
        with running(tmp_path / "config.yaml") as second:
            until(lambda: listens(path))
            with running(tmp_path / "config.yaml") as third:
                third.wait_for_log("another daemon has it")
            assert Link(path).status().health.device_id == "front-door"
            assert "no socket" not in second.log


def test_there_is_none_where_the_owner_wants_none(tmp_path: Path, demo_gallery: Path) -> None:
    with at_the_door(tmp_path, demo_gallery, link={"enabled": False}) as (_, listener, path):
        listener.wait_for(f"{TOPIC}/visit")
        assert not path.exists()
        with pytest.raises(LinkError, match="enabled is false"):
            Link(path).status()
