"""The whole daemon: a real process, real models, a real broker, real input."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import jsonschema
import pytest

from edge.demo.box import FOLDER
from edge.galleries.file import open_gallery, write_gallery
from edge.mqtt.command_payloads import KINDS
from edge.mqtt.contract import json_schemas
from support.broker import Broker, Certificates, Listener, running_broker
from support.daemon import (
    DEVICE,
    TOPIC,
    clip,
    decoded,
    events_by_visit,
    running,
    visit_events,
    visitors,
    visits,
    write_config,
)
from support.portraits import whosthere
from support.publishing import until

THE_VISITS = [
    [("started", None), ("recognized", "barack-obama"), ("ended", "barack-obama")],
    [("started", None), ("unknown", None), ("ended", None)],
    [("started", None), ("recognized", "joe-biden"), ("ended", "joe-biden")],
    [("started", None), ("recognized", "grace-hopper"), ("ended", "grace-hopper")],
    [("started", None), ("recognized", "barack-obama"), ("ended", "barack-obama")],
]
"""Ordered by the beginning of each visit. The last two come together, and rounding decides who is named first."""
OBAMA, COLLINS, BIDEN, HOPPER = range(4)
"""Their visits in it, counted from 0."""
THE_CLIP = [event for visit in THE_VISITS[:3] for event in visit]


def test_the_bundled_clip_gives_exactly_these_events(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        with running(write_config(tmp_path, broker, demo_gallery)) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        assert events_by_visit(listener) == THE_VISITS
        _every_payload_keeps_the_contract(listener)
        by_visit: dict[str, list[int]] = {}
        for payload in visits(listener):
            by_visit.setdefault(payload["visit_id"], []).append(payload["sequence"])
        assert all(numbers == [0, 1, 2] for numbers in by_visit.values())
        assert len(by_visit) == len(clip().visits)
        identity = listener.on(f"{TOPIC}/visit")
        assert all(m.qos == 1 and not m.retained and 0 < (m.expiry_s or 0) <= 60 for m in identity)
        assert [m.payload for m in listener.on(f"{TOPIC}/person/joe-biden")] == [b"OFF", b"ON", b"OFF"]
        assert listener.on(f"{TOPIC}/last_person")[-1].payload == b"Barack Obama"


@pytest.mark.slow
def test_over_tls_with_a_password_and_an_acl(tmp_path: Path, demo_gallery: Path) -> None:
    acl = f"user box\ntopic write {TOPIC}/#\ntopic read {TOPIC}/command/#\nuser home\ntopic read #\n"
    certificates = Certificates(tmp_path / "certificates")
    (tmp_path / "password").write_text("correct horse\n")
    options = {"certificates": certificates, "users": {"box": "correct horse", "home": "x"}, "acl": acl}
    with running_broker(tmp_path / "broker", **options) as broker, Listener(broker, user=("home", "x")) as listener:
        config = write_config(
            tmp_path,
            broker,
            demo_gallery,
            camera={"source": str(visitors(tmp_path / "two.avi", OBAMA, COLLINS))},
            mqtt={
                "username": "box",
                "password_file": str(tmp_path / "password"),
                "tls": {"enabled": True, "ca_file": str(certificates.ca)},
            },
        )
        with running(config) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        assert events_by_visit(listener) == THE_VISITS[:2]
        assert "correct horse" not in daemon.log


def test_sigterm_ends_visits_and_says_goodbye(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True})
        with running(config) as daemon:
            listener.wait(lambda: ("recognized", "barack-obama") in visit_events(listener))
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        assert visit_events(listener)[:3] == THE_CLIP[:3]
        assert all(visit[-1][0] == "ended" for visit in events_by_visit(listener))
        assert listener.on(f"{TOPIC}/person/barack-obama")[-1].payload == b"OFF"


def test_somebody_who_is_renamed_has_the_new_name_everywhere_and_keeps_their_topics(
    tmp_path: Path, demo_gallery: Path
) -> None:
    gallery, discovery = tmp_path / "gallery.whg", f"homeassistant/device/whosthere_{DEVICE}/config"
    source = str(visitors(tmp_path / "one.avi", OBAMA))
    shutil.copy(demo_gallery, gallery)
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, gallery, camera={"loop": True, "source": source})
        with running(config) as daemon:
            listener.wait_for(f"{TOPIC}/last_person", b"Barack Obama")
            done = whosthere("gallery", "rename", "--gallery", gallery, "Barack Obama", "Barry O.")
            assert done.exit_code == 0, done.output
            daemon.wait_for_log("reload: gallery version 4, 3 people")
            known_until = len(visits(listener))
            listener.wait_for(f"{TOPIC}/last_person", b"Barry O.")
            listener.wait(lambda: any(b"Barry O." in message.payload for message in listener.on(discovery)))
            listener.wait(lambda: _times_named(visits(listener)[known_until:], "barack-obama") >= 1)
        since = [each for each in visits(listener)[known_until + 1 :] if each["person_id"] == "barack-obama"]
        assert {each["person_name"] for each in since} == {"Barry O."}
        assert b"Barack" not in listener.on(discovery)[-1].payload
        assert b"" not in [m.payload for m in listener.on(f"{TOPIC}/person/barack-obama")]


def test_sighup_takes_a_new_gallery_while_it_watches(tmp_path: Path, demo_gallery: Path) -> None:
    gallery, source = tmp_path / "gallery.whg", str(visitors(tmp_path / "two.avi", BIDEN, HOPPER))
    shutil.copy(demo_gallery, gallery)
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, gallery, camera={"loop": True, "source": source})
        with running(config) as daemon:
            listener.wait(lambda: ("recognized", "joe-biden") in visit_events(listener))
            good = gallery.read_bytes()
            gallery.write_bytes(good[:2000])
            daemon.send(signal.SIGHUP)
            daemon.wait_for_log("refused, the old settings and gallery stay in force")
            assert str(gallery) in daemon.log
            gallery.write_bytes(good)
            _remove(gallery, "joe-biden")
            daemon.send(signal.SIGHUP)
            daemon.wait_for_log("reload: gallery version 4, 2 people")
            listener.wait_for(f"{TOPIC}/person/joe-biden", b"")
            before, known_until = _health(listener), len(visits(listener))
            # Once through the clip: between two visits of hers, the man who is no longer known has been there.
            listener.wait(lambda: _times_named(visits(listener)[known_until:], "grace-hopper") >= 2)
            after = _health(listener)
        since = visits(listener)[known_until:]
        assert _times_named(since, "joe-biden") == 0
        assert after["gallery"]["people"] == 2
        assert after["frames"] > before["frames"]
        assert {payload["gallery_version"] for payload in since} == {"4"}


def test_an_outage_and_a_kill_lose_nothing_and_repeat_nothing(tmp_path: Path, demo_gallery: Path) -> None:
    blank = tmp_path / "blank"
    blank.mkdir()
    with running_broker(tmp_path / "broker", persistence=True) as broker:
        with Listener(broker, persistent=True) as listener:
            config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True})
            with running(config) as daemon:
                listener.wait(lambda: len(visit_events(listener)) >= 2)
                broker.kill()
                daemon.wait_for_log(": unknown")
                until(lambda: b'"unknown"' in _outbox(tmp_path))
                daemon.send(signal.SIGKILL)
            lived = visit_events(listener)
            broker.start()
            _hears_again(listener)
            still = write_config(tmp_path, broker, demo_gallery, camera=_empty_porch(blank))
            with running(still):
                listener.wait(lambda: ("unknown", None) in visit_events(listener))
                _health(listener)
                listener.wait(lambda: decoded(listener.on(f"{TOPIC}/health")[-1])["outbox"]["waiting"] == 0)
        heard = visit_events(listener)
        assert lived == THE_CLIP[: len(lived)] and len(lived) < 5
        assert heard[:5] == THE_CLIP[:5]
        assert len({payload["event_id"] for payload in visits(listener)}) == len(heard)


def test_a_stalled_stage_ends_the_process(tmp_path: Path, demo_gallery: Path) -> None:
    program = tmp_path / "stalled.py"
    program.write_text(
        "import time\n"
        "from edge.__main__ import main\n"
        "from edge.faces.embed import TfliteEmbedder\n"
        "TfliteEmbedder.embed = lambda self, crops: time.sleep(3600)\n"
        "main()\n"
    )
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, demo_gallery, runtime={"stall_s": 3})
        with running(config, program=[sys.executable, str(program)]) as daemon:
            assert daemon.wait() == 1
        assert "the inference thread has made no progress for" in daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")


def test_every_command_is_answered(tmp_path: Path, demo_gallery: Path) -> None:
    """A request without an entry in the controls would end the publisher's thread and never be answered."""
    names = ["dance", *sorted(KINDS, key=lambda name: name == "restart")]
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True, "loop": True})
        with running(config):
            listener.wait_for(f"{TOPIC}/camera", b"online")
            answers = {name: _ask(listener, name) for name in names}
        assert set(answers) == set(names)
        refused = {name for name, answer in answers.items() if not answer["ok"]}
        # Without `liveness` there is nobody to challenge.
        assert refused == {"snapshot", "dance", "challenge"}
        assert "mqtt.snapshot.enabled" in answers["snapshot"]["message"]
        assert "pause" in answers["dance"]["message"]


