"""The real daemon, real faces, a real broker: the same stranger comes twice, with two others in between."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge.visits.strangers_file import NAME
from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, running, visits, write_config
from support.portraits import HOPPER, whosthere


@pytest.fixture(scope="module")
def hopper_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery that knows nobody of the clip but its last visitor."""
    path = tmp_path_factory.mktemp("gallery") / "hopper.whg"
    result = whosthere("enroll", "--gallery", path, "--person", "Grace Hopper", HOPPER)
    assert result.exit_code == 0, result.output
    return path


class Home:
    """A box with the bundled clip as its camera."""

    def __init__(self, folder: Path, broker: Broker, gallery: Path, **strangers: Any) -> None:
        self.folder = folder
        self.kept = folder / "kept"
        self._broker = broker
        shutil.copy(gallery, folder / "family.whg")
        sections = {"path": str(self.kept), "keep": 5, **strangers}
        self.config = write_config(folder, broker, folder / "family.whg", strangers=sections)

    def play(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The events of one run, and the last health message."""
        with Listener(self._broker) as listener:
            with running(self.config) as daemon:
                assert daemon.wait() == 0, daemon.log
            listener.wait_for(f"{TOPIC}/status", b"offline")
            return visits(listener), json.loads(listener.on(f"{TOPIC}/health")[-1].payload)


def strangers(events: list[dict[str, Any]], kind: str = "unknown") -> list[tuple[str, int]]:
    told = [event["stranger"] for event in events if event["event_type"] == kind and event["stranger"]]
    return [(who["id"], who["times"]) for who in told]


@pytest.mark.slow(15)
def test_the_same_stranger_is_recognised_again_and_named(tmp_path: Path, hopper_alone: Path) -> None:
    """Barack Obama comes first and last, from two photos, and nobody knows him."""
    with running_broker(tmp_path / "broker") as broker:
        home = Home(tmp_path, broker, hopper_alone, group=True)
        events, health = home.play()
        assert strangers(events) == [("stranger-1", 1), ("stranger-2", 1), ("stranger-3", 1), ("stranger-1", 2)]
        assert sorted(strangers(events, "ended")) == sorted(strangers(events))
        first, last = ([e["stranger"] for e in events if e["event_type"] == "unknown"][i] for i in (0, -1))
        assert first["last_seen"] is None and last["last_seen"] == last["first_seen"] == first["first_seen"]
        assert health["strangers"] == {"kept": 3, "on_disk": True, "replaced": 0}
        (file,) = home.kept.iterdir()
        assert file.name == NAME and oct(file.stat().st_mode & 0o777) == "0o600"

        named = whosthere("strangers", "name", "stranger-1", "--person", "Barack", "--config", home.config)
        assert named.exit_code == 0, named.output
        events, health = home.play()
        known = [event["person_name"] for event in events if event["event_type"] == "recognized"]
        assert sorted(known) == ["Barack", "Barack", "Grace Hopper"]
        assert strangers(events) == [("stranger-2", 2), ("stranger-3", 2)]
        assert health["strangers"]["kept"] == 2


@pytest.mark.slow
def test_it_is_off_by_default(tmp_path: Path, hopper_alone: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        home = Home(tmp_path, broker, hopper_alone)
        events, health = home.play()
    assert [event["stranger"] for event in events] == [None] * len(events)
    assert health["strangers"] is None
    assert not (home.kept / NAME).exists()
    assert len(list(home.kept.glob("*.jpg"))) == 4, "single pictures, as strangers.keep says"
