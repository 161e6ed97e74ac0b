"""Receiving galleries at the edges: limits met exactly, disks that refuse, daemons that do not answer."""

import io
import os
import re
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.config.sections import NO_KEYS
from edge.daemon.gallery_manager import GalleryManager
from edge.errors import GalleryError
from edge.galleries import forget
from edge.galleries.file import encode, identity_of, open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History
from edge.galleries.receive import Receiver, timestamp
from support.box import AT, SIGNER, Box, bundle, family, keeping
from support.networks import embedder
from support.sshd import new_key


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "ada")


@pytest.fixture
def empty(tmp_path: Path, key: Path) -> Box:
    """Without a gallery."""
    return Box.make(tmp_path / "box", key)


@pytest.fixture
def box(empty: Box, key: Path) -> Box:
    """With version 3 of ada and benny in force."""
    bundle(empty.gallery, 3, key=key)
    return empty


def stream(version: int, *names: str, key: Path) -> io.BytesIO:
    return io.BytesIO(encode(family(version, *names), key))


def visible(box: Box) -> list[str]:
    return sorted(path.name for path in box.gallery.parent.iterdir())


class Pieces(io.BytesIO):
    """Comes in pieces of a hundred bytes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(100)


def test_the_answer_to_the_first_gallery_ever(empty: Box, key: Path) -> None:
    answer = empty.receiver().receive(Pieces(encode(family(0, "ada", "benny"), key)))
    assert (answer.status, answer.version, answer.previous, answer.threshold) == ("written", 0, None, None)
    assert (answer.people, answer.templates, answer.signer) == (2, 2, SIGNER)
    assert (answer.warnings, answer.forgotten) == ([], None)
    assert open_gallery(empty.gallery, None).header.version == 0
    assert visible(empty) == ["allowed_signers", "config.yaml", "gallery.whg", "gallery.whg.history"]


def test_it_takes_as_long_as_the_clock_says(empty: Box, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, jump = time.monotonic, [0.0]

    class Late(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            jump[0] = 50_000.0
            return super().read(size)

    monkeypatch.setattr(time, "monotonic", lambda: clock() + jump[0])
    began = clock()
    took_ms = empty.receiver().receive(Late(encode(family(4), key))).took_ms
    assert 50_000_000 <= took_ms <= 50_000_000 + (clock() - began) * 1000 + 1


def test_what_is_received_is_on_disk_before_and_after_it_takes_the_old_ones_place(
    box: Box, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be had in a test: this watches what is synced, and what is where at that moment."""
    sync = os.fsync
    synced: list[tuple[str, int, int]] = []

    def watched(file: int) -> None:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        synced.append((name, os.fstat(file).st_size, open_gallery(box.gallery, None).header.version))
        sync(file)

    content = encode(family(4), key)
    monkeypatch.setattr(os, "fsync", watched)
    box.receiver().receive(io.BytesIO(content))
    [upload] = [(size, version) for name, size, version in synced if name.endswith(".new")]
    assert upload == (len(content), 3)
    assert (box.folder.name, 4) in [(name, version) for name, _, version in synced]


