"""A day at the door, as fast as possible: what it costs in memory, files and bytes written to the SD card.

`WHOSTHERE_FULL=1` replays 24 hours, 100,000 frames and 1,000 visits, in a quarter of an hour; else a hundredth of that.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, Daemon, running, visits, write_config
from support.film import PART, film

pytestmark = pytest.mark.slow

FULL = os.environ.get("WHOSTHERE_FULL") == "1"
VISITS = 1000 if FULL else 10
DAY_S = 86400
FPS = 1000 * PART / DAY_S
QUIET_S = 190 if FULL else 12
PATIENCE_S = 3 * 3600


def sample(daemon: Daemon, folder: Path) -> dict[str, int]:
    """What the process holds and has written, as the kernel counts it."""
    process = Path(f"/proc/{daemon.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    written = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return {
        "memory_kb": int(status["VmRSS"].split()[0]),
        "threads": int(status["Threads"]),
        "descriptors": len(list((process / "fd").iterdir())),
        "outbox_file_kb": sum(path.stat().st_size for path in folder.glob("outbox.sqlite3*")) // 1024,
        "written_kb": int(written["write_bytes"]) // 1024,
    }


def outbox(listener: Listener) -> int:
    """How many events waited according to the last health message."""
    listener.wait(lambda: bool(listener.on(f"{TOPIC}/health")))
    waiting: int = json.loads(listener.on(f"{TOPIC}/health")[-1].payload)["outbox"]["waiting"]
    return waiting


def ended(listener: Listener) -> int:
    return sum(b'"ended"' in message.payload for message in listener.on(f"{TOPIC}/visit"))


def wait_for_visits(listener: Listener, daemon: Daemon, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while ended(listener) < count:
        assert daemon.ended is None and time.monotonic() < deadline, daemon.log
        time.sleep(0.2)


def day(folder: Path, broker: Broker, gallery: Path) -> Path:
    return write_config(
        folder,
        broker,
        gallery,
        camera={"source": str(film(folder / "film")), "fps": FPS, "loop": True, "preview_width": 320},
        visit={"gap_s": 15.0},
        detect={"squares": False},
        track={"lost_after_s": 3.0},
        mqtt={"health_interval_s": 10.0},
    )


@pytest.mark.timeout(PATIENCE_S)
def test_a_day_leaves_memory_files_and_card_as_they_were(tmp_path: Path, demo_gallery: Path) -> None:
    samples: dict[int, dict[str, int]] = {}
    began = time.monotonic()
    with running_broker(tmp_path / "broker") as broker, Listener(broker, contract=False) as listener:
        with running(day(tmp_path, broker, demo_gallery)) as daemon:
            for part in range(1, 11):
                aim = VISITS * part // 10
                wait_for_visits(listener, daemon, aim)
                samples[aim] = sample(daemon, tmp_path) | {"outbox": outbox(listener)}
                print(f"{aim:5} visits after {time.monotonic() - began:6.0f} s: {json.dumps(samples[aim])}", flush=True)
            daemon.send(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.log
        events = [json.loads(message.payload) for message in listener.on(f"{TOPIC}/visit")]
        health = json.loads(listener.on(f"{TOPIC}/health")[-1].payload)
    print(f"frames {health['frames']}, visits {health['visits']}, events {len(events)}: {decisions(events)}")
    first, last = samples[VISITS // 10], samples[VISITS]
    assert health["frames"] >= (VISITS - 1) * PART * 0.9
    assert decisions(events)["recognized"] >= 0.75 * VISITS
    assert last["descriptors"] <= first["descriptors"] + 2
    assert last["threads"] <= first["threads"] + 1
    assert last["outbox"] <= 5
    assert last["memory_kb"] <= first["memory_kb"] + 20_000
    assert last["written_kb"] - first["written_kb"] <= 200 * (VISITS - VISITS // 10)


def decisions(events: list[dict[str, Any]]) -> dict[str, int]:
    kinds = [event["event_type"] for event in events]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


@pytest.mark.timeout(600)
def test_nothing_is_written_to_the_card_while_nobody_comes(tmp_path: Path, demo_gallery: Path) -> None:
    picture_of_nobody = film(tmp_path / "film") / f"{PART - 1}.jpg"
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        camera = {"source": str(picture_of_nobody), "loop": True, "fps": 10.0, "realtime": True}
        with running(write_config(tmp_path, broker, demo_gallery, camera=camera)) as daemon:
            listener.wait_for(f"{TOPIC}/health", count=3)
            before, heard = sample(daemon, tmp_path)["written_kb"], len(listener.on(f"{TOPIC}/health"))
            listener.wait(lambda: len(listener.on(f"{TOPIC}/health")) >= heard + QUIET_S, 3 * QUIET_S)
            after = sample(daemon, tmp_path)["written_kb"]
    print(f"{after - before} kB written in {QUIET_S} s with nobody at the door")
    assert after == before


def test_everything_works_on_a_root_that_is_read_only(tmp_path: Path, demo_gallery: Path) -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("needs root and mount namespaces")
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(demo_gallery, state / "gallery.whg")
    mounts = f"mount --bind {state} {state} && mount -o remount,bind,ro / && ! touch {tmp_path}/probe 2>/dev/null"
    shell = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    program = [*shell, sys.executable, "-P", "-m", "edge"]
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        with running(write_config(state, broker, Path("gallery.whg")), program=program) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
        named = {event["person_id"] for event in visits(listener)} - {None}
    assert named == {"barack-obama", "joe-biden", "grace-hopper"}
    assert "read-only" not in daemon.log.lower()
