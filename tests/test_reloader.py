"""Galleries and thresholds are loaded on a thread of their own, which may be slow without anybody waiting for it."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.config.web import WebSettings
from edge.daemon import reloader as reloader_module
from edge.daemon.folder_watch import FolderWatch
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.reloader import Reloader
from edge.galleries.daemon_status import stamp_of
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.visits.matcher import Matcher
from support.box import SIGNER, Box, bundle
from support.broker import Listener, running_broker
from support.daemon import TOPIC, decoded, running, visit_events, write_config
from support.networks import embedder
from support.publishing import until
from support.service_manager import FakeServiceManager, service_manager
from support.slow_ssh_keygen import CALLS_PER_CHECK, SlowSshKeygen, slow_ssh_keygen
from support.sshd import new_key

STALL_S = 6
LONG_S = 60


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "ada")


@pytest.fixture
def box(tmp_path: Path, key: Path) -> Box:
    made = Box.make(tmp_path / "box", key)
    bundle(made.gallery, 3, key=key)
    return made


@pytest.fixture
def ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowSshKeygen]:
    with slow_ssh_keygen(tmp_path / "bin") as program:
        monkeypatch.setenv("PATH", program.path)
        yield program


class Replies:
    """What was replied, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bool, str]] = []

    def of(self, name: str) -> Callable[[bool, str], None]:
        return lambda ok, text: self.all.append((name, ok, text))


class Messages:
    """A service manager that remembers what it was sent."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def notify(self, message: str) -> None:
        self.all.append(message.partition("\n")[0])


@contextmanager
def reloading(
    box: Box, messages: Messages, pages: list[WebSettings] | None = None
) -> Iterator[tuple[Reloader, GalleryManager, list[Matcher]]]:
    gallery, matchers = GalleryManager(box.loaded, embedder(), datetime.now(UTC)), list[Matcher]()
    reloader = Reloader(
        box.config, box.loaded, gallery, messages, matchers.append, ([] if pages is None else pages).append
    )
    reloader.service_is_ready = True
    reloader.start()
    try:
        yield reloader, gallery, matchers
    finally:
        reloader.stop()
        gallery.close()


def test_requests_during_a_reload_are_answered_by_one_more(box: Box, ssh_keygen: SlowSshKeygen) -> None:
    replies, messages = Replies(), Messages()
    with reloading(box, messages) as (reloader, _, matchers):
        before = ssh_keygen.calls
        ssh_keygen.hold()
        reloader.request_reload(replies.of("first"))
        ssh_keygen.wait_for_call(before)
        for name in ("second", "third"):
            reloader.request_reload(replies.of(name))
        reloader.request_reload()
        assert replies.all == []
        ssh_keygen.release()
        until(lambda: len(replies.all) == 3)
        assert [(name, ok) for name, ok, _ in replies.all] == [("first", True), ("second", True), ("third", True)]
        assert ssh_keygen.calls == before + 2 * CALLS_PER_CHECK
        assert messages.all == ["RELOADING=1", "READY=1"] * 2
        assert len(matchers) == 2


def test_nobody_waits_for_the_galleries_lock_while_a_signature_is_verified(box: Box, ssh_keygen: SlowSshKeygen) -> None:
    replies = Replies()
    with reloading(box, Messages()) as (reloader, gallery, _), ThreadPoolExecutor(1) as pool:
        before = ssh_keygen.calls
        ssh_keygen.hold()
        try:
            reloader.request_reload(replies.of("reload"))
            ssh_keygen.wait_for_call(before)
            questions: list[Callable[[], Any]] = [
                gallery.changed,
                lambda: gallery.target,
                lambda: gallery.bounds,
                lambda: gallery.version_on_disk,
                lambda: gallery.expire(datetime.now(UTC)),
                lambda: gallery.set_false_alarm_target(0.01, datetime.now(UTC)),
                lambda: reloader.request_target(0.02, replies.of("target")),
                lambda: reloader.request_reload(replies.of("again")),
            ]
            for question in questions:
                pool.submit(question).result(LONG_S)
            assert replies.all == []
        finally:
            ssh_keygen.release()
        until(lambda: len(replies.all) == 3)
        assert [name for name, _, _ in replies.all] == ["reload", "target", "again"]
        assert gallery.target == 0.02, "a reload that changes no `match` keeps the target"


def test_stopping_waits_for_no_reload_and_stays_the_last_word(box: Box, ssh_keygen: SlowSshKeygen) -> None:
    replies, messages = Replies(), Messages()
    with reloading(box, messages) as (reloader, _, matchers):
        before = ssh_keygen.calls
        ssh_keygen.hold()
        reloader.request_reload(replies.of("under way"))
        ssh_keygen.wait_for_call(before)
        reloader.request_target(0.01, replies.of("waiting"))
        reloader.stop()
        assert replies.all == [("waiting", False, "the daemon is stopping")]
        ssh_keygen.release()
        until(lambda: len(replies.all) == 2)
        assert len(matchers) == 1
        assert messages.all == ["RELOADING=1"], "READY=1 after STOPPING=1 would undo it"


def test_a_target_that_nothing_supports_is_refused(box: Box) -> None:
    replies = Replies()
    with reloading(box, Messages()) as (reloader, gallery, matchers):
        reloader.request_target(1e-12, replies.of("target"))
        until(lambda: bool(replies.all))
        assert not replies.all[0][1] and "allow" in replies.all[0][2]
        assert matchers == [] and gallery.target == 0.001


def test_a_file_that_changes_is_loaded_and_one_that_is_bad_is_refused(box: Box, key: Path) -> None:
    with reloading(box, Messages()) as (_, gallery, matchers):
        bundle(box.gallery, 4, "ada", key=key)
        until(lambda: bool(matchers))
        assert matchers[0].gallery.header.version == 4
        assert gallery.version_on_disk == "4"
        bundle(box.gallery, 5, "ada", key=new_key(box.folder / "eve"))
        until(lambda: gallery.version_on_disk is None)
        assert gallery.matcher.gallery.header.version == 4
        assert len(matchers) == 1


def test_a_new_gallery_wakes_a_reloader_that_sleeps(box: Box, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would: it sleeps for as long as the test may take."""
    monkeypatch.setattr(reloader_module, "REST_S", 10 * LONG_S)
    waits: list[float] = []
    wait = FolderWatch.wait

    def recorded(watch: FolderWatch, timeout_s: float) -> None:
        waits.append(timeout_s)
        wait(watch, timeout_s)

    monkeypatch.setattr(FolderWatch, "wait", recorded)
    with reloading(box, Messages()) as (reloader, _, matchers):
        until(lambda: 10 * LONG_S in waits)
        bundle(box.gallery, 4, "ada", key=key)
        until(lambda: bool(matchers))
        replies = Replies()
        reloader.request_target(0.02, replies.of("target"))
        until(lambda: bool(replies.all))
        until(lambda: waits[-1] == 10 * LONG_S)


