"""A bundle comes in or is refused, and whatever happens the box has exactly the old gallery or the new one."""

import io
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.__main__ import main
from edge.commands.gallery_history import difference
from edge.commands.gallery_receive import SshRequest, ssh_request
from edge.daemon.gallery_manager import RESTED, GalleryManager
from edge.errors import GalleryError, UsageError
from edge.galleries.daemon_status import is_running, read_status
from edge.galleries.file import encode, open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.galleries.history import History
from edge.galleries.lock import GalleryLocked, gallery_lock
from edge.records import read_only
from support.box import SIGNER, Box, bundle, family, keeping
from support.networks import embedder
from support.sshd import new_key


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "ada")


@pytest.fixture
def box(tmp_path: Path, key: Path) -> Box:
    """With version 3 of ada and benny in force."""
    made = Box.make(tmp_path / "box", key)
    bundle(made.gallery, 3, key=key)
    return made


def files(box: Box) -> list[str]:
    hidden = (".gallery.whg.running", ".gallery.whg.in-force.json")
    return sorted(path.name for path in box.gallery.parent.iterdir() if path.name not in hidden)


def stream(version: int, *names: str, key: Path) -> io.BytesIO:
    return io.BytesIO(encode(family(version, *names), key))


def test_a_newer_bundle_is_acknowledged_by_the_daemon(box: Box, key: Path) -> None:
    with keeping(box) as [known]:
        answer = box.receiver().receive(stream(4, "ada", "benny", "charles", key=key))
        assert (answer.status, answer.version, answer.previous, answer.people) == ("in force", 4, 3, 3)
        assert answer.signer == SIGNER and answer.threshold == known.matcher.threshold
        assert [p.id for p in known.matcher.gallery.people] == ["ada", "benny", "charles"]
        assert is_running(box.gallery)
    assert not is_running(box.gallery)
    [entry] = History(box.gallery).entries()
    assert (entry.action, entry.version, entry.people, entry.signer) == ("received", 4, 3, SIGNER)
    assert [path.name.split("-")[0] for path in History(box.gallery).kept()] == ["3"]


def test_the_same_bundle_again_is_no_harm(box: Box, key: Path) -> None:
    with keeping(box):
        before = box.gallery.stat().st_ino
        assert box.receiver().receive(stream(3, key=key)).status == "in force"
    assert box.gallery.stat().st_ino == before


def test_without_a_daemon_it_is_written_and_said_so(box: Box, key: Path) -> None:
    answer = box.receiver().receive(stream(4, key=key))
    assert (answer.status, answer.reason) == ("written", "no daemon is running on this box")
    assert open_gallery(box.gallery, None).header.version == 4


def test_old_bundles_are_refused_even_after_going_back(box: Box, key: Path) -> None:
    with keeping(box):
        receiver = box.receiver()
        for version in (4, 5):
            receiver.receive(stream(version, "ada" * version, key=key))
        with pytest.raises(GalleryError, match=r"version 4 is not newer than version 5.*--version 6"):
            receiver.receive(stream(4, "ada", key=key))
        back = receiver.roll_back(History(box.gallery).kept()[0])
        assert (back.status, back.version, back.previous) == ("in force", 4, 5)
        with pytest.raises(GalleryError, match="version 5 is not newer than version 5"):
            receiver.receive(stream(5, "other", key=key))
        assert receiver.receive(stream(5, "other", key=key), force=True).version == 5
        assert [e.action for e in History(box.gallery).entries()] == ["received"] * 2 + ["rolled back", "received"]


def test_no_more_earlier_galleries_are_kept_than_wanted(box: Box, key: Path) -> None:
    for version in range(4, 10):
        box.receiver().receive(stream(version, key=key))
    assert [path.name.split("-")[0] for path in History(box.gallery).kept()] == ["8", "7", "6"]


def test_a_dry_run_checks_all_and_changes_nothing(box: Box, key: Path) -> None:
    before = box.gallery.read_bytes()
    assert box.receiver().receive(stream(4, key=key), dry_run=True).status == "verified"
    with pytest.raises(GalleryError, match="not newer"):
        box.receiver().receive(stream(2, key=key), dry_run=True)
    assert box.gallery.read_bytes() == before
    assert files(box) == ["allowed_signers", "config.yaml", "gallery.whg"]


