"""The page's API enrols people from photos and at the camera, and shows and hands out what is kept of them."""

import io
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.diary.diary_file import DiaryFile
from edge.galleries.file import open_gallery
from edge.link.protocol import GuideNews
from support.api import described, refused, script, send, upload
from support.bombs import png
from support.diaries import new
from support.http_client import Client
from support.linked import linked
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, side_by_side
from support.publishing import until
from support.web import WebPage, running_page, write_web_config

PHOTOS = "/api/enrolments/photos"
CAMERA = "/api/enrolments/camera"


@pytest.fixture
def page(tmp_path: Path, demo_gallery: Path) -> Iterator[WebPage]:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    config = write_web_config(tmp_path, gallery, web={"max_upload_mb": 5})
    with running_page(config, tmp_path) as running:
        yield running


@pytest.fixture
def client(page: WebPage) -> Iterator[Client]:
    with script(page) as client:
        yield client


def people(page: WebPage) -> dict[str, int]:
    """Name -> number of templates."""
    return {one.name: len(one.templates) for one in open_gallery(page.folder / "gallery.whg", None).people}


def test_photos_of_somebody_new_each_with_its_outcome(client: Client, page: WebPage) -> None:
    sent = [("photos", "front.jpg", COLLINS.read_bytes()), ("photos", "notes.jpg", b"hello")]

    added = described(upload(client, PHOTOS, sent, {"person": "  Eileen   Collins "}), "post", PHOTOS)

    outcomes = {one["photo"]: one["result"] for one in added["report"]["photos"]}
    assert outcomes == {"front.jpg": "enrolled", "notes.jpg": "refused"}
    assert (added["report"]["person_name"], added["report"]["written"]) == ("Eileen Collins", True)
    assert not added["in_use"]
    assert people(page)["Eileen Collins"] == 1
    assert not list((page.folder / "web" / "uploads").iterdir())


@pytest.mark.slow
def test_the_face_of_a_photo_can_be_given(client: Client, page: WebPage, tmp_path: Path) -> None:
    party = cv2.imencode(".jpg", side_by_side(COLLINS, HOPPER))[1].tobytes()

    unsure = described(upload(client, PHOTOS, [("photos", "a.jpg", party)], {"person": "Eileen"}), "post", PHOTOS)
    chosen = upload(client, PHOTOS, [("photos", "a.jpg", party)], {"person": "Eileen", "face": "1"})

    assert not unsure["report"]["written"] and unsure["report"]["photos"][0]["faces"] == 2
    assert described(chosen, "post", PHOTOS)["report"]["written"]
    assert people(page)["Eileen"] == 1


@pytest.mark.slow
def test_one_photo_of_somebody_is_removed(client: Client, page: WebPage) -> None:
    path, sent = "/api/people/{person}/remove-photo", [("photos", "second.jpg", OBAMA_2009.read_bytes())]
    described(upload(client, PHOTOS, sent, {"person": "Barack Obama"}), "post", PHOTOS)
    place = path.format(person="barack-obama")
    refused(send(client, place, {"photo": "third.jpg"}), 422, "no photo 'third.jpg', or several; allowed: 1 photo.jpg")
    refused(send(client, place, {"photo": 2}), 422, "Expected `str`, got `int`")
    refused(send(client, place, {}), 422, "required field `photo`")
    assert described(send(client, place, {"photo": "second.jpg"}), "post", path) == {}
    assert people(page)["Barack Obama"] == 1
    refused(send(client, place, {"photo": "1"}), 422, "remove the person")


JPEG = COLLINS.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "fields", "status", "said"),
    [
        ([], {"person": "Eve"}, 422, "photos: found no file"),
        ([("photos", "a.jpg", JPEG)], {}, 422, "required field `person`"),
        ([("photos", "a.jpg", JPEG)], {"person": ""}, 422, "length >= 1"),
        ([("photos", "a.jpg", JPEG)], {"person": "E\u202eve"}, 422, "is not allowed as a name"),
        ([("photos", "a.jpg", JPEG)], {"person": "Eve", "face": "first"}, 422, "`$.face`"),
        ([("photos", "a.jpg", JPEG)], {"person": "Eve", "face": "0"}, 422, ">= 1"),
        ([("photos", "a.jpg", JPEG)] * 2, {"person": "Eve", "face": "1"}, 422, "--face"),
        ([("photos", "a.jpg", JPEG)], {"person": "Eve", "gallery": "/etc"}, 422, "unknown field `gallery`"),
        ([("photos", "a.jpg", b"")], {"person": "Eve"}, 422, "found an empty file"),
        ([("picture", "a.jpg", JPEG)], {"person": "Eve"}, 422, "found a file in the field 'picture'"),
        ([("photos", "a.jpg", b"x")] * 13, {"person": "Eve"}, 400, "Too many files"),
    ],
)
def test_uploads_that_make_no_sense_are_refused(
    client: Client, page: WebPage, files: list[tuple[str, str, bytes]], fields: dict[str, str], status: int, said: str
) -> None:
    before = people(page)
    refused(upload(client, PHOTOS, files, fields), status, said)
    assert people(page) == before
    assert not list((page.folder / "web").glob("uploads/*"))


