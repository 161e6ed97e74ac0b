"""How notices are carried: repeated while they are news, bounded, and never in anybody's way."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest

from edge.config.notify import WebhookSettings
from edge.notify import courier as module
from edge.notify import post
from edge.notify.courier import WAITING, Courier
from edge.notify.webhook import WebhookChannel
from support.notice_server import NoticeServer, notice_server, unused_url
from support.notices import notice
from support.publishing import recognized, until

EVERYBODY = frozenset({"ada", "grace"})


@contextmanager
def courier(
    url: str,
    *,
    give_up_s: float = 300.0,
    known: Callable[[], Collection[str]] = lambda: EVERYBODY,
) -> Iterator[Courier]:
    found = Courier(WebhookChannel(WebhookSettings(url=url)), give_up_s, known, time.monotonic)
    found.start()
    try:
        yield found
    finally:
        found.ask_to_stop(0.0)
        found.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.05)


def visits(server: NoticeServer) -> list[str]:
    return [posted.json["visit_id"] for posted in server.posted]


def test_what_fails_is_sent_again_in_order_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with notice_server() as server, courier(server.url) as carried:
        server.answers.extend([(503, {}), (503, {}), (0, {})])
        for name in ("v1", "v2"):
            carried.offer(notice(recognized(name)))
        server.wait_for(5)
        until(lambda: carried.state.sent == 2)
        assert visits(server) == ["v1", "v1", "v1", "v1", "v2"]
        state = carried.state
    assert (state.failed, state.dropped, state.waiting, state.problem) == (3, 0, 0, None)
    said = [record.message for record in caplog.records]
    assert (
        len(said) == 3
        and "status 503" in said[0]
        and "hung up without an answer" in said[1]
        and "sent again" in said[2]
    )


def test_a_refusal_is_not_repeated_and_the_next_notice_is_tried() -> None:
    with notice_server() as server, courier(server.url) as carried:
        server.answers.append((403, {}))
        for name in ("v1", "v2"):
            carried.offer(notice(recognized(name)))
        until(lambda: carried.state.sent == 1)
        assert visits(server) == ["v1", "v2"]
        assert (carried.state.failed, carried.state.dropped) == (1, 1)


def test_what_is_no_longer_news_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    with notice_server() as server, courier(server.url, give_up_s=60.0) as carried:
        carried.offer(notice(recognized("v1"), age_s=125))
        carried.offer(notice(recognized("v2"), age_s=50))
        server.wait_for(1)
        assert visits(server) == ["v2"]
        assert server.posted[0].json["delayed"] is True
        assert carried.state.dropped == 1
    assert "a notice of 2 minutes ago is dropped" in caplog.text


def test_a_server_that_is_down_fills_no_memory() -> None:
    with courier(unused_url()) as carried:
        for number in range(WAITING + 10):
            carried.offer(notice(recognized(f"v{number}")))
        until(lambda: carried.state.failed > 2)
        assert carried.state.waiting <= WAITING
        assert carried.state.dropped >= 9
        assert "nothing listens there" in (carried.state.problem or "")


def test_a_server_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "TIMEOUT_S", 600.0)
    with notice_server() as hanging, notice_server() as well:
        hanging.hang.set()
        with courier(hanging.url) as stuck, courier(well.url) as other:
            for number in range(5):
                stuck.offer(notice(recognized(f"v{number}")))
                other.offer(notice(recognized(f"v{number}")))
            well.wait_for(5)
            assert len(hanging.wait_for(1)) == 1


def test_somebody_who_left_the_gallery_meanwhile_is_not_named() -> None:
    known = set(EVERYBODY)
    with notice_server() as server, courier(server.url, known=lambda: known) as carried:
        server.answers.append((503, {}))
        server.hang.set()
        carried.offer(notice(recognized("v1")))
        server.wait_for(1)
        known.remove("ada")
        server.hang.clear()
        until(lambda: carried.state.dropped == 1)
        assert len(server.posted) == 1


def test_what_waits_is_still_sent_at_the_end() -> None:
    with notice_server() as server, courier(server.url) as carried:
        server.hang.set()
        for name in ("v1", "v2", "v3"):
            carried.offer(notice(recognized(name)))
        server.wait_for(1)
        carried.ask_to_stop(60.0)
        server.hang.clear()
        carried.join()
        assert visits(server) == ["v1", "v2", "v3"]


def test_a_mistake_of_ours_costs_one_notice(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with notice_server() as server, courier(server.url) as carried:
        send = carried.channel.send

        def fails_once(sent: object, age_s: float) -> str:
            monkeypatch.setattr(carried.channel, "send", send)
            raise RuntimeError("not foreseen")

        monkeypatch.setattr(carried.channel, "send", fails_once)
        for name in ("v1", "v2"):
            carried.offer(notice(recognized(name)))
        until(lambda: carried.state.sent == 1)
        assert visits(server) == ["v2"]
    assert "not foreseen" in caplog.text