def other_embedder(key: Path, _: Path) -> bytes:
    known = family(4)
    return encode(Gallery.of(4, "", EmbedderId("facenet", "f" * 64), 192, known.known()), key)


def not_unit(key: Path, _: Path) -> bytes:
    known = family(4)
    return encode(Gallery(known.header, read_only(known.embeddings * np.float32("nan"))), key)


BAD: dict[str, tuple[Callable[[Path, Path], bytes], str]] = {
    "nothing": (lambda *_: b"", "found no data on standard input"),
    "noise": (lambda *_: os.urandom(3000), "not a gallery, or damaged"),
    "unsigned": (lambda *_: encode(family(4)), "not signed"),
    "a stranger's": (lambda _, tmp: encode(family(4), new_key(tmp / "mallory")), "does not allow"),
    "of another embedder": (other_embedder, "made with the embedder facenet"),
    "not unit vectors": (not_unit, "not unit vectors"),
    "too large": (lambda *_: bytes(10_000_001), "larger than 10 MB"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_is_wrong_is_refused_with_its_reason(box: Box, key: Path, tmp_path: Path, name: str) -> None:
    make, complaint = BAD[name]
    before = box.gallery.read_bytes()
    with pytest.raises(GalleryError, match=complaint):
        box.receiver().receive(io.BytesIO(make(key, tmp_path)))
    assert box.gallery.read_bytes() == before
    assert files(box) == ["allowed_signers", "config.yaml", "gallery.whg"]


def test_what_the_daemon_refuses_is_taken_back(box: Box, key: Path) -> None:
    """The templates do not fit the daemon's embedder, but a receiver that expects another one cannot tell."""
    odd = Gallery.of(4, "", embedder().id, 2, [(family(4).people[0], [np.array([1, 0], np.float32)])])
    before = box.gallery.read_bytes()
    with keeping(box) as [known]:
        with pytest.raises(GalleryError, match=r"the daemon refused it and stays with version 3: .*2 numbers each"):
            replace(box.receiver(), dimensions=2).receive(io.BytesIO(encode(odd, key)))
        assert known.matcher.gallery.header.version == 3
        assert box.gallery.read_bytes() == before
        # A refused version may come again, mended.
        assert box.receiver().receive(stream(4, key=key)).status == "in force"


def test_two_pushes_at_once_both_come_in_one_after_the_other(box: Box, key: Path) -> None:
    answers: list[str] = []

    def push(version: int) -> None:
        try:
            answers.append(box.receiver().receive(stream(version, key=key)).status)
        except GalleryError as error:
            assert "version 4 is not newer than version 5" in str(error)
            answers.append("refused")

    with keeping(box):
        pushes = [threading.Thread(target=push, args=(version,)) for version in (4, 5)]
        for one in pushes:
            one.start()
        for one in pushes:
            one.join()
    assert open_gallery(box.gallery, None).header.version == 5
    assert sorted(answers) in (["in force", "in force"], ["in force", "refused"])


def test_a_lock_that_is_not_freed_is_told(box: Box) -> None:
    busy = pytest.raises(GalleryLocked, match="another `whosthere` is changing it")
    with gallery_lock(box.gallery), busy, gallery_lock(box.gallery, wait_s=0.1):
        pass


def test_a_full_disk_and_a_read_only_one_leave_the_old_gallery(tmp_path: Path, key: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a file system takes root")
    try:
        box = Box.make(tmp_path / "box", key, disk / "gallery.whg")
        bundle(box.gallery, 3, key=key)
        before = box.gallery.read_bytes()
        many = io.BytesIO(encode(family(4, *(f"somebody-{n}" for n in range(80))), key))
        with pytest.raises(GalleryError, match=r"cannot be received: No space left on device"):
            box.receiver().receive(many)
        assert box.gallery.read_bytes() == before
        assert [p.name for p in disk.iterdir()] == ["gallery.whg"]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(GalleryError, match=r"cannot be received: Read-only file system"):
            box.receiver().receive(stream(4, key=key))
        with keeping(box) as [known]:
            assert known.matcher.gallery.header.version == 3
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_gallery_that_changed_by_other_means_comes_into_force_when_it_rests(box: Box, key: Path) -> None:
    known = GalleryManager(box.loaded, embedder(), datetime.now(UTC))
    assert not known.changed()
    content = encode(family(4), key)
    box.gallery.write_bytes(content[:1000])
    # Written over in place: perhaps somebody is still at it.
    assert not any(known.changed() for _ in range(RESTED))
    assert known.changed()
    with pytest.raises(GalleryError):
        known.reload(box.loaded, datetime.now(UTC))
    state = read_status(box.gallery)
    assert state and state.version == 3 and state.error
    assert not known.changed()
    write_gallery(family(4), box.gallery, key)
    assert known.changed()
    assert known.reload(box.loaded, datetime.now(UTC)).gallery.header.version == 4
    known.close()


def test_a_daemon_that_starts_on_a_damaged_gallery_uses_the_one_before(box: Box, key: Path) -> None:
    box.receiver().receive(stream(4, "ada", key=key))
    box.gallery.write_bytes(box.gallery.read_bytes()[:500])
    known = GalleryManager(box.loaded, embedder(), datetime.now(UTC))
    assert known.matcher.gallery.header.version == 3
    state = read_status(box.gallery)
    assert state and state.version == 3 and state.error and "damaged" in state.error
    write_gallery(family(5), box.gallery, key)
    assert known.changed() and known.reload(box.loaded, datetime.now(UTC)).gallery.header.version == 5
    known.close()
    for kept in History(box.gallery).kept():
        kept.unlink()
    box.gallery.write_bytes(b"")
    with pytest.raises(GalleryError):
        GalleryManager(box.loaded, embedder(), datetime.now(UTC))


def test_a_box_that_trusts_signatures_writes_nothing_unsigned(box: Box, key: Path) -> None:
    before = box.gallery.read_bytes()
    words = ["gallery", "remove", "ada", "--yes", "--config", str(box.config)]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 4 and "set gallery.signing_key" in refused.stderr
    assert box.gallery.read_bytes() == before
    box.config.write_text(box.config.read_text() + f"  signing_key: {key}\n")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert open_gallery(box.gallery, None, box.loaded.gallery_keys).signer == SIGNER


def test_somebody_whose_time_runs_out_is_dropped_at_that_time(box: Box, key: Path) -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    guest = family(4, "guest", expires_at=noon)
    both = Gallery.of(4, "", guest.header.embedder, 192, [*family(4, "ada").known(), *guest.known()])
    write_gallery(both, box.gallery, key)
    known = GalleryManager(box.loaded, embedder(), noon - timedelta(seconds=1))
    assert len(known.matcher.gallery.people) == 2
    assert known.expire(noon - timedelta(seconds=0.5)) is None
    matcher = known.expire(noon)
    assert matcher and [p.id for p in matcher.gallery.people] == ["ada"]
    assert matcher.gallery.embeddings.shape == (1, 192)
    assert known.expire(noon + timedelta(days=1)) is None
    state = read_status(box.gallery)
    assert state and (state.people, state.templates) == (1, 1)
    known.close()


def test_what_a_restricted_key_may_ask_for() -> None:
    assert ssh_request({}) == SshRequest()
    assert ssh_request({"SSH_ORIGINAL_COMMAND": "receive --force --dry-run"}) == SshRequest(force=True, dry_run=True)
    assert ssh_request({"SSH_ORIGINAL_COMMAND": "receive --forget=ada-l"}) == SshRequest(person="ada-l")
    for asked in (
        "sh",
        "cat /etc/passwd",
        "receive --config /tmp/x",
        "receive; sh",
        "'",
        "scp -t /",
        "receive receive",
        "--forget=../x",
    ):
        with pytest.raises(UsageError):
            ssh_request({"SSH_ORIGINAL_COMMAND": asked})


def test_the_difference_of_two_galleries() -> None:
    found = difference(family(3, "ada", "benny"), family(4, "benny", "charles"))
    assert (found.old, found.new, found.added, found.removed, found.changed) == (3, 4, ["charles"], ["ada"], [])
