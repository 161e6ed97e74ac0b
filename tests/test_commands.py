"""Commands are carried out, refused with a reason, or dropped; none crashes the box."""

import json
import logging
import random
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import WhosthereError
from edge.mqtt.command_payloads import (
    KINDS,
    KNOWN,
    MAX_PAYLOAD,
    BadRequest,
    ChallengeCommand,
    Pause,
    Reload,
    Request,
    Resume,
    Sensitivity,
    parse,
)
from edge.mqtt.commands import CommandDone, CommandRateLimit, ReceivedCommand, Reply, answers, carry_out
from edge.mqtt.payloads import CommandResult
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.topics import Topics
from support.broker import Listener, running_broker
from support.hostile import MESSAGES, answered_again, hostile
from support.publishing import ORIGIN, ROOT, publisher, settings, succeed, until


@pytest.mark.parametrize(
    ("name", "payload", "request_"),
    [
        ("pause", b"", Pause()),
        ("pause", b" {} ", Pause()),
        ("pause", b'{"for_s": 0.5, "correlation_id": "a"}', Pause(for_s=0.5, correlation_id="a")),
        ("paused", b"ON", Pause()),
        ("paused", b"OFF", Resume()),
        ("paused", b"true", Pause()),
        ("paused", b"false", Resume()),
        ("reload", b"{}", Reload()),
        ("sensitivity", b'{"false_alarm_target": 1e-3}', Sensitivity(false_alarm_target=0.001)),
        ("challenge", b"", ChallengeCommand(visit_id=None, turns=2, within_s=15)),
        ("challenge", b'{"visit_id": "v1", "turns": 5}', ChallengeCommand(visit_id="v1", turns=5)),
    ],
)
def test_understood(name: str, payload: bytes, request_: Request) -> None:
    assert parse(name, payload) == request_


@pytest.mark.parametrize(
    ("name", "payload", "why"),
    [
        ("open_door", b"", "no such command; allowed: pause"),
        ("", b"", "no such command"),
        ("pause/now", b"", "no such command"),
        ("pause", b"600", "Expected `object`, got `int`"),
        ("pause", b'{"for_s": -1}', "Expected `float` > 0"),
        ("pause", b'{"for_s": 1e9}', "Expected `float` <= 604800"),
        ("pause", b'{"for_s": NaN}', "malformed"),
        ("pause", b'{"until": 3}', "unknown field `until`"),
        ("paused", b"on", "allowed: ON, OFF"),
        ("sensitivity", b"", "missing required field `false_alarm_target`"),
        ("sensitivity", b'{"false_alarm_target": 0}', "> 0"),
        ("challenge", b'{"turns": 0}', ">= 1"),
        ("challenge", b'{"turns": 6}', "<= 5"),
        ("challenge", b'{"within_s": 2}', ">= 3"),
        ("reload", b"\xff\xfe\x00", "allowed: nothing, or a JSON object"),
        ("ring", b'{"correlation_id": "' + b"x" * 129 + b'"}', "length <= 128"),
        ("ring", b"[" * MAX_PAYLOAD, "allowed: nothing, or a JSON object"),
        ("ring", b'{"a":' * 800, "allowed: nothing, or a JSON object"),
        ("ring", b" " * (MAX_PAYLOAD + 1), "too large"),
    ],
)
def test_refused_with_the_reason(name: str, payload: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match=why.replace("(", r"\(")):
        parse(name, payload)


@given(st.sampled_from(KNOWN) | st.text(max_size=20), st.binary(max_size=300), st.none() | st.binary(max_size=40))
def test_whatever_the_bytes_there_is_an_answer(name: str, payload: bytes, correlation: bytes | None) -> None:
    finished: list[CommandDone] = []
    carry_out(ReceivedCommand(name, payload, None, correlation), succeed, finished.append, snapshots=False)

    (result,) = [each.result for each in finished]
    assert msgspec.json.decode(msgspec.json.encode(result), type=CommandResult) == result


