"""A pipe planted in the place of any file that whosthere reads: nothing waits for it."""

import contextlib
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.config.secret_file import read_secret
from edge.config.sections import NO_KEYS
from edge.diary.diary_file import DiaryFile
from edge.diary.reader import DiaryReader
from edge.errors import WhosthereError
from edge.galleries.daemon_status import StatusFile, is_running, read_status
from edge.galleries.encryption import decrypt
from edge.galleries.file import open_gallery
from edge.galleries.forget import Traces
from edge.galleries.history import LOG, History, HistoryEntry
from edge.models.card import read_card
from edge.mqtt.outbox_file import OutboxFile
from edge.mqtt.sent_note import SentNote
from edge.regular_file import make_regular, open_regular, read_regular, require_regular
from edge.storage.database import StorageError

pytestmark = pytest.mark.timeout(60)
ENTRY = HistoryEntry(at="2026-01-01T00:00:00Z", action="received", version=1)
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "the gallery": ("gallery.whg", lambda folder: open_gallery(folder / "gallery.whg", None, NO_KEYS)),
    "the log": (f"gallery.whg.history/{LOG}", lambda folder: History(folder / "gallery.whg").entries()),
    "more in the log": (
        f"gallery.whg.history/{LOG}",
        lambda folder: History(folder / "gallery.whg").record(ENTRY),
    ),
    "the status": (".gallery.whg.in-force.json", lambda folder: read_status(folder / "gallery.whg")),
    "whether a daemon runs": (".gallery.whg.running", lambda folder: is_running(folder / "gallery.whg")),
    "the daemon's lock": (".gallery.whg.running", lambda folder: StatusFile(folder / "gallery.whg").close()),
    "the identity": ("key", lambda folder: decrypt(b"", folder / "key", "it")),
    "traces of somebody": ("rest", lambda folder: Traces("ada", {b"ada"}).within(folder / "rest")),
    "a model card": ("card.yaml", lambda folder: read_card(folder / "card.yaml")),
    "the note of what was sent": ("outbox-sent", lambda folder: SentNote(folder / "outbox").read()),
    "writing that note": ("outbox-sent", lambda folder: SentNote(folder / "outbox").write(1, "v/1")),
    "the config": ("config.yaml", lambda folder: load_config(folder / "config.yaml")),
    "a secret": ("password", lambda folder: read_secret(str(folder / "password"), "mqtt.password_file")),
    "the outbox": ("outbox", lambda folder: OutboxFile(folder / "outbox", 10)),
    "the outbox's log": ("outbox-wal", lambda folder: OutboxFile(folder / "outbox", 10)),
    "the outbox's index": ("outbox-shm", lambda folder: OutboxFile(folder / "outbox", 10)),
    "the outbox's journal": ("outbox-journal", lambda folder: OutboxFile(folder / "outbox", 10)),
    "the diary": ("diary", lambda folder: DiaryFile(folder / "diary", 10)),
    "reading the diary": ("diary", lambda folder: DiaryReader(folder / "diary")),
}


@pytest.mark.parametrize("what", READERS)
def test_nothing_waits_for_a_pipe(what: str, tmp_path: Path) -> None:
    name, read = READERS[what]
    pipe = tmp_path / name
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)
    try:
        read(tmp_path)
    except OSError:
        pass
    except WhosthereError as error:
        assert "Errno" not in str(error)
    assert pipe.is_fifo()


@pytest.mark.parametrize("what", ["the log", "more in the log", "the status", "the note of what was sent"])
def test_files_of_our_own_are_no_links(what: str, tmp_path: Path) -> None:
    name, read = READERS[what]
    link, secret = tmp_path / name, tmp_path / "secret"
    link.parent.mkdir(exist_ok=True)
    secret.write_bytes(b'[1, "v/1"]\n')
    link.symlink_to(secret)
    with contextlib.suppress(WhosthereError):
        assert not read(tmp_path) or read(tmp_path) == (0, "")
    assert secret.read_bytes() == b'[1, "v/1"]\n'


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    file, pipe, other = tmp_path / "file", tmp_path / "pipe", tmp_path / "socket"
    file.write_bytes(b"x")
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(other))
        for odd in (pipe, other, tmp_path, Path("/dev/zero")):
            for use in (open_regular, read_regular, make_regular, require_regular):
                with pytest.raises(OSError):
                    use(odd)
    (tmp_path / "link").symlink_to(file)
    assert read_regular(file) == read_regular(tmp_path / "link") == b"x"
    with pytest.raises(OSError):
        read_regular(tmp_path / "link", follow=False)
    require_regular(tmp_path / "missing")
    make_regular(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to lose")
def test_root_opens_no_database_in_a_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for suffix in ("", "-wal"):
        (folder / f"outbox{suffix}").symlink_to(tmp_path / "secret")
        with pytest.raises(StorageError, match=r"in a folder of the user 65534, .*run this as that user"):
            OutboxFile(folder / "outbox", 10)
        (folder / f"outbox{suffix}").unlink()
    assert not (tmp_path / "secret").exists()
    assert list(folder.iterdir()) == []


def test_a_link_to_a_database_elsewhere_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    OutboxFile(tmp_path / "disk/outbox", 10).close()
    (tmp_path / "outbox").symlink_to(tmp_path / "disk/outbox")
    OutboxFile(tmp_path / "outbox", 10).close()
    assert sqlite3.connect(tmp_path / "disk/outbox").execute("SELECT count(*) FROM waiting").fetchone() == (0,)
