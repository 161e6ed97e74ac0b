"""Notices by ntfy and webhook: to a real server on loopback, with and without TLS."""

import hashlib
import hmac
import json
import ssl
import unicodedata
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from edge.config.notify import NoticeRules, NtfySettings, WebhookSettings
from edge.errors import ConfigError
from edge.events import Event, EventKind, StrangerVisits
from edge.mqtt.contract import json_schemas
from edge.notify import post
from edge.notify.notice import kinds_of
from edge.notify.ntfy import NtfyChannel
from edge.notify.post import NotSent
from edge.notify.rules import is_quiet, wanted
from edge.notify.webhook import WebhookChannel
from edge.notify.words import NAME_LENGTH, ago
from edge.records import Candidate, Outcome, Problem
from support.notice_server import NoticeServer, notice_server, unused_url
from support.notices import notice
from support.publishing import ADA, event, match, picture, recognized

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  (local time)
DAY = 86400.0


def no_page(_: str) -> None:
    return None


def ntfy(server: str, topic: str = "door-8f3kq0zv7m", **settings: object) -> NtfyChannel:
    return NtfyChannel(NtfySettings(server=server, topic=topic, **settings), no_page)  # type: ignore[arg-type]


def secret(folder: Path, text: str) -> str:
    path = folder / f"secret-{len(text)}"
    path.write_text(text + "\n")
    return str(path)


def named(name: str, **fields: object) -> Event:
    return recognized(match=match(best=Candidate("ada", name, 0.7)), **fields)


def test_ntfy_gets_title_text_priority_and_the_page_of_the_visit(tmp_path: Path) -> None:
    with notice_server() as server:
        settings = NtfySettings(server=server.url, topic="door", token_file=secret(tmp_path, "tk_0123"))
        channel = NtfyChannel(settings, lambda visit: f"https://box.local/visits/{visit}")
        channel.send(notice(), 0.0)
        [posted] = server.posted
    assert (posted.method, posted.path) == ("POST", "/door")
    assert posted.text("Title") == "Ada Lovelace is at the door"
    assert posted.body.decode().startswith("Front door, ")
    assert (posted.headers["Priority"], posted.headers["Click"]) == ("3", "https://box.local/visits/v1")
    assert posted.headers["Authorization"] == "Bearer tk_0123"


@pytest.mark.parametrize(
    ("heard", "title", "detail"),
    [
        (event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)), "An unknown visitor is at the door", ""),
        (
            event(
                EventKind.UNKNOWN,
                match=match(Outcome.UNKNOWN),
                stranger=StrangerVisits(3, 6, 0, 10 * DAY, 13.5 * DAY),
            ),
            "An unknown visitor is at the door",
            "stranger-3, visit 6; the last was 3 days ago.",
        ),
        (
            event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN)),
            "Ada Lovelace or Grace Hopper is at the door",
            "It is not certain who it is.",
        ),
        (
            event(EventKind.NO_USABLE_FACE, problem=Problem.TOO_DARK),
            "Somebody is at the door",
            "No face could be recognised: too dark.",
        ),
    ],
)
def test_whoever_has_no_name_is_announced_in_words_and_more_urgently(heard: Event, title: str, detail: str) -> None:
    with notice_server() as server:
        ntfy(server.url).send(notice(heard), 0.0)
        [posted] = server.posted
    assert (posted.text("Title"), posted.headers["Priority"]) == (title, "4")
    assert posted.body.decode().endswith(detail)


def test_a_correction_takes_the_place_of_what_it_corrects_on_the_phone() -> None:
    with notice_server() as server:
        channel = ntfy(server.url)
        channel.send(notice(event(EventKind.UNKNOWN, "v7", 1, match=match(Outcome.UNKNOWN))), 0.0)
        channel.send(notice(recognized("v7", 2, corrects=1)), 0.0)
        first, second = server.posted
    assert first.headers["X-Sequence-ID"] == second.headers["X-Sequence-ID"] == "v7"
    assert second.text("Title") == "Ada Lovelace is at the door"
    assert second.body.decode().endswith("A moment ago this visitor was reported without a name.")