def test_too_many_bytes_are_refused_before_they_are_read(client: Client, page: WebPage) -> None:
    announced = upload(client, PHOTOS, [("photos", "a.jpg", JPEG)], {"person": "Eve"}, Content_Length="5000001")
    refused(announced, 413, "found 5000001 bytes; allowed: 5000000")
    assert not list((page.folder / "web").glob("uploads/*"))


@pytest.mark.slow
def test_hostile_photos_harm_nobody(client: Client, page: WebPage) -> None:
    before = people(page)
    for name, content in (("../../../etc/passwd", b"no"), ("--face=1", b"no"), ("bomb.png", png(50_000, 50_000))):
        added = described(upload(client, PHOTOS, [("photos", name, content)], {"person": "Eve"}), "post", PHOTOS)
        assert added["report"]["photos"][0]["result"] == "refused"
        assert "/" not in added["report"]["photos"][0]["photo"]
    assert people(page) == before
    assert page.process.poll() is None


def test_photos_need_session_token_origin_and_a_form(client: Client, page: WebPage) -> None:
    before, sent, whose = people(page), [("photos", "a.jpg", JPEG)], {"person": "Eve"}
    assert upload(Client(client.address), PHOTOS, sent, whose).status == 401
    refused(upload(client, PHOTOS, sent, whose, X_CSRF_Token=""), 403, "X-CSRF-Token")
    # The token in a field, as a form of the page has it, is not enough: any form can be made to hold a field.
    refused(upload(client, PHOTOS, sent, {**whose, "csrf": client.csrf}, X_CSRF_Token="0" * 64), 403, "X-CSRF-Token")
    assert upload(client, PHOTOS, sent, whose, Origin="https://elsewhere.example").status == 403
    refused(send(client, PHOTOS, whose), 415, "multipart/form-data")
    assert people(page) == before


def test_portrait_merge_and_export(client: Client, page: WebPage) -> None:
    diary = DiaryFile(page.folder / "diary.sqlite3", 10)
    jpeg = cv2.imencode(".jpg", cv2.resize(cv2.imread(str(OBAMA)), (96, 96)))[1].tobytes()
    diary.add(new(1, "barack-obama", jpeg=jpeg))
    diary.close()
    path = "/api/people/{person}/"

    shown = client.get("/api/people/barack-obama/portrait")
    nobody = client.get("/api/people/joe-biden/portrait")
    merged = send(client, "/api/people/barack-obama/merge", {"other": "joe-biden"})
    exported = client.ask("GET", "/api/people/barack-obama/export")

    assert described(shown, "get", path + "portrait").startswith("\ufffd\ufffd\ufffd\ufffd")
    refused(nobody, 404, "found no picture of joe-biden")
    assert described(merged, "post", path + "merge") == {}
    assert people(page) == {"Barack Obama": 2, "Grace Hopper": 1}
    described(exported, "get", path + "export")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert json.loads(archive.read("person.json"))["person"]["name"] == "Barack Obama"
        assert archive.namelist()[2].startswith("pictures/")
    refused(send(client, "/api/people/barack-obama/merge", {"other": "eve"}), 422, "found nobody called 'eve'")
    refused(send(client, "/api/people/barack-obama/merge", {}), 422, "required field `other`")
    refused(client.get("/api/people/eve/export"), 404, "found nobody called 'eve'")


def test_at_the_camera_the_coach_has_the_last_word(tmp_path: Path, demo_gallery: Path) -> None:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    with linked(tmp_path) as link:
        config = write_web_config(tmp_path, gallery, link={"path": str(link.path)})
        with running_page(config, tmp_path) as page, script(page) as client:
            answers = []
            asking = threading.Thread(target=lambda: answers.append(send(client, CAMERA, {"name": "Eileen"})))
            asking.start()
            until(lambda: link.box.saying is not None)
            assert link.box.saying is not None
            refused(send(client, CAMERA, {"name": "Eve"}), 503, "somebody else is being enrolled")
            link.box.saying(GuideNews("come closer", 0, 5), b"")
            link.box.saying(GuideNews("nobody came", 0, 5, over=True), b"")
            asking.join()
            taken = described(answers[0], "post", CAMERA)
            assert taken == {"name": "Eileen", "portraits": 0, "said": "nobody came", "alike": []}
            refused(send(client, CAMERA, {"name": "E\nve"}), 422, "is not allowed as a name")


def test_without_a_daemon_the_camera_cannot_be_used(client: Client) -> None:
    refused(send(client, CAMERA, {"name": "Eileen"}), 503, "link.sock")


def test_pictures_of_visits(client: Client, page: WebPage) -> None:
    diary = DiaryFile(page.folder / "diary.sqlite3", 10)
    jpeg = cv2.imencode(".jpg", cv2.resize(cv2.imread(str(BIDEN)), (96, 96)))[1].tobytes()
    pictured, plain = new(1, "joe-biden", jpeg=jpeg), new(2, "joe-biden")
    diary.add(pictured)
    diary.add(plain)
    diary.close()
    path = "/api/visits/{visit}/picture"

    assert client.ask("GET", path.format(visit=pictured.record.id)).content == jpeg
    refused(client.get(path.format(visit=plain.record.id)), 404, "no picture of this visit is kept")
    refused(client.get(path.format(visit="none")), 404, "found no visit")
    refused(client.get("/api/strangers/stranger-1/pictures/1"), 404, "does not group strangers")