def test_a_snapshot_is_sent_only_when_asked_for(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        camera = {"source": str(visitors(tmp_path / "one.avi", OBAMA))}
        config = write_config(tmp_path, broker, demo_gallery, camera=camera, mqtt={"snapshot": {"enabled": True}})
        with running(config) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        pictures = listener.on(f"{TOPIC}/snapshot")
        assert pictures
        assert all(m.payload.startswith(b"\xff\xd8") and not m.retained for m in pictures)


@pytest.mark.parametrize(
    ("sections", "code", "message"),
    [
        ({"camera": {"source": "no-such-clip.mp4"}}, 5, "no-such-clip.mp4"),
        ({"models": {"embedder": "arcface"}}, 4, "'arcface': no bundled model has that name"),
        ({"match": {"false_alarm_target": 7}}, 3, "match.false_alarm_target: found 7"),
    ],
)
def test_what_is_wrong_at_the_start_ends_it_with_its_code(
    tmp_path: Path, demo_gallery: Path, sections: dict[str, dict[str, object]], code: int, message: str
) -> None:
    broker = Broker(tmp_path, port=9)
    with running(write_config(tmp_path, broker, demo_gallery, **sections)) as daemon:
        assert daemon.wait() == code, daemon.log
    assert message in daemon.log
    assert "Traceback" not in daemon.log


def _every_payload_keeps_the_contract(listener: Listener) -> None:
    schemas = json_schemas()
    for message in listener.on(f"{TOPIC}/visit"):
        jsonschema.validate(decoded(message), schemas["visit"])
    for message in listener.on(f"{TOPIC}/health"):
        jsonschema.validate(decoded(message), schemas["health"])
        assert decoded(message)["device_id"] == DEVICE


def _hears_again(listener: Listener) -> None:
    """A broker that was killed has forgotten its subscribers: wait until it has one again."""
    deadline = time.monotonic() + 30
    while not listener.on("ping"):
        assert time.monotonic() < deadline
        with contextlib.suppress(RuntimeError):
            listener.publish("ping", b"")
        time.sleep(0.2)


def _outbox(folder: Path) -> bytes:
    """The contents of the outbox's files."""
    return b"".join(path.read_bytes() for path in folder.glob("outbox.sqlite3*"))


def _times_named(payloads: list[dict[str, Any]], person: str) -> int:
    return [(each["event_type"], each["person_id"]) for each in payloads].count(("recognized", person))


def _remove(gallery: Path, person: str) -> None:
    write_gallery(open_gallery(gallery, None).without(person, "2025-01-01T00:00:00Z"), gallery)


def _health(listener: Listener) -> dict[str, object]:
    seen = len(listener.on(f"{TOPIC}/health"))
    listener.wait_for(f"{TOPIC}/health", count=seen + 1)
    return decoded(listener.on(f"{TOPIC}/health")[-1])


def _ask(listener: Listener, command: str) -> dict[str, Any]:
    seen = len(listener.on(f"{TOPIC}/command/result"))
    fields = b'{"false_alarm_target": 0.01}' if command == "sensitivity" else b""
    listener.publish(f"{TOPIC}/command/{command}", fields)
    listener.wait_for(f"{TOPIC}/command/result", count=seen + 1)
    return decoded(listener.on(f"{TOPIC}/command/result")[-1])


def _empty_porch(folder: Path) -> dict[str, object]:
    capture = cv2.VideoCapture(str(FOLDER / clip().clip))
    cv2.imwrite(str(folder / "porch.png"), capture.read()[1])
    return {"source": str(folder), "realtime": True, "loop": True}


ONE_THREAD = """
import sys, cv2
from pathlib import Path
from edge.daemon.app import App
from edge.daemon.systemd import NoServiceManager
cv2.setNumThreads(4)
App(Path(sys.argv[1]), NoServiceManager())
print(cv2.getNumThreads())
"""


def test_a_wide_picture_wakes_no_pool_of_threads(tmp_path: Path, demo_gallery: Path) -> None:
    """OpenCV would shrink it on all CPUs, for each frame and in no less CPU time."""
    nobody = SimpleNamespace(host="127.0.0.1", port=1)
    config = write_config(tmp_path, cast("Broker", nobody), demo_gallery)
    done = subprocess.run([sys.executable, "-c", ONE_THREAD, config], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
