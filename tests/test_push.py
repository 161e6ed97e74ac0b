"""`whosthere-converter push` to real sshd servers with a restricted key."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converter.__main__ import main
from converter.push import BoxEntry as Listed
from converter.push import BoxInventory, InventoryError, PushTarget, targets_for
from edge.errors import UsageError
from edge.galleries.file import open_gallery
from support.box import SIGNER, Box, bundle, keeping
from support.sshd import Sshd, new_key, running_sshd

RECEIVE = f"{sys.executable} -m edge gallery receive --config "


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signs and pushes: one key for both is how most will begin."""
    return new_key(tmp_path_factory.mktemp("keys") / "ada")


@contextlib.contextmanager
def reachable(box: Box, key: Path, before: str = "") -> Iterator[Sshd]:
    with running_sshd(box.folder / "sshd", key, f"{before}{RECEIVE}{box.config}") as server:
        yield server


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["push", *words])


def told(result: Result) -> list[dict[str, Any]]:
    outcomes: list[dict[str, Any]] = json.loads(result.stdout)
    return outcomes


def test_a_push_is_acknowledged_and_an_old_one_refused(tmp_path: Path, key: Path) -> None:
    box = Box.make(tmp_path / "door", key)
    bundle(box.gallery, 3, key=key)
    new = bundle(tmp_path / "new.whg", 4, "ada", "charles", key=key)
    with keeping(box) as [known], reachable(box, key) as server:
        ssh = ("--ssh", " ".join(server.ssh()))
        dry = run(str(new), "127.0.0.1", *ssh, "--dry-run", "--json")
        assert [(o["status"], o["answer"]["previous"]) for o in told(dry)] == [("verified", 3)]
        assert known.matcher.gallery.header.version == 3
        done = run(str(new), "127.0.0.1", *ssh)
        assert done.exit_code == 0, done.output
        assert re.search(rf"127\.0\.0\.1 +in force +4 +3 +2 +2 +{SIGNER}", done.stdout)
        assert [p.id for p in known.matcher.gallery.people] == ["ada", "charles"]
        old = bundle(tmp_path / "old.whg", 2, key=key)
        replayed = run(str(old), "127.0.0.1", *ssh)
        assert replayed.exit_code == 1
        assert "version 2 is not newer than version 4" in replayed.stdout
        assert run(str(old), "127.0.0.1", *ssh, "--force").exit_code == 0
        assert known.matcher.gallery.header.version == 2


@pytest.mark.slow
def test_the_key_can_do_nothing_else(tmp_path: Path, key: Path) -> None:
    box = Box.make(tmp_path / "door", key)
    bundle(box.gallery, 3, key=key)
    secret = tmp_path / "secret"
    secret.write_text("nobody may read this")
    with reachable(box, key) as server:
        for words in (
            ["cat", str(secret)],
            ["sh", "-c", f"'touch {tmp_path}/made'"],
            ["receive", "--config", str(secret)],
        ):
            asked = subprocess.run([*server.ssh(), "127.0.0.1", *words], capture_output=True, input=b"", check=False)
            assert asked.returncode == 2
            assert b"may only push galleries" in asked.stdout and b"nobody may" not in asked.stdout + asked.stderr
        shell = subprocess.run([*server.ssh("-tt"), "127.0.0.1"], capture_output=True, input=b"id\n", check=False)
        assert shell.returncode != 0 and b"uid=" not in shell.stdout
        assert b"PTY allocation request failed" in shell.stderr
        config = tmp_path / "ssh_config"
        config.write_text(server.config("door"))
        copy = ["scp", "-q", "-F", str(config), f"door:{secret}", str(tmp_path / "got")]
        copied = subprocess.run(copy, capture_output=True, check=False)
        assert copied.returncode != 0 and not (tmp_path / "got").exists()
        assert not (tmp_path / "made").exists()
        assert not _forwards(server)


