"""The daemon's socket: what is asked and answered, who may ask, and that clients harm nobody."""

import asyncio
import json
import os
import random
import selectors
import socket
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.events import ChallengeState, EventKind
from edge.link import server as link_server
from edge.link import session
from edge.link.client import AsyncLink, Link
from edge.link.protocol import (
    MAX_REQUEST,
    BoxStatus,
    ChallengeNews,
    GuideNews,
    GuideShot,
    Hello,
    LinkError,
    Messages,
    RingNews,
    VisitNews,
    line,
)
from edge.link.socket_file import ListeningSocket, may_connect
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.command_payloads import Pause, Ring
from edge.mqtt.payloads import DoorbellPayload
from edge.mqtt.visit_payloads import EventOrigin, visit_payload
from edge.records import Box, Candidate, Match, Outcome, Pose, Problem, Quality
from edge.sightings import SeenFace
from support.fuzzing import cases
from support.linked import LONG_S, NOW, Linked, RawClient, alive, linked, listens
from support.publishing import event, recognized, until

ORIGIN = EventOrigin("door", "camera", "embedder", "1")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Linked]:
    with linked(tmp_path) as found:
        until(lambda: listens(found.path))
        yield found


def test_it_sleeps_until_somebody_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there: nothing is due, so no turn is taken."""
    waits: list[float | None] = []
    select = selectors.DefaultSelector.select

    def recorded(
        selector: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        waits.append(timeout)
        return select(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", recorded)
    with linked(tmp_path) as box:
        until(lambda: bool(waits))
        box.frame()
        assert waits == [None]
        client = RawClient(box.path)
        client.hear()
        until(lambda: waits[-1] == link_server.TURN_S)
        client.close()
        until(lambda: waits[-1] is None)


def visit(kind: EventKind = EventKind.STARTED, name: str = "v1", sequence: int = 0) -> VisitNews:
    happened = recognized(name, sequence) if kind is EventKind.RECOGNIZED else event(kind, name, sequence)
    return VisitNews(visit_payload(happened, wall_offset=1e9, origin=ORIGIN))


def challenge(state: ChallengeState) -> ChallengeNews:
    return ChallengeNews(ChallengePayload("c1", "door", "v1", state, None, 2, 0, NOW, NOW))


def seen(problem: Problem | None = None, match: Match | None = None, *, analysed: bool = True) -> SeenFace:
    quality = Quality(0.5, 20.0, 9.0, 2.0, Pose(0, 0, 0), 0.9, problem) if analysed else None
    return SeenFace(Box(100, 100, 300, 300), "v1", match, quality)


ADA = Match(Outcome.RECOGNIZED, Candidate("ada", "Ada", 0.8), None, 0.4, 0.001)


def test_status_says_how_the_box_is_and_who_is_here(box: Linked) -> None:
    link = Link(box.path)
    for news in (visit(name="v1"), visit(name="v2"), visit(EventKind.RECOGNIZED, "v1", 1)):
        box.server.tell(news)
    box.server.tell(challenge(ChallengeState.TURN_LEFT))
    status = link.status()
    assert (status.health.device_id, status.controls.paused) == ("door", False)
    assert [(one.visit_id, one.event_type) for one in status.here] == [("v1", "recognized"), ("v2", "started")]
    assert status.challenge is not None and status.challenge.state == "turn_left"
    box.server.tell(visit(EventKind.ENDED, "v1", 2))
    box.server.tell(challenge(ChallengeState.PASSED))
    status = link.status()
    assert [one.visit_id for one in status.here] == ["v2"] and status.challenge is None


def test_metrics_are_what_is_counted(box: Linked) -> None:
    metrics = Link(box.path).metrics()
    assert metrics == box.box.metrics()
    assert metrics.decisions == {"recognized": 3}


def test_those_who_watch_hear_everything_in_order(box: Linked) -> None:
    watching = Link(box.path).watch()
    assert isinstance(next(watching), BoxStatus)
    said = [
        visit(),
        visit(EventKind.RECOGNIZED, sequence=1),
        RingNews(DoorbellPayload("ring", "1", "door", "button", "v1", NOW)),
        challenge(ChallengeState.TURN_RIGHT),
        visit(EventKind.ENDED, sequence=2),
    ]
    for news in said:
        box.server.tell(news)
    heard = [next(watching) for _ in range(len(said))]
    while len(heard := [one for one in heard if not isinstance(one, BoxStatus)]) < len(said):
        heard.append(next(watching))
    assert heard == said


def test_those_who_watch_hear_of_a_pause(box: Linked) -> None:
    watching = Link(box.path).watch()
    first = next(watching)
    assert isinstance(first, BoxStatus) and not first.controls.paused
    box.box.paused, box.box.state = True, "paused"
    while not (isinstance(told := next(watching), BoxStatus) and told.controls.paused):
        pass


def test_commands_are_those_of_mqtt(box: Linked) -> None:
    link = Link(box.path)
    assert link.command("pause", for_s=60).ok
    assert link.command("ring").text == "done"
    assert box.box.commands == [Pause(for_s=60), Ring()]
    refused = link.command("pause", for_s=-1)
    assert not refused.ok and "for_s" in refused.text
    refused = link.command("open_door")
    assert not refused.ok and "no such command" in refused.text
    assert len(box.box.commands) == 2


def test_a_command_may_be_answered_later_from_another_thread_but_only_once(box: Linked) -> None:
    box.box.keep = True
    with RawClient(box.path) as client:
        assert client.hear()["message"] == "hello"
        client.say(b'{"request": "command", "name": "reload"}\n')
        until(lambda: bool(box.box.kept))
        [reply] = box.box.kept
        for ok, text in ((False, "no such file"), (True, "too late")):
            threading.Thread(target=reply, args=(ok, text)).start()
            if not ok:
                assert client.hear() == {"message": "answer", "ok": False, "text": "no such file"}
        client.say(b'{"request": "status"}\n')
        assert client.hear()["message"] == "status"


def test_a_reply_to_somebody_who_has_gone_is_dropped(box: Linked) -> None:
    box.box.keep = True
    with RawClient(box.path) as client:
        client.say(b'{"request": "command", "name": "reload"}\n')
        until(lambda: bool(box.box.kept))
    box.box.kept[0](True, "done")
    assert alive(box.path)


def test_a_picture_is_what_the_camera_saw_last(box: Linked) -> None:
    link = Link(box.path)
    with pytest.raises(LinkError, match="not delivered a frame yet"):
        link.picture()
    box.frame(seen(Problem.TOO_DARK), width=1920)
    header, data = link.picture(boxes=True)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[:2] == (header.height, header.width) == (960, 1280)
    [face] = header.faces
    assert face.box == (67, 67, 133, 133)
    assert (face.problem, face.outcome) == (Problem.TOO_DARK, None)
    assert face.reason == "the face is too dark: brightness 2 of 255, 3 is needed"
    assert np.ptp(image) > 60, "the box is drawn"
    bare = cv2.imdecode(np.frombuffer(link.picture()[1], np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(bare) < 5, "nothing is"


def test_a_name_and_the_last_reason_stay_while_the_face_is_not_analysed(box: Linked) -> None:
    box.frame(seen(Problem.TURNED_AWAY, ADA))
    box.frame(seen(match=ADA, analysed=False))
    [face] = Link(box.path).picture()[0].faces
    assert [one.name for one in face.candidates] == ["Ada"]
    assert (face.outcome, face.similarity, face.problem) == (Outcome.RECOGNIZED, 0.8, Problem.TURNED_AWAY)
    box.frame(seen(match=ADA))
    assert Link(box.path).picture()[0].faces[0].problem is None


def test_nothing_is_encoded_while_nobody_watches_and_once_for_all_who_do(
    box: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *args: (encoded.append(1), encode(*args))[1])
    for _ in range(5):
        box.frame()
    assert Link(box.path).status() and not box.view.watched
    assert not encoded
    viewers = [Link(box.path).live() for _ in range(10)]
    with RawClient(box.path) as first:
        first.say(b'{"request": "live"}\n')
        until(lambda: box.view.watched)
    numbers = {next(viewer)[0].number for viewer in viewers}
    assert numbers == {5} and len(encoded) == 1
    for viewer in viewers:
        viewer.close()  # type: ignore[attr-defined]
    until(lambda: not box.view.watched)


def test_whoever_is_slow_misses_pictures_but_no_other_does(box: Linked) -> None:
    with RawClient(box.path) as slow:
        slow.say(b'{"request": "live"}\n')
        quick = Link(box.path).live()
        box.frame()
        first = next(quick)[0].number
        numbers = []
        for _ in range(50):
            box.frame(width=1280)
            numbers.append(next(quick)[0].number)
        assert numbers == list(range(first + 1, first + 51))
        waiting = [one._waiting for one in box.server._sessions]
        assert max(waiting) < 2_000_000, "one picture at most waits for it"
        quick.close()  # type: ignore[attr-defined]


def test_a_stream_is_as_slow_as_asked(box: Linked) -> None:
    viewer = Link(box.path).live(max_fps=0.001)
    box.frame()
    next(viewer)
    watching = Link(box.path).live()
    for _ in range(20):
        box.frame()
        next(watching)
    [slow] = [one for one in box.server._sessions if one.live and one.live.max_fps < 1]
    assert slow._shown == 1
    for stream in (viewer, watching):
        stream.close()  # type: ignore[attr-defined]


def test_one_person_at_a_time_is_guided_and_the_end_of_the_client_ends_it(box: Linked) -> None:
    guided = Link(box.path).guide("Ada", 2)
    shot = GuideShot(b"1234", "sha", 0.9, False, 1.0, 120.0)
    said = [(GuideNews("look here", 0, 2), b""), (GuideNews("1 of 2", 1, 2, False, shot, 3), b"jpg")]
    with ThreadPoolExecutor() as pool:
        first = pool.submit(next, guided)
        until(lambda: box.box.saying is not None)
        assert box.box.saying is not None
        for news, picture in said:
            box.box.saying(news, picture)
        assert [first.result(LONG_S), next(guided)] == said
        with pytest.raises(LinkError, match="somebody else is being enrolled"):
            next(Link(box.path).guide("Ben"))
        say = box.box.saying
        say(GuideNews("2 of 2", 2, 2, True), b"")
        assert [news.over for news, _ in guided] == [True]
    until(lambda: box.box.saying is None)
    say(GuideNews("too late", 2, 2), b"")
    assert alive(box.path)


def test_asyncio_clients_hear_the_same(box: Linked) -> None:
    async def ask() -> None:
        link = AsyncLink(box.path)
        assert (await link.status()).health.device_id == "door"
        assert (await link.command("ring")).ok
        watching = link.watch()
        assert isinstance(await anext(watching), BoxStatus)
        box.server.tell(visit())
        while not isinstance(news := await anext(watching), VisitNews):
            pass
        assert news == visit() or news.visit.visit_id == "v1"
        box.frame()
        header, data = await link.picture()
        assert len(data) == header.size
        async for header, _ in link.live(boxes=True):
            assert header.boxes
            break
        guided = link.guide("Ada")
        first = asyncio.ensure_future(anext(guided))
        while box.box.saying is None:
            await asyncio.sleep(0.01)
        box.box.saying(GuideNews("done", 5, 5, True), b"")
        assert (await first)[0].over
        assert [one async for one in guided] == []

    asyncio.run(asyncio.wait_for(ask(), LONG_S))


def test_a_daemon_that_is_not_there_or_hangs_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="the daemon is not running"):
        Link(tmp_path / "link.sock").status()
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        with pytest.raises(LinkError, match="the daemon is not running"):
            Link(tmp_path / "mute.sock").status()
        mute.listen()
        with pytest.raises(LinkError, match="does not answer"):
            Link(tmp_path / "mute.sock", 0.05).status()
        with pytest.raises(LinkError, match="does not answer"):
            asyncio.run(AsyncLink(tmp_path / "mute.sock", 0.05).status())


def test_another_version_is_refused_with_a_reason() -> None:
    with pytest.raises(LinkError, match="speaks version 2 of the protocol, this program version 1"):
        Messages().feed(line(Hello("door", "9.0", 2)))
    with pytest.raises(LinkError, match="does not understand"):
        Messages().feed(b'{"message": "song"}\n')


# Who may use it.


def test_only_the_owner_can_open_the_socket(box: Linked) -> None:
    assert stat.S_IMODE(box.path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_other_users_are_turned_away_even_where_the_file_lets_them_in(box: Linked) -> None:
    for folder in [box.path, *box.path.parents]:
        folder.chmod(folder.stat().st_mode | 0o777) if folder != Path("/") else None
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(f"{box.path}")
                code = 0 if other.recv(1000) == b"" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert alive(box.path)


def test_the_peer_is_checked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert may_connect(ours)


def test_the_socket_of_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "link.sock"))
    stale.close()
    with linked(tmp_path) as found:
        until(lambda: listens(found.path))
    assert not found.path.exists()


def test_two_daemons_do_not_take_it_from_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with linked(tmp_path) as first:
        until(lambda: listens(first.path))
        with linked(tmp_path):
            until(lambda: "another daemon has it" in caplog.text)
        assert alive(first.path), "the second has removed nothing when it ended"


def test_a_socket_that_was_replaced_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "link.sock"
    first = ListeningSocket(path)
    path.unlink()
    path.write_text("somebody else's")
    first.close()
    assert path.read_text() == "somebody else's"


def test_what_is_no_socket_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "link.sock").write_text("a diary")
    with linked(tmp_path):
        until(lambda: "something other than a socket" in caplog.text)
    assert (tmp_path / "link.sock").read_text() == "a diary"


def test_a_path_of_any_length_works(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 20)
    folder.mkdir(parents=True)
    with linked(folder) as found:
        until(lambda: listens(found.path))
        assert alive(found.path)


def test_a_folder_that_is_missing_is_logged_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_server, "RETRY_S", 0.01)
    with linked(tmp_path / "later") as found:
        until(lambda: "No such file" in caplog.text)
        (tmp_path / "later").mkdir()
        until(lambda: listens(found.path))
    assert caplog.text.count("no socket") == 1


# Clients that hang, flood or speak nonsense.


@pytest.mark.parametrize(("rule", "value"), [("STALLED_S", 0.0), ("MAX_WAITING", 100_000)])
def test_a_client_that_takes_nothing_is_dropped(
    box: Linked, monkeypatch: pytest.MonkeyPatch, rule: str, value: float
) -> None:
    """After a while, and when too much waits for it: each rule does it alone."""
    monkeypatch.setattr(session, "STALLED_S", 1e9)
    monkeypatch.setattr(session, "MAX_WAITING", 1e9)
    monkeypatch.setattr(session, rule, value)
    with RawClient(box.path) as hanging:
        hanging.say(b'{"request": "watch"}\n')
        until(lambda: any(one.watches for one in box.server._sessions))
        for number in range(5000):
            box.server.tell(visit(name=f"v{number % 3}"))
        until(lambda: not box.server._sessions)
    assert alive(box.path)


def test_one_that_asks_nothing_is_dropped(box: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawClient(box.path) as idle, RawClient(box.path) as watching:
        watching.say(b'{"request": "watch"}\n')
        until(lambda: [one.watches for one in box.server._sessions].count(True) == 1)
        monkeypatch.setattr(session, "IDLE_S", 0.0)
        until(lambda: len(box.server._sessions) == 1)
        assert idle.hear()["message"] == "hello"
        with pytest.raises(ConnectionError):
            idle.hear()
        assert [watching.hear()["message"] for _ in range(2)] == ["hello", "status"]


def test_no_more_than_so_many_may_come(box: Linked) -> None:
    clients = [RawClient(box.path) for _ in range(link_server.MAX_CLIENTS)]
    for client in clients:
        assert client.hear()["message"] == "hello"
    with RawClient(box.path) as other:
        assert other.hear()["message"] == "hello"
        assert "too many clients" in other.hear()["text"]
        with pytest.raises(ConnectionError):
            other.hear()
    clients.pop().close()
    until(lambda: len(box.server._sessions) < link_server.MAX_CLIENTS)
    assert alive(box.path)
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"x" * (MAX_REQUEST + 2), "a line is too long; allowed: 4096 bytes"),
        (b'{"request": "watch"}\n{"request": "status"}\n', "one request at a time"),
        (b'{"request": "bye"}\n' * 60, "too many requests; allowed: 50 in a second"),
    ],
)
def test_some_things_end_the_connection_with_a_reason(box: Linked, said: bytes, text: str) -> None:
    with RawClient(box.path) as client:
        client.say(said)
        texts = []
        with pytest.raises((ConnectionError, ConnectionResetError)):
            while True:
                texts.append(client.hear().get("text") or "")
    assert text in texts[-1]
    assert alive(box.path)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"hello\n", "not a request"),
        (b'{"request": "song"}\n', "allowed: a JSON object whose `request` is one of status, metrics, watch"),
        (b'{"request": "live", "max_fps": 0}\n', "$.max_fps"),
        (b'{"request": "picture", "size": 1}\n', "unknown field `size`"),
        (b"\xff\xfe\n", "not a request"),
        (b"[" * 3000 + b"\n", "not a request"),
    ],
)
def test_a_line_that_is_no_request_is_refused_and_the_next_is_answered(box: Linked, said: bytes, text: str) -> None:
    with RawClient(box.path) as client:
        client.hear()
        client.say(said)
        assert text in client.hear()["text"]
        client.say(b'{"request": "status"}\n')
        assert client.hear()["message"] == "status"


def test_a_failing_daemon_costs_the_clients_but_not_the_socket(
    box: Linked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_server, "RETRY_S", 0.01)
    box.box.broken = True
    with RawClient(box.path) as client:
        assert client.hear()["message"] == "hello"
        client.say(b'{"request": "status"}\n')
        with pytest.raises(ConnectionError):
            client.hear()
    until(lambda: "a bug in the health report" in caplog.text)
    box.box.broken = False
    until(lambda: listens(box.path))
    assert alive(box.path)


def hostile(chance: random.Random) -> bytes:
    """Something that a client should not say."""
    sane = [
        {"request": "status"},
        {"request": "watch"},
        {"request": "picture", "boxes": True},
        {"request": "live", "max_fps": 5},
        {"request": "command", "name": "pause", "payload": {"for_s": 1}},
    ]
    text = bytearray(json.dumps(chance.choice(sane)).encode())
    odd = [None, -1, 1e308, "x" * 5000, [], {}, True, "\u202e", "\x00", [[[[]]]]]
    match chance.randrange(7):
        case 0:
            return chance.randbytes(chance.randrange(300)) + b"\n"
        case 1:
            text[chance.randrange(len(text))] = chance.randrange(256)
        case 2:
            del text[chance.randrange(len(text)) :]
        case 3:
            changed = {**chance.choice(sane), chance.choice(["request", "name", "boxes", "x"]): chance.choice(odd)}
            text = bytearray(json.dumps(changed).encode())
        case 4:
            return b'{"request":' * chance.randrange(600) + b"\n"
        case 5:
            return b"[" * chance.randrange(2 * MAX_REQUEST)
        case 6:
            text *= chance.randrange(1, 5)
    return bytes(text) + b"\n" * chance.randrange(3)


@pytest.mark.fuzz
def test_hostile_clients_harm_neither_the_socket_nor_each_other(box: Linked) -> None:
    """`WHOSTHERE_FULL=1` tries ten thousand."""
    chance = random.Random(13)
    box.frame()
    watching = Link(box.path).watch()
    next(watching)
    for number in range(cases(300)):
        with RawClient(box.path) as client:
            try:
                for _ in range(chance.randrange(1, 4)):
                    client.say(hostile(chance))
                if chance.random() < 0.5:
                    client.hear()
            except (OSError, json.JSONDecodeError):
                pass
        if number % 50 == 0:
            box.server.tell(visit(name=f"v{number}"))
            box.frame()
    box.server.tell(visit(name="last"))
    while not (isinstance(news := next(watching), VisitNews) and news.visit.visit_id == "last"):
        pass
    assert all(isinstance(command, Pause) for command in box.box.commands)
    until(lambda: len(box.server._sessions) == 1)
    assert alive(box.path)
