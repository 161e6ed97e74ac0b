"""Commands to the whole daemon: pausing, the false-alarm target, ringing, restarting."""

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import numpy as np
import pytest

from edge.mqtt.contract import json_schemas
from support.broker import Listener, running_broker
from support.daemon import TOPIC, decoded, running, visit_events, visits, write_config
from support.hostile import MESSAGES, answered_again, hostile
from support.portraits import COLLINS, read_picture, save


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, Any]:
    """A camera that shows an empty porch for ever."""
    folder = tmp_path / "blank"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.full((480, 640, 3), 90, np.uint8))
    return {"source": str(folder), "realtime": True, "loop": True}


def asker(listener: Listener) -> Callable[..., dict[str, Any]]:
    """A function that sends a command and returns its answer."""

    def ask(command: str, **fields: Any) -> dict[str, Any]:
        number = len(listener.on(f"{TOPIC}/command/result"))
        body = json.dumps(fields | {"correlation_id": str(number)}).encode()
        listener.publish(f"{TOPIC}/command/{command}", body)
        answer = decoded(listener.wait_for(f"{TOPIC}/command/result", count=number + 1))
        assert (answer["command"], answer["correlation_id"]) == (command, str(number))
        return answer

    return ask


def controls(listener: Listener) -> dict[str, Any]:
    return decoded(listener.on(f"{TOPIC}/controls")[-1])


def test_it_carries_commands_out(tmp_path: Path, demo_gallery: Path, nobody: dict[str, Any]) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, demo_gallery, camera=nobody)
        with running(config) as daemon:
            listener.wait_for(f"{TOPIC}/camera", b"online")
            ask = asker(listener)
            _pauses_for_a_while(ask, listener)
            _is_as_strict_as_set(ask, listener)
            _rings(ask, listener)
            assert ask("restart")["ok"]
            listener.wait_for(f"{TOPIC}/status", b"online", count=2)
            listener.wait_for(f"{TOPIC}/camera", b"online", count=2)
            listener.wait(lambda: controls(listener)["false_alarm_target"] == 0.001)
            assert ask("resume")["ok"]
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline", count=2)


def test_nobody_cannot_be_challenged(tmp_path: Path, demo_gallery: Path, nobody: dict[str, Any]) -> None:
    with (
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as listener,
        running(write_config(tmp_path, broker, demo_gallery, camera=nobody)),
    ):
        listener.wait_for(f"{TOPIC}/camera", b"online")
        listener.wait_for(f"{TOPIC}/health", count=2)
        answer = asker(listener)("challenge")
    assert not answer["ok"]
    assert "nobody is in view" in answer["message"]


def test_a_visitor_who_does_not_turn_fails(tmp_path: Path, demo_gallery: Path, nobody: dict[str, Any]) -> None:
    save(Path(nobody["source"]) / "0.png", read_picture(COLLINS))
    with (
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as listener,
        running(write_config(tmp_path, broker, demo_gallery, camera=nobody)) as daemon,
    ):
        visit = decoded(listener.wait_for(f"{TOPIC}/visit"))["visit_id"]
        assert asker(listener)("challenge", within_s=3, visit_id=visit)["ok"]
        listener.wait(lambda: [_state(m) for m in listener.on(f"{TOPIC}/challenge")][-1:] == ["failed"])
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log
    published = [decoded(message) for message in listener.on(f"{TOPIC}/challenge")]
    for document in published:
        jsonschema.Draft202012Validator(json_schemas()["challenge"]).validate(document)
    assert published[0]["state"] == "face_camera"
    assert published[1]["state"] in ("turn_left", "turn_right")
    assert (published[-1]["reason"], published[-1]["visit_id"], published[-1]["turns"]) == ("timeout", visit, 2)
    assert (visits(listener)[-1]["event_type"], visits(listener)[-1]["challenge"]) == ("ended", "failed")


def _state(message: Any) -> str:
    return str(decoded(message)["state"])