@given(st.sampled_from(list(KINDS)), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_wrong_types_are_refused(name: str, value: Any) -> None:
    for document in ({"for_s": value}, {"correlation_id": [value]}, [value]):
        payload = json.dumps(document).encode()
        try:
            assert parse(name, payload) == msgspec.json.decode(payload, type=KINDS[name])
        except WhosthereError:
            continue


def test_a_flood_is_cut_off_and_calms_down() -> None:
    flood = CommandRateLimit(burst=10, per_s=2)

    assert [flood.admits(0.001 * n) for n in range(100)] == [True] * 10 + [False] * 90
    assert flood.dropped == 90
    assert not flood.admits(2.0), "not bit by bit"
    assert [flood.admits(6.0) for _ in range(3)] == [True] * 3
    assert all(flood.admits(100.0 + 0.5 * n) for n in range(100)), "a steady pace is no flood"


@pytest.mark.parametrize(
    ("topic", "answered"),
    [
        ("home/answers", True),
        ("whosthere2/answers", True),
        (f"{ROOT}/visit", False),
        ("whosthere/back-door/visit", False),
        ("whosthere", False),
        ("homeassistant/status", False),
        ("homeassistant/device/other/config", False),
        ("$SYS/broker", False),
        ("home/+/answers", False),
    ],
)
def test_nobody_is_answered_on_topics_of_boxes_or_home_assistant(topic: str, answered: bool) -> None:
    done = CommandDone(ReceivedCommand("ring", b"", topic, None), CommandResult("ring", True, "", None))
    where = [message.topic for message in answers(done, Topics("whosthere", "front-door"), "homeassistant")]
    assert where == [f"{ROOT}/command/result", *([topic] if answered else [])]


def test_a_command_is_answered_when_it_is_done_and_only_once(tmp_path: Path) -> None:
    """A reload may take a minute: the publisher goes on, answers other commands, and the late answer still arrives."""
    slow: list[Reply] = []

    def on_command(request: Request, reply: Reply) -> None:
        if isinstance(request, Reload):
            slow.append(reply)
        else:
            reply(True, "watching")

    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        box = MqttPublisher(settings(broker, tmp_path), ORIGIN, on_command)
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        listener.publish(f"{ROOT}/command/reload", b"", response_topic="home/answers", correlation=b"slow")
        until(lambda: bool(slow))
        listener.publish(f"{ROOT}/command/resume", b"", correlation=b"quick")
        listener.wait_for(f"{ROOT}/command/result")
        beat = box.heartbeat
        until(lambda: box.heartbeat > beat)
        for answer in ("reloaded", "twice"):
            thread = threading.Thread(target=slow[0], args=(True, answer))
            thread.start()
            thread.join()
        elsewhere = listener.wait_for("home/answers")
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")

    results = [msgspec.json.decode(m.payload, type=CommandResult) for m in listener.on(f"{ROOT}/command/result")]
    assert [(a.command, a.correlation_id, a.message) for a in results] == [
        ("resume", "quick", "watching"),
        ("reload", "slow", "reloaded"),
    ]
    assert elsewhere.correlation == b"slow"


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.getLogger("whosthere.mqtt").setLevel(logging.ERROR)
    yield
    logging.getLogger("whosthere.mqtt").setLevel(logging.NOTSET)


def test_thousands_of_hostile_commands(tmp_path: Path, quiet: None) -> None:
    """None crashes, blocks or leaks; `WHOSTHERE_FULL=1` sends 10,000 and `-s` shows the figures."""
    chance = random.Random(6)
    topics = [f"{ROOT}/{name}" for name in ("status", "visit", "command/result")]
    with running_broker(tmp_path / "broker") as broker, Listener(broker, *topics) as listener:
        box = publisher(settings(broker, tmp_path))
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        memory: list[int] = []
        longest, beat = 0.0, box.heartbeat
        for number in range(MESSAGES):
            name, payload = hostile(chance)
            options = {"response_topic": chance.choice(["", f"{ROOT}/visit", "answers"]), "correlation": payload[:100]}
            listener.publish(f"{ROOT}/command/{name}", payload, **options)
            longest, beat = max(longest, box.heartbeat - beat), box.heartbeat
            if number % (MESSAGES // 4) == MESSAGES // 4 - 1:
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        answered_again(listener, ROOT)
        answered = len(listener.on(f"{ROOT}/command/result"))
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")
    print(f"\n{MESSAGES} hostile commands, {answered} answered; memory {memory} MB;", end=" ")
    print(f"longest turn of the publisher {longest:.2f} s")
    assert answered < MESSAGES / 4
    assert memory[-1] - memory[0] < 30, memory
    assert listener.on(f"{ROOT}/visit") == []