def test_a_late_notice_says_how_late_it_is() -> None:
    with notice_server() as server:
        ntfy(server.url).send(notice(), 185.0)
        channel = WebhookChannel(WebhookSettings(url=f"{server.url}/hook"))
        channel.send(notice(), 185.0)
        channel.send(notice(), 3.0)
        phone, late, prompt = server.posted
    assert phone.text("Title") == "Ada Lovelace was at the door 3 minutes ago"
    assert (late.json["delayed"], late.headers["X-Whosthere-Age"]) == (True, "185.0")
    assert prompt.json["delayed"] is False


def test_a_picture_is_attached_and_words_arrive_where_pictures_are_refused() -> None:
    shown = notice(recognized(picture=picture()), picture=True)
    with notice_server() as server:
        channel = ntfy(server.url, picture=True)
        assert channel.send(shown, 0.0) == ""
        server.answers.append((413, {}))
        assert "without the picture" in channel.send(shown, 0.0)
        attached, _, words = server.posted
    assert (attached.method, attached.headers["Filename"]) == ("PUT", "visit.jpg")
    decoded = cv2.imdecode(np.frombuffer(attached.body, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None and decoded.shape == (480, 640, 3)
    assert attached.text("Message") == words.body.decode()
    assert (words.method, words.text("Title")) == ("POST", "Ada Lovelace is at the door")


def test_the_webhook_gets_the_event_as_in_the_contract_signed(tmp_path: Path) -> None:
    with notice_server() as server:
        settings = WebhookSettings(url=f"{server.url}/a%20b?c=d", secret_file=secret(tmp_path, "pepper"))
        WebhookChannel(settings).send(notice(), 0.0)
        [posted] = server.posted
    assert (posted.method, posted.path) == ("POST", "/a%20b?c=d")
    jsonschema.validate(posted.json, json_schemas()["visit"])
    assert (posted.json["person_id"], posted.json["device_id"]) == ("ada", "front-door")
    expected = hmac.new(b"pepper", posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["X-Whosthere-Signature"] == f"sha256={expected}"


def test_the_webhooks_picture_is_in_the_json_or_a_part_of_its_own() -> None:
    shown = notice(recognized(picture=picture()), picture=True)
    with notice_server() as server:
        for form in ("none", "base64", "multipart"):
            WebhookChannel(WebhookSettings(url=server.url, picture=form)).send(shown, 0.0)
        without, base64, multipart = server.posted
    assert "picture" not in without.json
    assert b64decode(base64.json["picture"]) == multipart.parts["picture"] == shown.picture
    assert json.loads(multipart.parts["event"]) == without.json


def test_a_secret_address_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    url = unused_url()
    place = url.removeprefix("http://")
    channel = WebhookChannel(
        WebhookSettings(url_file=secret(tmp_path, f"http://bob:hunter2@{place}/api/s3cr3t?t=s3cr3t"))
    )
    with pytest.raises(NotSent, match="nothing listens there") as caught:
        channel.send(notice(), 0.0)
    assert str(caught.value).startswith(f"http://{place}/...")
    for text in (str(caught.value), repr(channel.__dict__["_server"].address)):
        assert "s3cr3t" not in text and "hunter2" not in text


def test_a_login_in_the_address_is_sent_as_such(tmp_path: Path) -> None:
    with notice_server() as server:
        url = server.url.replace("//", "//bob:p%40ss@")
        WebhookChannel(WebhookSettings(url_file=secret(tmp_path, url))).send(notice(), 0.0)
        [posted] = server.posted
    assert b64decode(posted.headers["Authorization"].removeprefix("Basic ")) == b"bob:p@ss"


@pytest.mark.parametrize("content", ["ta ble\u00e9", "a\x07b", "not a topic!", "x" * 65])
def test_secrets_that_cannot_be_sent_are_mistakes_and_not_quoted(tmp_path: Path, content: str) -> None:
    file = secret(tmp_path, content)
    with pytest.raises(ConfigError, match="topic_file") as caught:
        NtfyChannel(NtfySettings(server="https://ntfy.sh", topic_file=file), no_page)
    assert content not in str(caught.value)
    if not content.isascii() or "\x07" in content:
        with pytest.raises(ConfigError, match=r"notify\.webhook\.token_file"):
            WebhookChannel(WebhookSettings(url="https://a.example", token_file=file))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_a_server_of_ones_own_is_trusted_by_its_authority_and_no_other(tmp_path: Path, authority: trustme.CA) -> None:
    ours, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(ours)
    trustme.CA().cert_pem.write_to_path(other)
    with notice_server(tls_context(authority, "localhost")) as server:
        ntfy(server.url, ca_file=str(ours)).send(notice(), 0.0)
        assert len(server.posted) == 1
        for ca_file in (None, str(other)):
            with pytest.raises(NotSent, match=r"certificate is not trusted: .*; .* notify\.ntfy\.ca_file"):
                ntfy(server.url, ca_file=ca_file).send(notice(), 0.0)
        assert len(server.posted) == 1, "nothing was sent to a stranger"
    with (
        notice_server(tls_context(authority, "elsewhere.example")) as server,
        pytest.raises(NotSent, match="Hostname mismatch"),
    ):
        ntfy(server.url, ca_file=str(ours)).send(notice(), 0.0)


def test_a_file_without_certificates_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"notify\.ntfy\.ca_file: .* no certificates"):
        ntfy("https://ntfy.sh", ca_file=secret(tmp_path, "no certificate"))


@pytest.mark.parametrize(
    ("status", "again", "said"),
    [
        (401, False, "set notify.ntfy.token_file"),
        (403, False, "is the token in notify.ntfy.token_file right"),
        (404, False, "nothing at this address"),
        (302, False, "redirects"),
        (429, True, "too many"),
        (503, True, "a problem of its own"),
        (418, False, "refuses the message"),
    ],
)
def test_a_refusal_is_explained(status: int, again: bool, said: str) -> None:
    with notice_server() as server:
        server.answers.append((status, {"Retry-After": "7", "Location": f"{server.url}/elsewhere"}))
        with pytest.raises(NotSent, match=f"status {status}: .*{said}") as caught:
            ntfy(server.url).send(notice(), 0.0)
        assert len(server.posted) == 1, "redirects are not followed"
    assert (caught.value.again, caught.value.pause_s) == (again, 7.0)


@pytest.mark.parametrize("pause", ["", "soon", "-1", "9" * 5000, "\u0663"])
def test_an_odd_pause_is_bounded(pause: str) -> None:
    with notice_server() as server:
        server.answers.append((503, {"Retry-After": pause.encode("utf-8").decode("latin-1")}))
        with pytest.raises(NotSent) as caught:
            ntfy(server.url).send(notice(), 0.0)
    assert 0.0 <= caught.value.pause_s <= 300.0


def test_a_server_that_hangs_dribbles_or_hangs_up_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(post, "TOTAL_S", 1.0)
    with notice_server() as server:
        server.hang.set()
        with pytest.raises(NotSent, match=r"no answer within 0\.3 s"):
            ntfy(server.url).send(notice(), 0.0)
        server.hang.clear()
        for status, said in ((0, "hung up without an answer"), (-1, "no proper answer")):
            server.answers.append((status, {}))
            with pytest.raises(NotSent, match=said):
                ntfy(server.url).send(notice(), 0.0)


def test_plain_http_on_a_port_for_tls_and_the_other_way_round(authority: trustme.CA) -> None:
    with (
        notice_server(tls_context(authority, "localhost")) as server,
        pytest.raises(NotSent, match=r"hung up without an answer|no proper answer"),
    ):
        ntfy(server.url.replace("https", "http")).send(notice(), 0.0)
    with notice_server() as server, pytest.raises(NotSent, match="does this port speak TLS"):
        ntfy(server.url.replace("http", "https")).send(notice(), 0.0)


def test_a_name_that_does_not_resolve_is_explained() -> None:
    with pytest.raises(NotSent, match=r"https://nowhere\.invalid:443: its name cannot be resolved"):
        ntfy("https://nowhere.invalid").send(notice(), 0.0)


@pytest.fixture(scope="module")
def listening() -> NoticeServer:
    return NoticeServer()


@given(st.one_of(st.text(max_size=300), st.text("=?UTF8BQ_ \\n\r\n\x1b\u202e\u200d👩‍🚒🏴", max_size=80)))
def test_whatever_a_name_holds_it_arrives_as_one_short_line(listening: NoticeServer, name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    listening.posted.clear()
    ntfy(listening.url).send(notice(named(name)), 0.0)
    WebhookChannel(WebhookSettings(url=listening.url)).send(notice(named(name)), 0.0)
    phone, program = listening.posted
    title = phone.text("Title")
    assert title.endswith(" is at the door") and len(title) <= NAME_LENGTH + len(" is at the door")
    assert {unicodedata.category(character) for character in title}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert {"\u202e", "\u2066", "\u200f"}.isdisjoint(title), "nothing turns the text around"
    assert program.json["person_name"] == name, "a program gets the name as it is"


def test_a_plain_name_is_unchanged_and_a_long_one_is_cut() -> None:
    with notice_server() as server:
        for name in ("Zoë Ångström", "李小龍", "👩‍🚒 Ann", "=?UTF-8?B?QWRh?=", "x" * 500, "  "):
            ntfy(server.url).send(notice(named(name)), 0.0)
        titles = [posted.text("Title").removesuffix(" is at the door") for posted in server.posted]
    assert titles == ["Zoë Ångström", "李小龍", "👩‍🚒 Ann", "=?UTF-8?B?QWRh?=", "x" * (NAME_LENGTH - 1) + "…", "?"]


def test_what_is_announced() -> None:
    stranger = StrangerVisits(3, 2, 0, 1, 2)
    unknown = event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN))
    assert kinds_of(recognized()) == {"recognized"}
    assert kinds_of(recognized(corrects=1)) == {"recognized", "correction"}
    assert kinds_of(unknown) == {"unknown"}
    assert kinds_of(replace(unknown, stranger=replace(stranger, times=1))) == {"unknown"}
    assert kinds_of(replace(unknown, stranger=stranger)) == {"unknown", "again"}
    for silent in (
        recognized(provisional=True),
        replace(unknown, silenced=True),
        event(EventKind.STARTED),
        event(EventKind.ENDED, match=match(Outcome.UNKNOWN), stranger=stranger),
    ):
        assert kinds_of(silent) == set()


def test_rules_pick_events_people_and_hours() -> None:
    ada, unknown = notice(), notice(event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)))
    doubt = notice(event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN)))
    assert wanted(ada, NoticeRules(), NOON)
    assert not wanted(ada, NoticeRules(events=("unknown", "correction")), NOON)
    assert wanted(notice(recognized(corrects=1)), NoticeRules(events=("correction",)), NOON)
    for people in (("ada",), ("Ada Lovelace",)):
        assert wanted(ada, NoticeRules(people=people), NOON)
        assert wanted(doubt, NoticeRules(people=people), NOON), "it may be Ada"
    assert not wanted(ada, NoticeRules(people=("grace",)), NOON)
    assert wanted(unknown, NoticeRules(people=("grace",)), NOON), "whoever has no name"
    assert not wanted(ada, NoticeRules(quiet="11:00-13:00"), NOON)
    assert wanted(replace(ada, clock_set=False), NoticeRules(quiet="11:00-13:00"), NOON)