def test_what_is_taken_back_is_on_disk_too(box: Box, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync
    versions: list[int] = []

    def watched(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").readlink() == box.folder:
            versions.append(open_gallery(box.gallery, None).header.version)
        sync(file)

    with keeping(box):
        monkeypatch.setattr(os, "fsync", watched)
        with pytest.raises(GalleryError, match="the daemon refused it and stays with version 3"):
            careless(box).receive(io.BytesIO(encode(family(4))))
    assert versions == [4, 3]


def test_an_earlier_gallery_that_is_gone_cannot_be_put_back(box: Box, key: Path) -> None:
    with keeping(box), pytest.raises(GalleryError, match=r"3-\w+\.whg cannot be put back: No such file or directory"):
        replace(careless(box), keep=0).receive(io.BytesIO(encode(family(4))))


def careless(box: Box) -> Receiver:
    """One that takes galleries nobody has signed, which the daemon refuses."""
    return replace(box.receiver(), keys=NO_KEYS)


def test_the_answer_of_a_running_daemon_is_what_it_says_itself(box: Box, key: Path) -> None:
    noon = datetime.now(UTC) + timedelta(days=1)
    guests = [*family(4, "ada").known(), *family(4, "late", expires_at=noon - timedelta(days=2)).known()]
    mixed = Gallery.of(4, AT, embedder().id, embedder().dimensions, guests)
    with keeping(box) as [known]:
        answer = box.receiver().receive(io.BytesIO(encode(mixed, key)))
        assert answer.threshold == known.matcher.threshold
    assert (answer.status, answer.reason, answer.version, answer.people, answer.templates) == (
        "in force",
        None,
        4,
        1,
        1,
    )
    assert answer.warnings == ["1 of its people have expired and are not recognised"]


def test_a_daemon_that_does_not_look_is_said(box: Box, key: Path) -> None:
    known = GalleryManager(box.loaded, embedder(), datetime.now(UTC))
    answer = box.receiver(ack_s=0.05).receive(stream(4, key=key))
    assert (answer.status, answer.reason, answer.version) == ("written", "the daemon does not respond", 4)
    known.close()
    verified = box.receiver().receive(stream(5, key=key), dry_run=True)
    assert (verified.status, verified.reason, verified.previous) == ("verified", None, 4)


def test_the_log_says_what_came_when_and_from_where(box: Box, key: Path) -> None:
    before = timestamp()
    receiver = replace(box.receiver(), sender="192.0.2.7")
    receiver.receive(stream(4, "ada", "benny", "charles", key=key))
    [entry] = History(box.gallery).entries()
    assert before <= entry.at <= timestamp()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.at)
    assert (entry.action, entry.version, entry.people, entry.templates) == ("received", 4, 3, 3)
    assert (entry.signer, entry.sender, entry.reason) == (SIGNER, "192.0.2.7", None)
    assert entry.identity == identity_of(family(4, "ada", "benny", "charles"))


def test_what_the_daemon_refuses_is_noted_and_a_first_gallery_has_nothing_to_go_back_to(box: Box, key: Path) -> None:
    with keeping(box):
        box.gallery.unlink()
        with pytest.raises(GalleryError, match="the daemon refused it and stays with version 3"):
            careless(box).receive(io.BytesIO(encode(family(4))))
    assert box.gallery.exists()
    [entry] = History(box.gallery).entries()
    assert (entry.action, entry.version) == ("refused", 4)
    assert entry.reason and "not signed" in entry.reason


def test_a_log_that_cannot_be_written_is_a_warning_as_the_gallery_is_in_force(box: Box, key: Path) -> None:
    (History(box.gallery).folder / "log.jsonl").mkdir(parents=True)
    answer = box.receiver().receive(stream(4, key=key))
    [warning] = answer.warnings
    assert "the log cannot be written" in warning
    assert open_gallery(box.gallery, None).header.version == 4


def test_the_limit_itself_is_allowed(box: Box, key: Path) -> None:
    content = encode(family(4), key)
    before = box.gallery.read_bytes()
    small = replace(box.receiver(), max_bytes=len(content) - 1)
    with pytest.raises(GalleryError, match=r"larger than 0 MB, which gallery\.max_mb allows"):
        small.receive(Pieces(content))
    assert box.gallery.read_bytes() == before
    assert visible(box) == ["allowed_signers", "config.yaml", "gallery.whg"]
    assert replace(small, max_bytes=len(content)).receive(Pieces(content)).status == "written"


def test_rubbish_in_the_place_of_the_gallery_is_replaced(empty: Box, key: Path) -> None:
    empty.gallery.write_bytes(b"rubbish")
    answer = empty.receiver().receive(stream(0, key=key))
    assert (answer.status, answer.previous) == ("written", None)
    assert History(empty.gallery).kept() == []


def test_another_gallery_of_the_same_version_is_refused_even_if_nothing_was_ever_received(box: Box, key: Path) -> None:
    with pytest.raises(GalleryError, match=r"version 3 is not newer than version 3, .* `--version 4`"):
        box.receiver().receive(stream(3, "charles", key=key))
    assert box.receiver().receive(stream(3, "charles", key=key), force=True).version == 3


def test_a_place_that_cannot_be_written_is_named(box: Box, empty: Box, key: Path) -> None:
    empty.gallery.unlink()
    empty.gallery.mkdir()
    with pytest.raises(GalleryError, match=r"gallery\.whg: cannot be replaced: Is a directory"):
        empty.receiver().receive(stream(4, key=key))
    assert visible(empty) == ["allowed_signers", "config.yaml", "gallery.whg"]
    nowhere = replace(empty.receiver(), path=empty.folder / "none" / "gallery.whg")
    with pytest.raises(GalleryError, match=r"gallery\.whg: cannot be received: No such file or directory"):
        nowhere.receive(stream(4, key=key))


def test_owner_and_mode_of_the_gallery_stay(box: Box, key: Path) -> None:
    for mode in (0o600, 0o640):
        box.gallery.chmod(mode)
        box.receiver().receive(stream(4 + mode, key=key))
        assert box.gallery.stat().st_mode & 0o777 == mode


def test_what_killed_receivers_left_is_cleared_away_but_not_what_others_are_writing(box: Box, key: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = [f".gallery.whg.{who}-abcd.new" for who in (str(gone.pid), str(os.getpid()), "somebody")]
    for name in names:
        (box.folder / name).write_bytes(b"half")
    box.receiver().receive(stream(4, key=key))
    assert [name for name in names if (box.folder / name).exists()] == names[1:]


def test_going_back_needs_the_same_disk(box: Box, key: Path, tmp_path: Path) -> None:
    shm = Path("/dev/shm")  # noqa: S108
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("a second file system is needed")
    elsewhere = bundle(shm / f"whosthere-{os.getpid()}.whg", 2, key=key)
    before = box.gallery.read_bytes()
    try:
        with pytest.raises(GalleryError, match=r"\.whg: cannot be put back: Invalid cross-device link"):
            box.receiver().roll_back(elsewhere)
    finally:
        elsewhere.unlink()
    assert box.gallery.read_bytes() == before


def test_a_version_that_one_went_back_to_is_noted_as_such(box: Box, key: Path) -> None:
    box.receiver().receive(stream(4, "charles", key=key))
    [kept] = History(box.gallery).kept()
    answer = box.receiver().roll_back(kept)
    assert (answer.status, answer.version, answer.previous, answer.people) == ("written", 3, 4, 2)
    assert [entry.action for entry in History(box.gallery).entries()] == ["received", "rolled back"]
    assert [path.name.split("-")[0] for path in History(box.gallery).kept()] == ["4", "3"]


def test_who_is_to_be_forgotten_must_not_be_in_the_bundle(box: Box, key: Path) -> None:
    before = box.gallery.read_bytes()
    with pytest.raises(GalleryError, match="ada should be forgotten, but the bundle still contains them"):
        box.receiver().receive(stream(4, "ada", key=key), without="ada")
    assert box.gallery.read_bytes() == before


def test_a_push_that_forgets_says_what_it_removed_and_where_something_is_left(
    box: Box, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "SEARCH_S", 0.0)
    state = tmp_path / "state"
    state.mkdir()
    (state / "note").write_text('{"person": "benny"}')
    picture = tmp_path / "picture.jpg"
    receiver = replace(box.receiver(), state=(state,), forget_elsewhere=lambda _: [str(picture)])
    answer = receiver.receive(stream(4, "ada", key=key), without="benny")
    assert (answer.status, answer.version) == ("written", 4)
    assert answer.forgotten is not None
    assert answer.forgotten.person == "benny"
    [first, second] = answer.forgotten.removed
    assert (first, Path(second).name.split("-")[0]) == (str(picture), "3")
    assert answer.forgotten.still_held == [str(state / "note")]
