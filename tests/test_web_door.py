"""The page of the door, and its pictures for other systems."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import jsonschema
import msgspec
import numpy as np
import pytest

from edge.errors import UsageError
from edge.events import ChallengeState, EventKind
from edge.link.protocol import BoxStatus, ChallengeNews, VisitNews
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.command_payloads import ChallengeCommand, Pause, Resume, Ring
from edge.mqtt.visit_payloads import EventOrigin, visit_payload
from edge.records import Box, Pose, Problem, Quality
from edge.sightings import SeenFace
from edge.web.door_view import DoorView
from edge.web.openapi import document
from edge.web.server import elsewhere
from edge.web.stream_tokens import MAX_TOKENS, StreamTokens
from support.browser import Browser, Size
from support.http_client import Client
from support.linked import LONG_S, NOW, Linked, StubBox, linked, listens
from support.publishing import event, recognized, until
from support.web import WebPage, running_page, write_web_config

ORIGIN = EventOrigin("door", "camera", "embedder", "1")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    with linked(tmp_path_factory.mktemp("box")) as found:
        until(lambda: listens(found.path))
        found.frame()
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, box: Linked) -> Iterator[WebPage]:
    folder = tmp_path_factory.mktemp("page")
    with running_page(write_web_config(folder, link={"path": str(box.path)}), folder) as running:
        yield running


@pytest.fixture
def client(page: WebPage) -> Client:
    client = Client(page.address)
    assert client.log_in().status == 303
    return client


@pytest.fixture
def tokens(page: WebPage) -> StreamTokens:
    return StreamTokens(page.folder / "web")


def visit(kind: EventKind, name: str = "v1", sequence: int = 0, **fields: object) -> VisitNews:
    make = recognized if kind is EventKind.RECOGNIZED else lambda *rest, **more: event(kind, *rest, **more)
    return VisitNews(visit_payload(make(name, sequence, **fields), wall_offset=1e9, origin=ORIGIN))


def dark(visit_id: str = "v1") -> SeenFace:
    quality = Quality(0.1, 20.0, 9.0, 2.0, Pose(0, 0, 0), 0.9, Problem.TOO_DARK)
    return SeenFace(Box(200, 120, 360, 300), visit_id, None, quality)


class Stream:
    """An endless response: `read` returns the next part of it."""

    def __init__(self, page: WebPage, path: str, **headers: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(page.address).netloc, timeout=LONG_S)
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()

    def picture(self) -> np.ndarray:
        """The next JPEG of a multipart stream."""
        size = 0
        while (text := self.response.readline()) not in (b"\r\n", b""):
            if text.lower().startswith(b"content-length:"):
                size = int(text.split(b":")[1])
        data = self.response.read(size)
        self.response.readline()
        return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))

    def event(self) -> str:
        """The data of the next server-sent event."""
        for _ in range(10):
            lines = []
            while (text := self.response.readline().decode()) not in ("\n", ""):
                lines.append(text.removeprefix("data: ") if text.startswith("data: ") else "")
            if "".join(lines):
                return "".join(lines)
        raise AssertionError("nothing was sent")

    def event_with(self, wanted: str) -> str:
        """The next event that contains a text."""
        for _ in range(10):
            if wanted in (text := self.event()):
                return text
        raise AssertionError(f"{wanted!r} was not sent")

    def close(self) -> None:
        self._connection.close()


def cookie(client: Client) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}


def test_the_page_says_who_is_here_and_why_a_face_is_not_used(box: Linked, client: Client) -> None:
    box.server.tell(visit(EventKind.RECOGNIZED, "v1", 1))
    box.server.tell(visit(EventKind.STARTED, "v2"))
    box.server.tell(ChallengeNews(ChallengePayload("c", "door", "v1", ChallengeState.TURN_LEFT, None, 2, 1, NOW, NOW)))
    box.frame(dark("v2"))
    text = client.get("/door").text
    assert "Ada Lovelace" in text and "recognised" in text
    assert "The face is too dark: brightness 2 of 255" in text
    assert "Turn your head to the left (1 of 2 turns made)" in text
    box.server.tell(ChallengeNews(ChallengePayload("c", "door", "v1", ChallengeState.PASSED, None, 2, 2, NOW, NOW)))
    for name in ("v1", "v2"):
        box.server.tell(visit(EventKind.ENDED, name, 2))
    box.frame()
    text = client.get("/door").text
    assert "Nobody." in text and "Turn your head" not in text


def test_events_send_the_changed_part_of_the_page(box: Linked, page: WebPage, client: Client) -> None:
    stream = Stream(page, "/door/events", **cookie(client))
    assert stream.response.headers["Content-Type"].startswith("text/event-stream")
    assert "Nobody." in stream.event()
    box.server.tell(visit(EventKind.RECOGNIZED, "v1", 1))
    assert "Ada Lovelace" in (said := stream.event()) and "<html" not in said
    box.frame(dark())
    stream.event_with("too dark")
    box.frame()
    box.server.tell(visit(EventKind.ENDED, "v1", 2))
    stream.event_with("Nobody.")
    stream.close()


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"do": "pause", "for_s": "600"}, Pause(for_s=600)),
        ({"do": "pause", "for_s": ""}, Pause()),
        ({"do": "resume"}, Resume()),
        ({"do": "ring"}, Ring()),
        ({"do": "challenge"}, ChallengeCommand()),
    ],
)
def test_buttons_are_commands(box: Linked, client: Client, fields: dict[str, str], command: object) -> None:
    box.box.commands.clear()
    answer = client.post("/door", fields)
    assert (answer.status, answer.headers["location"]) == (303, "/door")
    assert box.box.commands == [command]


@pytest.mark.parametrize(
    ("path", "body", "command"),
    [
        ("pause", {"for_s": 90}, Pause(for_s=90)),
        ("pause", {}, Pause()),
        ("resume", None, Resume()),
        ("ring", None, Ring()),
        ("challenge", None, ChallengeCommand()),
    ],
)
def test_scripts_can_do_what_the_buttons_do(
    box: Linked, client: Client, path: str, body: object, command: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.box.commands.clear()
    sent = {"Origin": client.address, "X_CSRF_Token": json.loads(client.get("/api/session").text)["csrf"]}
    content = b"" if body is None else json.dumps(body).encode()
    assert client.ask("POST", f"/api/door/{path}", content, **sent).status == 200
    assert box.box.commands == [command]
    monkeypatch.setattr(box.box, "refusal", "nobody is in view")
    refused = client.ask("POST", f"/api/door/{path}", content, **sent)
    assert (refused.status, json.loads(refused.text)["error"]) == (409, "nobody is in view")


def test_scripts_are_told_who_is_here(box: Linked, client: Client) -> None:
    schema = document()
    answer = schema["paths"]["/api/door"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    found = json.loads(client.get("/api/door").text)
    jsonschema.validate(found, {**answer, "components": schema["components"]})
    assert found["health"]["state"] == "watching"


@pytest.mark.parametrize("fields", [{"do": "restart"}, {"do": "pause", "for_s": "7"}, {}])
def test_no_other_command_can_be_sent(box: Linked, client: Client, fields: dict[str, str]) -> None:
    box.box.commands.clear()
    assert client.post("/door", fields).status == 422
    assert box.box.commands == []


def test_the_page_shows_what_the_daemon_refuses(box: Linked, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box.box, "refusal", "nobody is in view")
    answer = client.post("/door", {"do": "challenge"})
    assert answer.status == 409 and "Nobody is in view." in answer.text


# Pictures for others.


def test_each_key_opens_one_address_and_nothing_else(page: WebPage, tokens: StreamTokens) -> None:
    _, snapshot = tokens.make("snapshot", "a dashboard")
    _, live = tokens.make("live", "home assistant")
    stranger = Client(page.address)
    assert stranger.get("/snapshot.jpg").status == 401
    assert stranger.get(f"/snapshot.jpg?token={live}").status == 401
    found = Stream(page, f"/snapshot.jpg?token={snapshot}").response
    assert (found.status, found.headers["content-type"]) == (200, "image/jpeg")
    assert cv2.imdecode(np.frombuffer(found.read(), np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)
    assert stranger.get(f"/live.mjpg?token={snapshot}").status == 401
    for path in ("/door", "/visits", "/door/events", "/door/keys"):
        assert stranger.get(f"{path}?token={live}").status == 303
    stream = Stream(page, f"/live.mjpg?token={live}")
    assert stream.response.headers["content-type"] == "multipart/x-mixed-replace; boundary=whosthere-frame"
    assert stream.picture().shape == (480, 640, 3)
    stream.close()


@pytest.mark.parametrize("way", ["bearer", "basic"])
def test_a_key_may_also_come_in_a_header(page: WebPage, tokens: StreamTokens, way: str) -> None:
    _, key = tokens.make("snapshot", way)
    header = f"Bearer {key}" if way == "bearer" else "Basic " + base64.b64encode(f"ha:{key}".encode()).decode()
    assert Client(page.address).get("/snapshot.jpg", Authorization=header).status == 200
    assert Client(page.address).get("/snapshot.jpg", Authorization=header[:-4]).status == 401


def test_a_revoked_key_opens_nothing(page: WebPage, tokens: StreamTokens) -> None:
    made, key = tokens.make("snapshot", "old phone")
    assert Client(page.address).get(f"/snapshot.jpg?token={key}").status == 200
    tokens.revoke(made.id)
    assert Client(page.address).get(f"/snapshot.jpg?token={key}").status == 401
    with pytest.raises(UsageError, match=f"found no key '{made.id}'"):
        tokens.revoke(made.id)


def test_keys_are_kept_as_hashes_in_a_file_of_the_owner(tmp_path: Path) -> None:
    tokens = StreamTokens(tmp_path / "web")
    _, key = tokens.make("live", "x")
    file = tmp_path / "web" / "tokens"
    assert key.encode() not in file.read_bytes() and file.stat().st_mode & 0o777 == 0o600
    for number in range(MAX_TOKENS - 1):
        tokens.make("live", str(number))
    with pytest.raises(UsageError, match="revoke one first"):
        tokens.make("live", "one more")
    with pytest.raises(UsageError, match="allowed: 1 to 60"):
        tokens.make("live", " ")


def test_keys_are_made_and_revoked_on_the_page(page: WebPage, client: Client, tokens: StreamTokens) -> None:
    answer = client.post("/door/keys", {"label": "the <b>hall</b>", "opens": "live"})
    address = answer.text.partition("/live.mjpg?token=")[2].partition("<")[0]
    assert tokens.fits(address, "live")
    assert "the &lt;b&gt;hall&lt;/b&gt;" in answer.text
    assert address not in client.get("/door").text, "shown once"
    [made] = [one for one in tokens.all() if one.label.startswith("the <b>")]
    assert client.post("/door/keys/revoke", {"id": made.id}).status == 303
    assert not tokens.fits(address, "live")


def test_keys_are_made_listed_and_revoked_on_the_command_line(page: WebPage, tokens: StreamTokens) -> None:
    def web(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "edge", "web", "token", *words, "--config", str(page.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == (2 if "nonsense" in words else 0), done.stderr
        return done.stdout + done.stderr

    made, address = web("make", "snapshot", "--label", "kitchen").splitlines()
    assert tokens.fits(address.partition("token=")[2], "snapshot")
    number = made.split()[0]
    assert f"{number}  /snapshot.jpg" in web("list")
    assert "revoked" in web("revoke", number)
    assert not tokens.fits(address.partition("token=")[2], "snapshot")
    assert "found no key 'nonsense'" in web("revoke", "nonsense")


@pytest.mark.parametrize(
    "path", ["/live.mjpg?fps=0", "/live.mjpg?fps=nan", "/live.mjpg?boxes=maybe", "/snapshot.jpg?boxes=2"]
)
def test_other_parameters_are_refused(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status == 422 and "allowed: " in answer.text


def test_ten_viewers_share_one_stream_of_the_daemon(box: Linked, page: WebPage, client: Client) -> None:
    viewers = [Stream(page, f"/live.mjpg?boxes={number % 2}", **cookie(client)) for number in range(10)]
    for viewer in viewers:
        viewer.picture()
    assert sum(one.live is not None for one in box.server._sessions) == 2
    for level in range(3):
        box.frame(dark(f"v{level}"))
        for viewer in viewers[1::2]:
            assert any(np.ptp(viewer.picture()) > 60 for _ in range(10))
    for viewer in viewers:
        viewer.close()
    until(lambda: not box.view.watched)


def test_a_viewer_who_reads_nothing_holds_up_no_other(box: Linked, page: WebPage, client: Client) -> None:
    frozen = Stream(page, "/live.mjpg", **cookie(client))
    quick = Stream(page, "/live.mjpg", **cookie(client))
    for _ in range(30):
        box.frame(width=1280)
        quick.picture()
    for viewer in (frozen, quick):
        viewer.close()


def test_a_hanging_page_is_dropped_by_the_daemon_and_comes_back(box: Linked, page: WebPage, client: Client) -> None:
    stream = Stream(page, "/live.mjpg", **cookie(client))
    stream.picture()
    os.kill(page.process.pid, signal.SIGSTOP)
    try:
        for _ in range(50):
            box.frame(width=1280)
    finally:
        os.kill(page.process.pid, signal.SIGCONT)
    stream.close()
    assert client.get("/door").status == 200


def test_without_the_daemon_the_page_says_so(tmp_path: Path) -> None:
    with running_page(write_web_config(tmp_path, link={"path": str(tmp_path / "none.sock")}), tmp_path) as page:
        client = Client(page.address)
        assert client.log_in().status == 303
        answer = client.get("/door")
        assert answer.status == 200 and "the daemon is not running" in answer.text
        assert client.get("/snapshot.jpg").status == 503
        assert client.get("/live.mjpg").status == 503
        stream = Stream(page, "/door/events", **cookie(client))
        assert "the daemon is not running" in stream.event()
        stream.close()


def test_the_first_page_is_the_door(client: Client) -> None:
    assert client.get("/").headers["location"] == "/door"


@pytest.mark.parametrize(
    ("bound", "listen", "wrong"),
    [
        ("127.0.0.1", "127.0.0.1:{}", False),
        ("0.0.0.0", "[::]:{}", False),  # noqa: S104
        ("127.0.0.1", "0.0.0.0:{}", True),
        ("127.0.0.1", "127.0.0.1:1", True),
    ],
)
def test_a_socket_of_systemd_that_is_not_where_the_config_says_is_reported(
    bound: str, listen: str, wrong: bool
) -> None:
    with socket.create_server((bound, 0)) as listener:
        found = elsewhere(listener, listen.format(listener.getsockname()[1]))
    assert bool(found) == wrong
    assert not wrong or "systemctl edit whosthere-web.socket" in found


# In a browser.


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_door_in_a_browser(browser: Browser, page: WebPage, box: Linked, size: Size) -> None:
    box.frame()
    with browser.visitor(page.address, size) as visitor:
        visitor.log_in(then="/door")
        assert visitor.page.url.endswith("/door")
        box.server.tell(visit(EventKind.RECOGNIZED, "v1", 1))
        visitor.page.get_by_text("Ada Lovelace").wait_for()
        box.frame(dark())
        until(lambda: box.view.watched)
        box.frame(dark())
        visitor.page.get_by_text("The face is too dark").wait_for()
        box.box.commands.clear()
        visitor.page.get_by_role("button", name="Ring").click()
        until(lambda: box.box.commands == [Ring()])
        visitor.page.get_by_text("Pictures for other systems").click()
        visitor.check()
        box.frame()
        box.server.tell(visit(EventKind.ENDED, "v1", 2))
        visitor.page.get_by_text("Nobody.").wait_for()
        visitor.check()


def test_without_scripts_the_door_is_a_still_picture_that_loads_again(browser: Browser, page: WebPage) -> None:
    with browser.visitor(page.address, "phone", java_script_enabled=False) as visitor:
        visitor.log_in(then="/door")
        assert visitor.page.locator("meta[http-equiv=refresh]").count() == 1
        view = visitor.page.locator("#view")
        assert "/snapshot.jpg?boxes=1" in (view.get_attribute("src") or "")
        visitor.page.get_by_role("button", name="Ring").click()
        visitor.page.wait_for_url(lambda url: url.endswith("/door"))
        assert visitor.foreign == []


def test_without_the_daemon_the_door_is_sound_too(browser: Browser, tmp_path: Path) -> None:
    config = write_web_config(tmp_path, link={"path": str(tmp_path / "none.sock")})
    with running_page(config, tmp_path) as page, browser.visitor(page.address) as visitor:
        visitor.log_in(then="/door")
        visitor.page.get_by_text("the daemon is not running").wait_for()
        visitor.check()


@pytest.mark.parametrize(
    ("fps", "said"),
    [
        (0.0, ""),
        (0.02, "a picture every 50 seconds"),
        (0.5, "a picture every 2 seconds"),
        (0.69, "a picture every 2 seconds"),
        (0.7, "1 picture a second"),
        (1.0, "1 picture a second"),
        (11.7, "12 pictures a second"),
    ],
)
def test_the_rate_is_said_once_it_is_known(fps: float, said: str) -> None:
    """The box counts for a moment before it knows; zero pictures a second would worry people."""
    box = StubBox()
    health = msgspec.structs.replace(box.health(), fps=fps)
    facts = DoorView.of(BoxStatus(health, box.controls(), (), None), ()).facts
    assert facts == ", ".join(filter(None, ["1 person known", said]))
