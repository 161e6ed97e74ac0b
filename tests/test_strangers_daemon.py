"""The real daemon, real faces, a real broker: the same stranger comes twice, with two others in between."""

import json
from pathlib import Path
from typing import Any

import pytest

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


def played(tmp_path: Path, broker: Broker, gallery: Path, **strangers: Any) -> list[dict[str, Any]]:
    """The events of one run of the bundled clip."""
    with Listener(broker) as listener:
        config = write_config(tmp_path, broker, gallery, strangers={"path": str(tmp_path / "kept"), **strangers})
        with running(config) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        health = json.loads(listener.on(f"{TOPIC}/health")[-1].payload)
        assert health["strangers"] == ({"kept": 3, "on_disk": True, "replaced": 0} if strangers.get("group") else None)
        return visits(listener)


def test_the_same_stranger_is_recognised_again(tmp_path: Path, hopper_alone: Path) -> None:
    """Barack Obama comes first and last, from two photos, and nobody knows him."""
    with running_broker(tmp_path / "broker") as broker:
        events = played(tmp_path, broker, hopper_alone, keep=5, group=True)
    told = [event["stranger"] for event in events if event["event_type"] == "unknown"]
    assert [(who["id"], who["times"]) for who in told] == [
        ("stranger-1", 1), ("stranger-2", 1), ("stranger-3", 1), ("stranger-1", 2),
    ]  # fmt: skip
