"""`whosthere notify test`, and what check and doctor find about notices."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.config import typed_yaml
from edge.config.loading import load_config
from edge.errors import ConfigError
from edge.metrics.snapshot import NoticeCounts
from support.checking import PASSWORD, changed, check
from support.linked import linked
from support.notice_server import notice_server, unused_url
from support.portraits import whosthere

TOPIC = "door-8f3kq0zv7m"


def config(folder: Path, **notify: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump({"device_id": "front-door", "notify": notify}))
    return path


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    return str(path)


def test_a_real_message_is_sent_by_every_channel(tmp_path: Path) -> None:
    with notice_server() as phone, notice_server() as program:
        path = config(
            tmp_path,
            ntfy={"server": phone.url, "topic": TOPIC, "picture": True, "quiet": "00:00-23:59"},
            webhook={"url": f"{program.url}/hook", "events": []},
        )
        done = whosthere("notify", "test", "--config", path)
        one = whosthere("notify", "test", "--config", path, "--channel", "webhook", "--json")
        [shown] = phone.posted
        posted, _ = program.posted
    assert done.exit_code == one.exit_code == 0, done.output
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["sent", "ntfy"], ["sent", "webhook"]]
    assert [line["channel"] for line in json.loads(one.stdout)] == ["webhook"]
    assert shown.text("Title") == "whosthere can reach you" and "This is a test" in shown.text("Message")
    assert shown.body.startswith(b"\xff\xd8")
    assert (posted.json["event_type"], posted.json["device_id"]) == ("test", "front-door")


def test_a_failure_is_explained_and_the_others_are_tried(tmp_path: Path, secret: str) -> None:
    with notice_server() as phone:
        phone.answers.append((403, {}))
        path = config(
            tmp_path,
            ntfy={"server": phone.url, "topic": TOPIC, "token_file": secret},
            webhook={"url": f"{unused_url()}/hooks/{PASSWORD}"},
        )
        done = whosthere("notify", "test", "--config", path)
    assert done.exit_code == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("failed") and "is the token in notify.ntfy.token_file right" in first
    assert second.startswith("failed") and "/...: nothing listens there" in second
    assert PASSWORD not in done.output and TOPIC not in done.output


def test_without_a_channel_there_is_nothing_to_try(tmp_path: Path) -> None:
    done = whosthere("notify", "test", "--config", config(tmp_path))
    assert (done.exit_code, "set notify.ntfy.server" in done.output) == (3, True)
    with notice_server() as phone:
        path = config(tmp_path, ntfy={"server": phone.url, "topic": TOPIC})
        done = whosthere("notify", "test", "--config", path, "--channel", "webhook")
    assert (done.exit_code, "found no address for webhook" in done.output, phone.posted) == (3, True, [])


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ({"ntfy": {"server": "ntfy.sh", "topic": TOPIC}}, "notify.ntfy.server: found something else (not quoted, as"),
        ({"ntfy": {"server": "rtsp://ntfy.sh", "topic": TOPIC}}, "allowed: an address such as https://ntfy.sh"),
        ({"ntfy": {"server": "https://ntfy.sh/door"}}, "notify.ntfy.server: found a path; allowed: the server alone"),
        ({"ntfy": {"server": "https://ntfy.sh"}}, "notify.ntfy.topic, topic_file: found neither; allowed: one of them"),
        ({"ntfy": {"server": "https://ntfy.sh", "topic": "a b"}}, "notify.ntfy.topic: found 'a b'; allowed: up to 64"),
        (
            {"ntfy": {"quiet": "22-7"}},
            "notify.ntfy.quiet: found '22-7'; allowed: two times of day, such as 22:00-",
        ),
        ({"ntfy": {"events": ["visit"]}}, "notify.ntfy.events: found ['visit']; allowed: a list of 'again', "),
        ({"ntfy": {"priority": "urgent"}}, "notify.ntfy.priority: found 'urgent'; allowed: 'default', "),
        ({"webhook": {"url": f"https://bob:{PASSWORD}@a.example"}}, "notify.webhook.url: found a login in the address"),
        ({"webhook": {"url": "https://a.example:99999/"}}, "notify.webhook.url: found something else"),
        ({"webhook": {"url": "https://a.example/", "url_file": "u"}}, "notify.webhook.url, url_file: found both"),
        ({"give_up_s": 1}, "notify.give_up_s: found 1; allowed: a number from 10 to 86400"),
    ],
)
def test_mistakes_in_the_config(tmp_path: Path, notify: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config(tmp_path, **notify))
    assert told in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_check_connects_and_sends_nothing(tmp_path: Path, secret: str) -> None:
    with notice_server() as phone:
        path = config(
            tmp_path,
            ntfy={"server": phone.url, "topic_file": secret},
            webhook={"url": unused_url(), "token_file": secret},
        )
        skip = ("--skip", "camera", "--skip", "broker")
        code, findings = check(path, *skip)
        assert phone.posted == []
        skipped_code, skipped = check(path, *skip, "--skip", "notify")
    well, broken = findings["notify"]
    assert (well["verdict"], broken["verdict"], code) == ("ok", "failed", 1)
    assert "ntfy: http://localhost:" in well["found"] and "nothing listens there" in broken["found"]
    secrets = [finding["found"] for finding in findings["secret"]]
    assert [text.split(":")[0] for text in secrets] == ["notify.ntfy.topic_file", "notify.webhook.token_file"]
    assert skipped["notify"][0]["verdict"] == "skipped" and skipped_code == 0


def test_what_works_but_should_not_be_so(tmp_path: Path, demo_gallery: Path) -> None:
    path = config(
        tmp_path,
        ntfy={"server": "https://ntfy.sh", "topic": "door", "people": ["barack-obama", "Joe"]},
        webhook={"url": "http://192.0.2.1/hook", "events": ["again"]},
    )
    changed(path, gallery={"path": str(demo_gallery)})
    done = whosthere("doctor", "--config", path)
    report = json.loads(whosthere("doctor", "--config", path, "--json").stdout)
    for text in (
        "notify.ntfy.topic has 4 characters: anyone who guesses it reads who is at your door",
        "notify.ntfy.people: nobody in the gallery is called Joe",
        "notify.webhook.url is http://: names, pictures and tokens cross the network unencrypted",
        "notify.webhook.events has again, but strangers.group is false",
    ):
        assert any(text in hint for hint in report["hints"]), text
    assert "Joe" in done.output


@pytest.mark.parametrize("mistake", [{}, {"give_up_s": "soon"}])
def test_the_report_for_an_issue_says_nowhere_where_notices_go(tmp_path: Path, mistake: dict[str, Any]) -> None:
    path = config(
        tmp_path,
        ntfy={"server": "https://push.family.example", "topic": TOPIC, "people": ["Aunt May", "uncle-ben"]},
        webhook={"url": f"https://hooks.family.example:8123/api/webhook/{PASSWORD}?t={PASSWORD}"},
        **mistake,
    )
    changed(path, web={"url": "https://page.family.example/box"})
    whosthere("doctor", "--config", path, "--report", tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "<topic>" in text and text.count("<address>") == 3, text
    for private in ("family", TOPIC, PASSWORD, "Aunt", "uncle-ben", "api/webhook"):
        assert private not in text, private


def test_doctor_asks_the_daemon_how_its_notices_fared(tmp_path: Path) -> None:
    path = config(tmp_path, ntfy={"server": "https://push.example", "topic": TOPIC})
    changed(path, link={"path": str(tmp_path / "link.sock")})
    with linked(tmp_path) as daemon:
        metrics = daemon.box.metrics()
        counts = {
            "ntfy": NoticeCounts(sent=4, failed=9, dropped=1, waiting=0, problem="https://a.example:443: status 503"),
            "webhook": NoticeCounts(sent=4, failed=0, dropped=0, waiting=0),
        }
        daemon.box.metrics = lambda: replace(metrics, notices=counts)  # type: ignore[method-assign]
        hints = json.loads(whosthere("doctor", "--config", path, "--json").stdout)["hints"]
    said = (
        "ntfy: 1 notice given up since the daemon started; the last attempt failed: https://a.example:443: status 503"
    )
    assert [hint for hint in hints if "since the daemon" in hint] == [f"{said}; `whosthere notify test` tries it now"]
    hints = json.loads(whosthere("doctor", "--config", path, "--json").stdout)["hints"]
    assert not any("since the daemon" in hint for hint in hints), "no daemon runs"


def test_doctor_needs_no_secret_and_check_does(tmp_path: Path, demo_gallery: Path) -> None:
    ntfy = {"server": "https://push.example", "topic": TOPIC, "token_file": "$CREDENTIALS_DIRECTORY/ntfy-token"}
    path = config(tmp_path, ntfy=ntfy)
    changed(path, gallery={"path": str(demo_gallery)})
    report = json.loads(whosthere("doctor", "--config", path, "--json").stdout)
    assert (report["problems"], report["exit_code"]) == ([], 0)
    code, findings = check(path, "--skip", "camera", "--skip", "broker")
    assert (code, findings["secret"][0]["verdict"], findings["notify"][0]["verdict"]) == (3, "failed", "skipped")
