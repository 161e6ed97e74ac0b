"""Who may see and do what on the page: nobody without a session, and no form of another site."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.web.login_limit import MAX_FAILURES, WINDOW_S, LoginLimit
from edge.web.password import problem, read_password, set_password
from edge.web.sessions import MAX_SESSIONS, Sessions
from support.http_client import Client
from support.portraits import OBAMA
from support.ports import free_port
from support.terminal import Terminal
from support.web import PASSWORD, WebPage, running_page, write_web_config

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPage]:
    folder = tmp_path_factory.mktemp("page")
    with running_page(write_web_config(folder), folder) as running:
        yield running


@pytest.fixture
def client(page: WebPage) -> Client:
    client = Client(page.address)
    assert client.log_in().status == 303
    return client


def whosthere(*words: str | Path, typed: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "edge", *map(str, words)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False)


def test_without_a_password_the_page_stays_off(tmp_path: Path) -> None:
    done = whosthere("web", "--config", write_web_config(tmp_path))

    assert done.returncode == 3
    assert "has no password, so it stays off; `whosthere web password` sets one" in done.stderr


def test_the_password_is_kept_as_a_hash_that_only_its_owner_can_read(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)

    done = whosthere("web", "password", "--config", config, typed="over the garden wall\n")

    assert done.returncode == 0, done.stderr
    file = tmp_path / "web" / "password"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"garden" not in file.read_bytes()
    known = read_password(tmp_path / "web")
    assert known is not None
    assert known.is_for("over the garden wall")
    assert not known.is_for("over the garden wal")


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaa", "x" * 201])
def test_bad_passwords_are_refused(tmp_path: Path, password: str) -> None:
    assert problem(password)
    done = whosthere("web", "password", "--config", write_web_config(tmp_path), typed=f"{password}\n")
    assert done.returncode == 2
    assert not (tmp_path / "web" / "password").exists()


def test_setup_asks_for_the_password_at_a_terminal(tmp_path: Path) -> None:
    config = write_web_config(tmp_path, camera={"source": str(OBAMA)}, mqtt={"host": "127.0.0.1", "port": free_port()})
    with Terminal([sys.executable, "-P", "-m", "edge", "setup", "--config", str(config)]) as terminal:
        for asked, answer in (("Name of this box", ""), ("Camera: ", ""), ("MQTT broker", ""), ("Encrypted", "n")):
            terminal.answer(asked, answer)
        for asked, answer in (("Port", ""), ("Login", ""), ("Another broker", "n")):
            terminal.answer(asked, answer)
        terminal.answer("the page stays off", "short")
        terminal.wait_for("found 5 characters")
        terminal.answer("the page stays off", "over the garden wall")
        terminal.answer("The same again", "over the garden gate")
        terminal.wait_for("are not the same")
        terminal.answer("the page stays off", "over the garden wall")
        terminal.answer("The same again", "over the garden wall")
        terminal.wait_for("The web page has a password now; it listens on 127.0.0.1:8480")
        assert terminal.end() == 0
        assert "garden" not in terminal.shown
    known = read_password(tmp_path / "web")
    assert known is not None
    assert known.is_for("over the garden wall")


def test_letters_that_are_composed_in_another_way_are_the_same_password(tmp_path: Path) -> None:
    set_password(tmp_path, "caf\u00e9 am Tor")

    known = read_password(tmp_path)

    assert known is not None
    assert known.is_for("cafe\u0301 am Tor")


@pytest.mark.parametrize("path", ["/", "/visits", "/visits/x/picture.jpg", "/nothing", "/login/../visits"])
def test_without_a_session_everything_leads_to_the_login(page: WebPage, path: str) -> None:
    answer = Client(page.address).get(path)

    assert answer.status == 303
    assert answer.headers["location"].startswith("/login?next=")
    assert answer.text == ""


def test_the_cookie_is_strict_and_out_of_reach_of_scripts(page: WebPage) -> None:
    [cookie] = Client(page.address).log_in().cookies

    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/x\n"]
)
def test_logging_in_leads_to_no_other_host(page: WebPage, target: str) -> None:
    client = Client(page.address)

    answer = client.post("/login", {"password": PASSWORD, "next": target})

    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=lambda headers: "-".join(f"{k}={v}" for k, v in headers.items()),
)
def test_forms_of_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    assert client.post("/logout", **headers).status == 403
    assert Client(client.address).log_in(**headers).status == 403
    assert client.get("/visits").status == 200


def test_a_form_needs_the_token_of_its_session(client: Client, page: WebPage) -> None:
    other = Client(page.address)
    other.log_in()
    assert client.post("/logout", token=False).status == 403
    assert client.post("/logout", {"csrf": other.csrf}, token=False).status == 403
    assert client.get("/visits").status == 200

    assert client.post("/logout").status == 303

    assert client.get("/visits").status == 303


def test_a_session_that_was_logged_out_is_over_for_a_stolen_cookie_too(client: Client) -> None:
    stolen = Client(client.address, dict(client.cookies))
    assert stolen.get("/visits").status == 200

    client.post("/logout")

    assert stolen.get("/visits").status == 303


def test_a_new_password_ends_every_session(tmp_path: Path) -> None:
    with running_page(write_web_config(tmp_path), tmp_path) as page:
        client = Client(page.address)
        client.log_in()
        set_password(tmp_path / "web", "another one of them")
        os.sync()

        assert client.get("/visits").status == 303
        assert client.log_in().status == 403
        assert client.log_in("another one of them").status == 303


def test_removing_the_password_turns_a_running_page_off(tmp_path: Path) -> None:
    with running_page(config := write_web_config(tmp_path), tmp_path) as page:
        client = Client(page.address)
        client.log_in()

        whosthere("web", "password", "--remove", "--config", config)

        assert client.get("/visits").status == 503


def test_wrong_passwords_are_counted_over_restarts(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)
    with running_page(config, tmp_path) as page:
        tried = [Client(page.address).log_in("wrong one").status for _ in range(MAX_FAILURES + 2)]
    with running_page(config, tmp_path) as page:
        after = Client(page.address).log_in()

    assert tried == [403] * MAX_FAILURES + [429] * 2
    assert after.status == 429
    assert "Too many wrong passwords" in after.text


def test_the_right_password_clears_the_count(page: WebPage) -> None:
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            assert Client(page.address).log_in("wrong one").status == 403
        assert Client(page.address).log_in().status == 303


def test_an_address_may_try_again_when_its_first_failure_is_old(tmp_path: Path) -> None:
    limit = LoginLimit(tmp_path)
    for second in range(MAX_FAILURES):
        limit.count("192.0.2.7", NOW + second)

    assert limit.wait_s("192.0.2.7", NOW + 10) == WINDOW_S - 10
    assert limit.wait_s("192.0.2.8", NOW + 10) == 0
    assert limit.wait_s("192.0.2.7", NOW + WINDOW_S + 1) == 0


def test_a_home_with_many_ipv6_addresses_is_one(tmp_path: Path) -> None:
    limit = LoginLimit(tmp_path)
    for number in range(MAX_FAILURES):
        limit.count(f"2001:db8::{number + 1:x}", NOW)

    assert limit.wait_s("2001:db8::ffff", NOW) > 0
    assert limit.wait_s("2001:db8:0:1::1", NOW) == 0


def test_a_clock_that_was_set_back_blocks_nobody_for_long(tmp_path: Path) -> None:
    limit = LoginLimit(tmp_path)
    for _ in range(MAX_FAILURES):
        limit.count("192.0.2.7", NOW + 1e6)

    assert limit.wait_s("192.0.2.7", NOW) == WINDOW_S


def test_damaged_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_bytes(b"{")
    (tmp_path / "logins").write_bytes(b"\xff\xfe")

    token = Sessions(tmp_path, 30).start("p", NOW)
    LoginLimit(tmp_path).count("192.0.2.7", NOW)

    assert Sessions(tmp_path, 30).find(token, "p", NOW + 1) is not None


def test_sessions_end_with_time_and_with_number(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, 30)
    first = sessions.start("p", NOW)
    assert sessions.find(first, "p", NOW + 29 * 86400) is not None
    assert sessions.find(first, "p", NOW + 31 * 86400) is None
    assert sessions.find(first, "another password", NOW) is None

    for _ in range(MAX_SESSIONS):
        sessions.start("p", NOW)

    assert sessions.find(first, "p", NOW) is None


def test_what_lies_on_disk_is_no_cookie(tmp_path: Path) -> None:
    token = Sessions(tmp_path, 30).start("p", NOW)

    assert token.encode() not in (tmp_path / "sessions").read_bytes()


PROXY = {"X_Forwarded_For": "203.0.113.5, 192.0.2.9", "X_Forwarded_Proto": "https"}


def test_nobody_is_believed_who_is_no_configured_proxy(page: WebPage) -> None:
    [cookie] = Client(page.address).log_in(**PROXY).cookies

    assert "secure" not in cookie.lower()
    assert Client(page.address).get("/visits", X_Ingress_Path="/api/hassio_ingress/x").status == 303


def test_a_configured_proxy_says_who_the_client_is(tmp_path: Path) -> None:
    config = write_web_config(tmp_path, web={"trusted_proxy": "127.0.0.1"})
    with running_page(config, tmp_path) as page:
        [cookie] = Client(page.address).log_in(**PROXY).cookies
        for _ in range(MAX_FAILURES):
            Client(page.address).log_in("wrong one", **PROXY)
        blocked = Client(page.address).log_in(**PROXY)
        other = Client(page.address).log_in(X_Forwarded_For="192.0.2.9, 192.0.2.10")

    assert "secure" in cookie.lower()
    assert (blocked.status, other.status) == (429, 303)


def test_home_assistant_logs_in_through_ingress_and_links_stay_in_it(tmp_path: Path) -> None:
    config = write_web_config(tmp_path, web={"ingress": "127.0.0.1"})
    with running_page(config, tmp_path) as page:
        client = Client(page.address)
        inside = client.get("/visits", X_Ingress_Path="/api/hassio_ingress/a-b_C", X_Remote_User_Id="7f")
        outside = client.get("/visits")
        forged = client.get("/visits", X_Ingress_Path="//elsewhere.example")

    assert inside.status == 200
    assert 'href="/api/hassio_ingress/a-b_C/visits"' in inside.text
    assert "frame-ancestors 'self'" in inside.headers["content-security-policy"]
    assert (outside.status, forged.status) == (303, 303)


def test_every_response_forbids_what_the_page_does_not_need(client: Client) -> None:
    for path in ("/visits", "/nothing", "/static/style.css", "/visits/x/picture.jpg"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
