"""The page's API for the box itself: its settings, backups, guest passes, the door's picture and keys."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.diary.diary_file import DiaryFile
from edge.galleries.file import open_gallery
from edge.mqtt.command_payloads import Restart
from edge.web.passes import Passes
from support.api import described, refused, script, send, upload
from support.diaries import contents, new
from support.http_client import Client
from support.linked import Linked, linked, listens
from support.publishing import until
from support.web import WebPage, running_page, write_web_config

MINE = "# Mine.\nmatch:\n  false_alarm_target: 0.001  # one in a thousand\n"


def box(folder: Path, demo_gallery: Path, link: Path | None = None) -> Path:
    """A box that has learned something; its config."""
    folder.mkdir(exist_ok=True)
    gallery = Path(shutil.copy(demo_gallery, folder / "gallery.whg"))
    config = write_web_config(folder, gallery, link={"path": str(link or folder / "link.sock")})
    config.write_text(config.read_text() + MINE)
    diary = DiaryFile(folder / "diary.sqlite3", 10)
    diary.add(new(1, "barack-obama"))
    diary.close()
    return config


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linked]:
    with linked(tmp_path_factory.mktemp("link")) as found:
        until(lambda: listens(found.path))
        found.frame()
        yield found


@pytest.fixture
def page(tmp_path: Path, demo_gallery: Path, link: Linked) -> Iterator[WebPage]:
    with running_page(box(tmp_path, demo_gallery, link.path), tmp_path) as running:
        yield running


@pytest.fixture
def client(page: WebPage) -> Iterator[Client]:
    with script(page) as client:
        yield client


def test_the_target_is_set_within_its_bounds_and_comments_stay(client: Client, page: WebPage) -> None:
    path = "/api/box/target"
    found = described(client.get("/api/box"), "get", "/api/box")

    assert (found["device_id"], found["target"]["now"], found["target"]["problem"]) == ("front-door", 0.001, "")
    assert "One stranger in 1,000 would be called by a name." in json.dumps(found["target"]["steps"])
    low, high = found["target"]["allowed"]
    assert low < 0.0005 < high
    assert described(send(client, path, {"false_alarm_target": 0.0005}), "post", path) == {}
    refused(send(client, path, {"false_alarm_target": low / 2}), 422, "the calibration and this gallery allow")
    refused(send(client, path, {"false_alarm_target": 0.9}), 422, "the calibration and this gallery allow")
    refused(send(client, path, {"false_alarm_target": "strict"}), 422, "Expected `float`, got `str`")
    refused(send(client, path, {}), 422, "required field `false_alarm_target`")
    assert load_config(page.config).config.match.false_alarm_target == 0.0005
    text = page.config.read_text()
    assert "# Mine." in text and "# one in a thousand" in text


def test_a_fixed_threshold_leaves_no_target(tmp_path: Path, demo_gallery: Path) -> None:
    config = box(tmp_path, demo_gallery)
    config.write_text(config.read_text().replace("  false_alarm_target", "  threshold: 0.5\n  false_alarm_target"))
    with running_page(config, tmp_path) as page, script(page) as client:
        found = described(client.get("/api/box"), "get", "/api/box")["target"]
        assert (found["allowed"], found["steps"]) == (None, [])
        assert "match.threshold is 0.5" in found["problem"]
        refused(send(client, "/api/box/target", {"false_alarm_target": 0.001}), 422, "match.threshold is set")


def test_the_region_is_set_and_nonsense_is_refused(client: Client, page: WebPage) -> None:
    path, whole = "/api/box/region", load_config(page.config).config.camera.region
    for body, said in (
        ({"left": 0.5, "right": 0.4}, "must be less than"),
        ({"left": 0.5, "right": 0.51}, "too small"),
        ({"left": -0.1}, ">= 0"),
        ({"bottom": 50}, "<= 1"),
        ({"top": "10%"}, "Expected `float`"),
        ({"middle": 0.5}, "unknown field `middle`"),
        ([0.1, 0.2, 0.9, 0.8], "Expected `object`"),
    ):
        refused(send(client, path, body), 422, said)
        assert load_config(page.config).config.camera.region == whole
    assert described(send(client, path, {"left": 0.1, "top": 0.2, "right": 0.9}), "post", path) == {}
    found = described(client.get("/api/box"), "get", "/api/box")["region"]
    assert found == {"left": 0.1, "top": 0.2, "right": 0.9, "bottom": 1.0}


def test_a_config_that_the_page_may_not_write_is_shown_instead(client: Client, page: WebPage) -> None:
    page.config.unlink()
    refused(send(client, "/api/box/target", {"false_alarm_target": 0.0005}), 409, "match.false_alarm_target: 0.0005")


def test_findings_log_and_restart(client: Client, link: Linked) -> None:
    report = described(client.get("/api/box/doctor"), "get", "/api/box/doctor")
    assert any("only one template of" in str(one) for one in report["hints"])
    log = described(client.get("/api/box/log"), "get", "/api/box/log")
    assert log["lines"] or log["problem"]
    part = client.get("/box/log", HX_Request="true").text
    assert part.lstrip().startswith("<p"), "a part has no title"
    described(send(client, "/api/box/restart"), "post", "/api/box/restart")
    assert isinstance(link.box.commands[-1], Restart)
    link.box.refusal = "not now"
    refused(send(client, "/api/box/restart"), 422, "not now")
    link.box.refusal = ""


@pytest.mark.slow
def test_a_backup_is_restored_on_a_second_box(client: Client, page: WebPage, tmp_path: Path) -> None:
    path = "/api/box/restore"
    saved = send(client, "/api/box/backup", {"passphrase": "five words are enough here"})
    described(saved, "post", "/api/box/backup")
    folder = tmp_path / "second"
    folder.mkdir()
    with running_page(write_web_config(folder), folder) as second, script(second) as other:
        file, fields = [("file", "box.whb", saved.content)], {"passphrase": "five words are enough here"}
        refused(upload(other, path, file, fields), 422, "required field `sure`")
        refused(upload(other, path, file, {**fields, "sure": "false"}), 422, "nothing was restored")
        refused(upload(other, path, file, {"sure": "true", "passphrase": "guessed"}), 422, "Nothing was restored")
        refused(upload(other, path, file, {"sure": "true", "passphrase": "five\nwords"}), 422, "found several lines")
        damaged = "Nothing was restored. the file: not a backup, or damaged"
        refused(upload(other, path, [("file", "a", b"zip?")], {"sure": "true"}), 422, damaged)
        refused(upload(other, path, [], {"sure": "true"}), 422, "file: found no file")
        refused(upload(other, path, file, {**fields, "sure": "true"}, X_CSRF_Token=""), 403, "X-CSRF-Token")
        refused(send(other, path, {"sure": True}), 415, "multipart/form-data")
        assert not (folder / "gallery.whg").exists()
        report = described(upload(other, path, file, {**fields, "sure": "true"}), "post", path)
        assert (report["manifest"]["people"], report["manifest"]["visits"]) == (3, 1)
        assert (
            open_gallery(folder / "gallery.whg", None).people == open_gallery(page.folder / "gallery.whg", None).people
        )


def test_guest_passes_are_made_listed_and_ended(client: Client, page: WebPage) -> None:
    until_day = datetime.now(UTC).date() + timedelta(days=3)
    made = described(send(client, "/api/guests", {"name": "Eileen", "until": str(until_day)}), "post", "/api/guests")
    secret = made["address"].rpartition("/")[2]

    listed = described(client.get("/api/guests"), "get", "/api/guests")
    assert listed == [made["guest_pass"]]
    assert (listed[0]["name"], listed[0]["until"], listed[0]["person_id"]) == ("Eileen", str(until_day), None)
    assert secret not in client.get("/api/guests").text and secret.encode() not in contents(page.folder / "web")
    guest = Client(client.address)
    assert "describes your face" in guest.get(f"/guest/{secret}").text
    assert guest.get("/api/guests").status == 401
    path = "/api/guests/{guest}/withdraw"
    ended = send(client, path.format(guest=listed[0]["id"]))
    assert described(ended, "post", path) == {}
    assert guest.get(f"/guest/{secret}").status == 404
    assert json.loads(client.get("/api/guests").text) == []
    refused(send(client, path.format(guest=listed[0]["id"])), 404, "found no guest pass")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "Eileen"}, "required field `until`"),
        ({"name": "Eileen", "until": "tomorrow"}, "`$.until`"),
        ({"name": "Eileen", "until": "2001-01-01"}, "allowed: today to"),
        ({"name": "Eileen", "until": "2999-01-01"}, "allowed: today to"),
        ({"name": "E\u202een", "until": "2999-01-01"}, "is not allowed as a name"),
        ({"name": ["Eileen"], "until": "2999-01-01"}, "Expected `str`"),
        ({"name": "Eileen", "until": "2999-01-01", "secret": "mine"}, "unknown field `secret`"),
    ],
)
def test_passes_that_make_no_sense_are_refused(client: Client, page: WebPage, body: object, said: str) -> None:
    refused(send(client, "/api/guests", body), 422, said)
    assert Passes(page.folder / "web").all() == []


def test_the_doors_picture_and_keys_to_it(client: Client, link: Linked) -> None:
    picture = client.ask("GET", "/api/door/picture?boxes=1")
    described(picture, "get", "/api/door/picture")
    assert picture.content[:3] == b"\xff\xd8\xff"
    refused(client.get("/api/door/picture?boxes=all"), 422, "Expected `bool`")
    made = described(send(client, "/api/keys", {"opens": "snapshot", "label": "HA"}), "post", "/api/keys")
    viewer = Client(client.address)
    key = made["address"].removeprefix(client.address)
    assert viewer.get(key).status == 200
    assert described(client.get("/api/keys"), "get", "/api/keys") == [made["key"]]
    path = "/api/keys/{key}/revoke"
    assert described(send(client, path.format(key=made["key"]["id"])), "post", path) == made["key"]
    assert viewer.get(key).status == 401
    refused(send(client, path.format(key=made["key"]["id"])), 422, "found no key")
    refused(send(client, "/api/keys", {"opens": "everything", "label": "HA"}), 422, "Invalid enum value")
    refused(send(client, "/api/keys", {"opens": "live", "label": " "}), 422, "found 0 characters")


def test_what_a_correction_costs_is_asked_before(client: Client) -> None:
    path = "/api/visits/{visit}/price"
    price = client.get("/api/visits/last/price?action=ignore")
    assert 0 < described(price, "get", path)["ignored_rate"] < 1
    refused(client.get("/api/visits/last/price?action=forget"), 422, "Invalid enum value")
    refused(client.get("/api/visits/last/price"), 422, "required field `action`")
    refused(client.get("/api/visits/last/price?action=name&person=Eve"), 422, "found nobody called 'Eve'")


def test_bodies_without_an_end_are_cut_off(client: Client) -> None:
    many = {"name": "x" * 70_000, "until": "2999-01-01"}
    assert send(client, "/api/guests", many).status == 413
    assert send(client, "/api/box/region", None, Content_Type="text/plain").status == 200