def test_a_file_that_is_being_written_is_looked_at_until_it_rests(
    box: Box, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloader_module, "REST_S", 10 * LONG_S)
    bundle(box.folder / "new", 4, "ada", key=key)
    content = (box.folder / "new").read_bytes()
    with reloading(box, Messages()) as (_, gallery, matchers):
        with box.gallery.open("wb") as file:
            file.write(content[:100])
            file.flush()
            file.write(content[100:])
        until(lambda: bool(matchers))
        assert matchers[0].gallery.header.version == 4
        until(lambda: not gallery.settling)


def test_consent_expires_on_time_although_the_reloader_sleeps(
    box: Box, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloader_module, "REST_S", 10 * LONG_S)
    known = open_gallery(box.gallery, None)
    soon = datetime.now(UTC) + timedelta(seconds=10)
    write_gallery(known.with_about(known.people[0], "2026-11-30T00:00:00Z", expires_at=soon), box.gallery, key)
    with reloading(box, Messages()) as (_, gallery, matchers):
        until(lambda: bool(matchers))
        assert datetime.now(UTC) >= soon
        assert known.people[0].id not in {person.id for person in gallery.matcher.gallery.people}


def test_a_gallery_for_another_embedder_is_seen_waiting_on_the_disk(box: Box, key: Path) -> None:
    with reloading(box, Messages()) as (_, gallery, matchers):
        known = open_gallery(box.gallery, None)
        header = replace(known.header, version=9, embedder=EmbedderId("facenet", "f" * 64))
        write_gallery(Gallery(header, known.embeddings), box.gallery, key)
        until(lambda: gallery.version_on_disk == "9")
        assert gallery.matcher.gallery.header.version == 3
        assert matchers == []