@given(st.times(), st.times(), st.times())
def test_hours_and_the_other_hours_make_a_day(begin: object, end: object, now: object) -> None:
    first, last = (f"{time:%H:%M}" for time in (begin, end))
    if first != last:
        assert is_quiet(f"{first}-{last}", now) is not is_quiet(f"{last}-{first}", now)  # type: ignore[arg-type]
    else:
        assert is_quiet(f"{first}-{last}", now)  # type: ignore[arg-type]


def test_quiet_hours_begin_on_the_minute_and_span_midnight() -> None:
    times = ["21:59", "22:00", "23:30", "00:00", "06:59", "07:00"]
    quiet = [is_quiet("22:00-07:00", datetime.strptime(text, "%H:%M").time()) for text in times]  # noqa: DTZ007
    assert quiet == [False, True, True, True, True, False]
    assert [is_quiet("13:00-14:00", time(hour)) for hour in (12, 13, 14)] == [False, True, False]


def test_how_long_ago_in_words() -> None:
    assert [ago(seconds) for seconds in (0, 1.9, 59, 60, 7199, 86400 * 2.5)] == [
        "1 second ago",
        "1 second ago",
        "59 seconds ago",
        "1 minute ago",
        "1 hour ago",
        "2 days ago",
    ]


def test_nobody_else_is_named_by_an_unknown_visitor() -> None:
    assert notice(event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN))).people == {}
    assert notice().people == {ADA.person_id: ADA.name}