def test_hostile_commands_do_not_disturb_it(tmp_path: Path, demo_gallery: Path, nobody: dict[str, Any]) -> None:
    """None crashes, blocks or leaks; `WHOSTHERE_FULL=1` sends 10,000 and `-s` shows the figures."""
    chance = random.Random(66)
    topics = [f"{TOPIC}/{name}" for name in ("camera", "controls", "health", "visit", "command/result")]
    with running_broker(tmp_path / "broker") as broker, Listener(broker, *topics) as listener:
        with running(write_config(tmp_path, broker, demo_gallery, camera=nobody)) as daemon:
            listener.wait_for(f"{TOPIC}/camera", b"online")
            listener.wait_for(f"{TOPIC}/health", count=3)
            before = usage(daemon.pid), decoded(listener.on(f"{TOPIC}/health")[-1])
            for _ in range(MESSAGES):
                name, payload = hostile(chance)
                # Well-formed ones, by chance, must not end the measurement.
                listener.publish(f"{TOPIC}/command/{'x' if name in ('restart', 'pause', 'paused') else name}", payload)
            answered_again(listener, TOPIC)
            answers = len(listener.on(f"{TOPIC}/command/result"))
            assert asker(listener)("resume")["ok"]
            listener.wait_for(f"{TOPIC}/health", count=len(listener.on(f"{TOPIC}/health")) + 2)
            after = usage(daemon.pid), decoded(listener.on(f"{TOPIC}/health")[-1])
            assert daemon.log.count("Traceback") == 0, daemon.log
        frames = after[1]["frames"] - before[1]["frames"]
    print(f"\n{MESSAGES} hostile commands to the daemon, {answers} answered, {frames} frames meanwhile")
    print(f"before: {before[0]}\nafter: {after[0]}")
    assert answers < MESSAGES / 4
    assert after[0]["threads"] <= before[0]["threads"]
    assert after[0]["files"] <= before[0]["files"] + 2
    assert after[0]["memory_mb"] - before[0]["memory_mb"] < 40
    assert frames > 0, "it goes on watching"


def usage(pid: int) -> dict[str, int]:
    """A process's memory, threads and files, from the kernel (proc(5))."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "memory_mb": int(status["VmRSS"].split()[0]) // 1024,
        "threads": int(status["Threads"]),
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


def _pauses_for_a_while(ask: Callable[..., dict[str, Any]], listener: Listener) -> None:
    assert ask("pause", for_s=5) | {"correlation_id": ""} == {
        "command": "pause",
        "ok": True,
        "message": "paused for 5 s",
        "correlation_id": "",
        "schema_version": 1,
    }
    listener.wait(lambda: controls(listener)["paused"])
    assert controls(listener)["paused_until"].endswith("Z")
    listener.wait(lambda: not controls(listener)["paused"])
    assert controls(listener)["paused_until"] is None


def _is_as_strict_as_set(ask: Callable[..., dict[str, Any]], listener: Listener) -> None:
    before = controls(listener)
    assert ask("sensitivity", false_alarm_target=0.1)["ok"]
    listener.wait(lambda: controls(listener)["false_alarm_target"] == 0.1)
    assert controls(listener)["threshold"] < before["threshold"]
    assert ask("reload")["ok"]
    assert controls(listener)["false_alarm_target"] == 0.1, "a reload keeps it"
    refused = ask("sensitivity", false_alarm_target=1e-9)
    assert not refused["ok"]
    assert "the calibration and this gallery allow 9.1e-06 to 0.27" in refused["message"]


def _rings(ask: Callable[..., dict[str, Any]], listener: Listener) -> None:
    assert ask("ring")["ok"]
    ring = decoded(listener.wait_for(f"{TOPIC}/doorbell"))
    listener.wait(lambda: visit_events(listener)[-1:] == [("ended", None)])
    assert [kind for kind, _ in visit_events(listener)] == ["started", "no_usable_face", "ended"]
    assert {event["visit_id"] for event in visits(listener)} == {ring["visit_id"]}
    assert ring["source"] == "command"


def test_who_rings_and_comes_into_view_is_one_visit(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        camera = {"realtime": True}
        with running(write_config(tmp_path, broker, demo_gallery, camera=camera, visit={"gap_s": 60.0})):
            listener.wait_for(f"{TOPIC}/camera", b"online")
            listener.publish(f"{TOPIC}/command/ring", b"")
            ring = decoded(listener.wait_for(f"{TOPIC}/doorbell"))
            listener.wait(lambda: ("recognized", "barack-obama") in visit_events(listener))
        first, second = visits(listener)[:2]
        assert (first["event_type"], second["event_type"]) == ("started", "recognized")
        assert first["visit_id"] == second["visit_id"] == ring["visit_id"]
        assert first["box"] is None
