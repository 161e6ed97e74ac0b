"""10,000 people with ten templates each: opened, matched, shared between processes, reloaded by a running daemon."""

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Header, Person, Template
from edge.records import read_only
from edge.visits.matcher import Matcher
from support.box import AT
from support.broker import Heard, Listener, running_broker
from support.daemon import TOPIC, decoded, running, write_config
from support.networks import embedder

pytestmark = pytest.mark.slow

PEOPLE, EACH = 10_000, 10
FPS = 5


def crowd(version: int) -> Gallery:
    rows = np.random.default_rng(1).normal(size=(PEOPLE * EACH, embedder().dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people = [
        Person(f"person-{i}", f"Person {i}", [Template(f"{n}.jpg", 0.8, AT) for n in range(EACH)])
        for i in range(PEOPLE)
    ]
    return Gallery(Header(2, version, AT, embedder().id, people), read_only(rows))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crowd") / "crowd.whg"
    write_gallery(crowd(1), path)
    return path


def least(times: list[float]) -> float:
    return min(times) * 1000


def test_a_hundred_thousand_templates_open_and_match(big: Path) -> None:
    """`-s` shows how fast."""
    opening, cpu, matching = [], [], []
    for _ in range(5):
        began, used = time.perf_counter(), time.process_time()
        gallery = open_gallery(big, embedder().id)
        opening.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    matcher = Matcher(gallery, 0.5, 0.05, embedder().calibration)
    for n in range(20):
        began = time.perf_counter()
        best = matcher.match(gallery.embeddings[n * 500]).best
        matching.append(time.perf_counter() - began)
        assert best and best.person_id == f"person-{n * 50}"
    print(
        f"\n{PEOPLE * EACH} templates, {big.stat().st_size / 1e6:.0f} MB: open {least(opening):.0f} ms "
        f"({least(cpu):.0f} ms of processor time), match {least(matching):.1f} ms"
    )


def test_processes_share_one_copy(big: Path) -> None:
    program = (
        "import re, sys; from pathlib import Path; from edge.galleries.file import open_gallery\n"
        "gallery = open_gallery(Path(sys.argv[1]), None); print(float(gallery.embeddings.sum()))\n"
        "maps = Path('/proc/self/smaps').read_text(); part = maps[maps.index(sys.argv[1]):]\n"
        "print(re.search(r'Private_Dirty: +(\\d+)', part)[1])"
    )
    command = [sys.executable, "-c", program, str(big)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [reader.communicate()[0].split() for reader in readers]
    assert said[0] == said[1]
    assert said[0][1] == "0"


def test_a_running_daemon_reloads_it_and_goes_on_watching(tmp_path: Path, big: Path) -> None:
    porch, gallery = tmp_path / "porch", tmp_path / "crowd.whg"
    porch.mkdir()
    cv2.imwrite(str(porch / "1.png"), np.full((120, 160, 3), 90, np.uint8))
    gallery.hardlink_to(big)
    beside = tmp_path / "next.whg"
    write_gallery(crowd(2), beside)
    health = f"{TOPIC}/health"
    with running_broker(tmp_path / "broker") as broker, Listener(broker, health) as listener:
        camera = {"source": str(porch), "realtime": True, "loop": True, "fps": FPS}
        config = write_config(tmp_path, broker, gallery, camera=camera)
        with running(config) as daemon:
            listener.wait(lambda: len(listener.on(health)) >= 3)
            before = decoded(listener.on(health)[-1])
            began = time.monotonic()
            beside.replace(gallery)
            daemon.wait_for_log(f"reload: gallery version 2, {PEOPLE} people")
            took = time.monotonic() - began
            # Ten thousand retained states go out first.
            listener.wait(lambda: _version(listener.on(health)) == "2")
            after = decoded(listener.on(health)[-1])
    dropped = after["frames_dropped"] - before["frames_dropped"]
    print(f"\nin force {took:.2f} s after it was renamed into place, {dropped} frames dropped meanwhile")
    assert after["frames"] > before["frames"]


def _version(heard: list[Heard]) -> str:
    version: str = decoded(heard[-1])["gallery"]["version"]
    return version
