"""A thread sleeps until a file changes or another thread wakes it."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.daemon.folder_watch import FolderWatch

LONG_S = 600.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    (made / "old").write_text("before")
    return made


def watching(folder: Path) -> FolderWatch:
    watch = FolderWatch()
    assert not watch.watch([folder]), "it may have changed just before"
    assert watch.watch([folder])
    return watch


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "old").write_text("after"),
        lambda folder: (folder / "old").unlink(),
        lambda folder: (folder / "old").rename(folder / "other"),
        lambda folder: (folder / "old").chmod(0o600),
        lambda folder: folder.rename(folder.with_name("elsewhere")),
    ],
    ids=["create", "write", "delete", "rename", "chmod", "move the folder"],
)
def test_a_change_ends_the_wait(folder: Path, change: Callable[[Path], object]) -> None:
    watch = watching(folder)
    change(folder)
    watch.wait(LONG_S)


def test_another_thread_ends_the_wait_even_before_it_begins(folder: Path) -> None:
    watch = watching(folder)
    watch.wake()
    watch.wait(LONG_S)
    threading.Timer(0.05, watch.wake).start()
    watch.wait(LONG_S)


def test_a_folder_that_is_not_there_is_not_watched_and_found_when_it_comes(tmp_path: Path) -> None:
    watch, folder = FolderWatch(), tmp_path / "later"
    assert not watch.watch([folder])
    assert not watch.watch([folder])
    folder.mkdir()
    assert not watch.watch([folder]), "it may have changed since it was made"
    assert watch.watch([folder])


def test_a_folder_that_is_replaced_is_watched_again(folder: Path) -> None:
    watch = watching(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    while not watch.watch([folder]):
        watch.wait(0.01)
    # What is left of the old folder's end.
    watch.wait(0.01)
    (folder / "new").touch()
    watch.wait(LONG_S)


def test_without_inotify_it_says_so_and_can_still_be_woken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FolderWatch, "_begin", lambda _: None)
    watch = FolderWatch()
    assert not watch.watch([folder])
    assert not watch.watch([folder])
    watch.wake()
    watch.wait(LONG_S)