def _forwards(server: Sshd) -> bool:
    """Whether a connection through the server reaches a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        there = f"127.0.0.1:{inside.getsockname()[1]}"
        command = [*server.ssh("-W", there), "127.0.0.1"]
        asked = subprocess.run(command, capture_output=True, input=b"", check=False, timeout=300)
        assert b"forwarding failed" in asked.stderr, asked.stderr
        inside.settimeout(0.2)
        try:
            inside.accept()
        except TimeoutError:
            return False
        return True


@pytest.mark.slow(25)
def test_twenty_boxes_of_which_three_are_broken(tmp_path: Path, key: Path) -> None:
    """One is down, one has a full disk, one is too slow; the other seventeen have it in force."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting a file system takes root")
    names = [f"box{n:02}" for n in range(20)]
    boxes = {name: Box.make(tmp_path / name, key) for name in names}
    boxes["box07"] = Box.make(tmp_path / "box07", key, disk / "gallery.whg")
    before = {"box12": "sleep 600; "}
    new = bundle(tmp_path / "new.whg", 4, *(f"somebody-{n}" for n in range(20)), key=key)
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["umount", str(disk)], check=True)
        for box in boxes.values():
            bundle(box.gallery, 3, key=key)
        stack.enter_context(keeping(*boxes.values()))
        servers = {n: stack.enter_context(reachable(box, key, before.get(n, ""))) for n, box in boxes.items()}
        servers["box03"].stop()
        config = tmp_path / "ssh_config"
        config.write_text("".join(server.config(name) for name, server in servers.items()))
        inventory = tmp_path / "boxes.yaml"
        inventory.write_text("boxes:\n" + "".join(f"  {name}: {{groups: [house]}}\n" for name in names))
        words = (str(new), "house", "--inventory", str(inventory), "--ssh", f"ssh -F {config}", "--timeout", "45")
        done = run(*words)
        print(f"\nexit code {done.exit_code}\n{done.stdout}")
        assert done.exit_code == 1
        states = dict(re.findall(r"^(box\d\d)  (in force|unreachable|refused|timed out)", done.stdout, re.MULTILINE))
        assert {name: state for name, state in states.items() if state != "in force"} == {
            "box03": "unreachable",
            "box07": "refused",
            "box12": "timed out",
        }, done.output
        assert "Connection refused" in done.stdout and "No space left on device" in done.stdout
        assert "3 of 20 boxes do not use it: box03, box07, box12" in done.stderr
        for name, box in boxes.items():
            assert open_gallery(box.gallery, None).header.version == (4 if states[name] == "in force" else 3)


def test_the_canary_keeps_the_others_safe(tmp_path: Path, key: Path) -> None:
    good, bad = Box.make(tmp_path / "good", key), Box.make(tmp_path / "bad", new_key(tmp_path / "other"))
    for box in (good, bad):
        bundle(box.gallery, 3, key=key)
    new = bundle(tmp_path / "new.whg", 4, key=key)
    with reachable(good, key) as one, reachable(bad, key) as other:
        config = tmp_path / "ssh_config"
        config.write_text(one.config("good") + other.config("bad"))
        done = run(str(new), "bad", "good", "--canary", "1", "--ssh", f"ssh -F {config}", "--json")
    assert [(o["box"], o["status"]) for o in told(done)] == [("bad", "refused"), ("good", "not tried")]
    assert open_gallery(good.gallery, None).header.version == 3


def test_a_box_that_comes_up_late_is_reached_again(tmp_path: Path, key: Path) -> None:
    box = Box.make(tmp_path / "door", key)
    bundle(box.gallery, 3, key=key)
    new = bundle(tmp_path / "new.whg", 4, key=key)
    with keeping(box), reachable(box, key) as server:
        server.stop()
        late = threading.Timer(0.7, server.resume)
        late.start()
        done = run(str(new), "127.0.0.1", "--ssh", " ".join(server.ssh()), "--retry", "6", "--json")
        late.join()
    [outcome] = told(done)
    assert outcome["status"] == "in force" and outcome["tries"] > 1


def test_each_box_gets_it_encrypted_to_its_own_key(tmp_path: Path, key: Path) -> None:
    pytest.importorskip("pyrage")
    mine = new_key(tmp_path / "mine")
    box = Box.make(tmp_path / "door", key, identity_file=str(mine))
    bundle(box.gallery, 3, key=key)
    new = bundle(tmp_path / "new.whg", 4, key=key)
    inventory = tmp_path / "boxes.yaml"
    public = mine.with_suffix(".pub").read_text().strip()
    inventory.write_text(f"boxes:\n  door: {{host: 127.0.0.1, encrypt_to: {public}}}\n")
    with keeping(box), reachable(box, key) as server:
        done = run(str(new), "--inventory", str(inventory), "--ssh", " ".join(server.ssh()), "--json")
    assert [o["status"] for o in told(done)] == ["in force"], done.output
    assert box.gallery.read_bytes().startswith(b"age-encryption.org/v1")


def test_names_groups_and_hosts() -> None:
    inventory = BoxInventory({"a": Listed(groups=["x"]), "b": Listed("pi@b.lan", ["x", "y"]), "c": Listed()})
    assert [t.name for t in targets_for([], inventory)] == ["a", "b", "c"]
    assert targets_for(["y", "x", "d"], inventory) == [
        PushTarget("b", "pi@b.lan"),
        PushTarget("a", "a"),
        PushTarget("d", "d"),
    ]
    with pytest.raises(InventoryError, match="no box to push to"):
        targets_for([], None)
    with pytest.raises(UsageError, match="is not a host"):
        targets_for(["-oProxyCommand=sh"], None)
