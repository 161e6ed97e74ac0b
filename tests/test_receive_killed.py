"""Receiver and daemon killed at random moments of a push: always exactly the old or the new gallery, valid.

A few rounds, or with WHOSTHERE_FULL=1 in the environment 200.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.galleries.daemon_status import is_running, read_status, stamp_of, wait_for_status
from edge.galleries.file import encode, open_gallery
from support.box import Box, bundle, family, keeping
from support.broker import Broker
from support.daemon import WAIT_S, Daemon, write_config
from support.sshd import new_key

ROUNDS = 200 if os.environ.get("WHOSTHERE_FULL") else 6
RECEIVE = ["-m", "edge", "gallery", "receive", "--config"]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """With version 3 in force, and a daemon's config of an empty porch without a broker."""
    key = new_key(tmp_path / "ada")
    made = Box.make(tmp_path / "box", key)
    bundle(made.gallery, 3, key=key)
    (made.folder / "porch").mkdir()
    cv2.imwrite(str(made.folder / "porch" / "1.png"), np.full((120, 160, 3), 90, np.uint8))
    write_config(
        made.folder,
        Broker(tmp_path, port=9),
        made.gallery,
        camera={"source": "porch", "realtime": True, "loop": True},
        gallery={"allowed_signers": "allowed_signers"},
    )
    return made


def started_push(box: Box, version: int, program: list[str] | None = None) -> "subprocess.Popen[bytes]":
    content = encode(family(version), box.folder.parent / "ada")
    command = [sys.executable, *(program or RECEIVE), str(box.config)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(content)
        process.stdin.close()
    return process


def settled(box: Box, daemon: Daemon) -> int:
    """The version in force once the daemon has looked at the file that is there."""
    deadline = time.monotonic() + WAIT_S
    while (state := wait_for_status(box.gallery, stamp_of(box.gallery), 1.0)) is None:
        assert time.monotonic() < deadline, daemon.log
    assert state.error is None, state.error
    return state.version


@pytest.mark.slow
@pytest.mark.timeout(300 * ROUNDS + 300)
def test_whatever_is_killed_the_old_gallery_or_the_new_one_is_in_force(box: Box) -> None:
    """The daemon every other time, the receiver in between."""
    rng, outcomes = np.random.default_rng(9), []
    daemon = Daemon(box.config)
    try:
        settled(box, daemon)
        for version in range(4, 4 + ROUNDS):
            before = open_gallery(box.gallery, None).header.version
            push = started_push(box, version)
            with contextlib.suppress(subprocess.TimeoutExpired):
                push.wait(rng.uniform(0.0, 2.0))
            if version % 2:
                daemon.send(signal.SIGKILL)
                daemon.wait()
                daemon = Daemon(box.config)
            push.kill()
            push.wait()
            found = open_gallery(box.gallery, None, box.loaded.gallery_keys)
            assert found.header.version in {before, version}
            assert settled(box, daemon) == found.header.version
            outcomes.append(found.header.version == version)
        assert "Traceback" not in daemon.log
    finally:
        daemon.send(signal.SIGKILL)
        daemon.wait()
    assert not is_running(box.gallery)
    print(f"\nkilled {ROUNDS} times: {sum(outcomes)} times the new gallery was in force, else the old one")


def test_a_machine_that_goes_off_between_writing_and_renaming(box: Box, tmp_path: Path) -> None:
    program = tmp_path / "off.py"
    program.write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from edge.__main__ import main\n"
        "main(['gallery', 'receive', '--config', sys.argv[1]])\n"
    )
    before = box.gallery.read_bytes()
    with keeping(box) as [known]:
        assert started_push(box, 4, [str(program)]).wait(WAIT_S) == -signal.SIGKILL
        assert box.gallery.read_bytes() == before
        assert len(list(box.gallery.parent.glob(".gallery.whg.*.new"))) == 1
        assert known.matcher.gallery.header.version == 3
        # The same push again, after the machine has come up.
        assert started_push(box, 4).wait(WAIT_S) == 0
        state = read_status(box.gallery)
        assert state and state.version == 4
    assert not list(box.gallery.parent.glob(".gallery.whg.*.new"))