def test_a_change_that_is_noticed_during_a_reload_is_not_taken_for_another(
    box: Box, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`changed` must not compare a stamp from before a reload with the one that the reload took."""
    gallery = GalleryManager(box.loaded, embedder(), datetime.now(UTC))
    taken, reloaded = threading.Event(), threading.Event()

    def slow(path: Path) -> Any:
        stamp = stamp_of(path)
        if threading.current_thread().name == "asks":
            taken.set()
            # Without a lock the reload happens now; with one it waits for us.
            reloaded.wait(2)
        return stamp

    monkeypatch.setattr("edge.daemon.gallery_manager.stamp_of", slow)
    answers: list[bool] = []
    asks = threading.Thread(target=lambda: answers.append(gallery.changed()), name="asks")
    asks.start()
    assert taken.wait(LONG_S)
    bundle(box.gallery, 4, key=key)
    gallery.reload(box.loaded, datetime.now(UTC))
    reloaded.set()
    asks.join()
    assert answers == [False]
    assert not gallery.changed()
    gallery.close()


@pytest.mark.slow
def test_a_slow_reload_holds_up_neither_visits_nor_commands_nor_the_watchdog(
    tmp_path: Path, demo_gallery: Path, key: Path
) -> None:
    """The real daemon. It would be ended after `stall_s` if its main thread or the publisher's waited."""
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (tmp_path / "allowed_signers").write_text(f'{SIGNER} namespaces="whosthere-gallery" {public}\n')
    gallery = tmp_path / "gallery.whg"
    write_gallery(open_gallery(demo_gallery, None), gallery, key)
    with (
        slow_ssh_keygen(tmp_path / "bin") as ssh_keygen,
        service_manager(tmp_path / "notify") as manager,
        running_broker(tmp_path / "broker") as broker,
        Listener(broker) as listener,
    ):
        config = write_config(
            tmp_path,
            broker,
            gallery,
            camera={"realtime": True, "loop": True},
            gallery={"path": str(gallery), "allowed_signers": "allowed_signers"},
            runtime={"stall_s": STALL_S},
        )
        with running(config, environment={**manager.environment, "PATH": ssh_keygen.path}) as daemon:
            manager.wait_for("READY=1")
            listener.wait_for(f"{TOPIC}/camera", b"online")
            assert ssh_keygen.calls == CALLS_PER_CHECK
            ssh_keygen.hold()
            listener.publish(f"{TOPIC}/command/reload", b'{"correlation_id": "reload"}')
            ssh_keygen.wait_for_call(CALLS_PER_CHECK)
            daemon.send(signal.SIGHUP)
            # One a second: the thread that sends them is alive for longer than a stalled one would be allowed to be.
            manager.wait_for("WATCHDOG=1", count=manager.lines.count("WATCHDOG=1") + STALL_S + 2)
            ended = visit_events(listener).count(("ended", "barack-obama"))
            listener.wait(lambda: visit_events(listener).count(("ended", "barack-obama")) > ended)
            listener.publish(f"{TOPIC}/command/pause", b'{"correlation_id": "pause"}')
            listener.wait(lambda: "pause" in answered(listener))
            listener.publish(f"{TOPIC}/command/resume", b'{"correlation_id": "resume"}')
            listener.wait(lambda: "resume" in answered(listener))
            assert "reload" not in answered(listener)
            assert manager.lines.count("READY=1") == 1
            assert ssh_keygen.calls == CALLS_PER_CHECK + 1
            ssh_keygen.release()
            listener.wait(lambda: "reload" in answered(listener))
            assert answered(listener)["reload"]["ok"]
            # The signal came during the reload, so there is another one.
            daemon.wait_for_log("reload: gallery version 3", count=2)
            manager.wait_for("READY=1", count=3)
            assert ssh_keygen.calls == 3 * CALLS_PER_CHECK
            _notices_a_file_that_is_refused(gallery, new_key(tmp_path / "eve"), ssh_keygen, manager)
            daemon.wait_for_log("reload refused, the old settings and gallery stay in force")
            assert daemon.ended is None


def _notices_a_file_that_is_refused(
    gallery: Path, key: Path, ssh_keygen: SlowSshKeygen, manager: FakeServiceManager
) -> None:
    """Neither the look at the file nor the version of it in the health message may hold up the main thread."""
    before = ssh_keygen.calls
    ssh_keygen.hold()
    write_gallery(open_gallery(gallery, None), gallery, key)
    ssh_keygen.wait_for_call(before)
    manager.wait_for("WATCHDOG=1", count=manager.lines.count("WATCHDOG=1") + STALL_S + 2)
    ssh_keygen.release()


def test_a_reloader_that_fails_unexpectedly_ends_the_process(tmp_path: Path, demo_gallery: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text(
        "from edge.__main__ import main\n"
        "from edge.daemon.gallery_manager import GalleryManager\n"
        "GalleryManager.expire = lambda *_: 1 / 0\n"
        "main()\n"
    )
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True, "loop": True})
        with running(config, program=[sys.executable, str(program)]) as daemon:
            assert daemon.wait() == 1
        assert "ZeroDivisionError" in daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")


def answered(listener: Listener) -> dict[str, dict[str, Any]]:
    """The answers to commands by their correlation id."""
    answers = [decoded(message) for message in listener.on(f"{TOPIC}/command/result")]
    return {answer["correlation_id"]: answer for answer in answers}


def test_where_the_page_is_reached_needs_no_restart(box: Box) -> None:
    replies, pages = Replies(), list[WebSettings]()
    with reloading(box, Messages(), pages) as (reloader, _, _matchers):
        until(lambda: pages)
        box.config.write_text(f"{box.config.read_text()}web:\n  url: https://door.example\n")
        reloader.request_reload(replies.of("moved"))
        until(lambda: replies.all)
        assert pages[-1].url == "https://door.example"
    [(_, ok, text)] = replies.all
    assert ok and "wait for a restart" not in text
