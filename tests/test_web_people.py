"""The page of people in a real browser: enrol from photos, correct, merge, undo, forget with proof."""

import base64
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.demo.box import FOLDER
from edge.diary.diary_file import DiaryFile
from edge.galleries.file import open_gallery
from support.bombs import png
from support.broker import Broker
from support.browser import Browser, Visitor
from support.daemon import clip, running, write_config
from support.diaries import contents, new
from support.portraits import (
    BIDEN,
    COLLINS,
    HOPPER,
    OBAMA,
    OBAMA_2009,
    OBAMA_2010,
    read_picture,
    side_by_side,
    whosthere,
)
from support.web import WebPage, running_page, write_web_config

pytestmark = pytest.mark.slow
"""The rules themselves are tested without a browser, by the tests of the API and the command line."""


def portrait(path: Path) -> bytes:
    """The picture of a visit, as the diary keeps it."""
    image = read_picture(path)
    side = min(image.shape[:2])
    square = cv2.resize(image[:side, :side], (192, 192))
    return cv2.imencode(".jpg", square)[1].tobytes()


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("known") / "family.whg"
    for name, photos in {"Barack Obama": [OBAMA, OBAMA_2009], "Joe Biden": [BIDEN], "Grace Hopper": [HOPPER]}.items():
        assert whosthere("enroll", "--gallery", path, "--person", name, *photos).exit_code == 0
    return path


@pytest.fixture
def page(enrolled: Path) -> Iterator[WebPage]:
    # Its name can be read in a picture of the docs.
    with tempfile.TemporaryDirectory(prefix="whosthere-") as name:
        yield from _page(Path(name), enrolled)


def _page(folder: Path, enrolled: Path) -> Iterator[WebPage]:
    gallery = Path(shutil.copy(enrolled, folder / "gallery.whg"))
    diary = DiaryFile(folder / "diary.sqlite3", 10)
    for number, (who, photo) in enumerate(
        {"barack-obama": OBAMA_2010, "joe-biden": BIDEN, "grace-hopper": HOPPER}.items()
    ):
        diary.add(new(number, who, jpeg=portrait(photo), vector=True))
    diary.close()
    with running_page(write_web_config(folder, gallery), folder) as running:
        yield running


def people(page: WebPage) -> dict[str, int]:
    """Name -> number of templates."""
    return {one.name: len(one.templates) for one in open_gallery(page.folder / "gallery.whg", None).people}


def photo(path: Path, name: str | None = None) -> dict[str, object]:
    return {"name": name or path.name, "mimeType": "image/jpeg", "buffer": path.read_bytes()}


def turned(path: Path) -> dict[str, object]:
    """A photo that lies on its side, and says so in its EXIF data."""
    side = np.rot90(read_picture(path)).copy()
    jpeg = cv2.imencode(".jpg", side)[1].tobytes()
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    return {"name": "turned.jpg", "mimeType": "image/jpeg", "buffer": jpeg[:2] + exif + jpeg[2:]}


def add(owner: Visitor, name: str, *photos: dict[str, object]) -> None:
    owner.open("/people/+/add")
    owner.page.get_by_label("Name").fill(name)
    owner.page.get_by_label("Photos from this device").set_input_files(list(photos))
    owner.page.get_by_role("button", name="Add", exact=True).click()
    owner.page.wait_for_url("**/people/+/added/*")


def test_people_are_shown_with_what_is_missing(owner: Visitor, page: WebPage) -> None:
    owner.open("/people")
    assert owner.page.locator("article.person").count() == 3
    assert "none in the dark" in owner.page.locator("article.person").first.inner_text()
    owner.check()
    owner.picture("web-people")
    owner.page.get_by_role("link", name="Barack Obama").click()
    assert owner.page.locator("h1").inner_text() == "Barack Obama"
    owner.check()
    assert page.process.poll() is None


def test_enrolling_from_photos_jpeg_turned_and_unusable(owner: Visitor, page: WebPage, tmp_path: Path) -> None:
    party = tmp_path / "party.jpg"
    cv2.imwrite(str(party), side_by_side(OBAMA, BIDEN))
    notes: dict[str, object] = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"hello"}
    add(owner, "Eileen Collins", turned(COLLINS), photo(party), notes)
    text = owner.page.locator("main").inner_text()
    assert people(page)["Eileen Collins"] == 1, text
    assert "turned.jpg\n\ntaken" in text and "not an image in a supported format" in text
    assert "2 faces" in text or "looks like" in text
    owner.check()
    owner.picture("web-added")
    # The folder of the upload is the page's own, and nobody else's.
    assert (page.folder / "web" / "uploads").stat().st_mode & 0o077 == 0


def test_the_right_face_is_picked(owner: Visitor, page: WebPage, tmp_path: Path) -> None:
    party = tmp_path / "party.jpg"
    cv2.imwrite(str(party), side_by_side(COLLINS, HOPPER))
    add(owner, "Eileen", photo(party))
    assert "Eileen" not in people(page)
    owner.page.get_by_label("Which face, from the left?").select_option("1")
    owner.page.get_by_role("button", name="This one").click()
    owner.page.wait_for_load_state()
    assert people(page)["Eileen"] == 1


def test_heic_photos_are_read_or_jpeg_is_asked_for(owner: Visitor, page: WebPage) -> None:
    heif = pytest.importorskip("pillow_heif")
    from PIL import Image  # noqa: PLC0415

    stream = io.BytesIO()
    rgb = np.ascontiguousarray(read_picture(COLLINS)[:, :, ::-1])
    heif.from_pillow(Image.fromarray(rgb)).save(stream, quality=90)
    add(owner, "Eileen", {"name": "IMG_1.HEIC", "mimeType": "image/heic", "buffer": stream.getvalue()})
    assert people(page)["Eileen"] == 1, owner.page.locator("main").inner_text()


def test_rename_consent_merge_and_undo(owner: Visitor, page: WebPage) -> None:
    owner.open("/people/joe-biden")
    owner.page.get_by_role("textbox", name="Name").fill("Joe <b>Biden</b>")
    owner.page.get_by_role("button", name="Rename").click()
    assert owner.page.locator("h1").inner_text() == "Joe <b>Biden</b>"
    agreed = owner.page.get_by_label("They agreed to be recognised")
    assert not agreed.is_checked(), "nobody agrees by default"
    agreed.check()
    owner.page.get_by_label("Last day, or empty for no end").fill("2099-01-31")
    owner.page.get_by_role("button", name="Save").click()
    assert "until 2099-01-31" in owner.page.locator("main").inner_text()
    owner.open("/people/barack-obama")
    owner.page.get_by_label("Barack Obama is also").select_option("joe-biden")
    owner.page.get_by_role("button", name="Merge").click()
    owner.page.get_by_text("They are one person now.").wait_for()
    assert people(page) == {"Barack Obama": 3, "Grace Hopper": 1}
    owner.open("/people")
    assert owner.page.locator("nav [aria-current]").inner_text() == "People"
    owner.page.get_by_text("Changes of the last week (3)").click()
    owner.check()
    owner.page.get_by_role("button", name="Undo").first.click()
    owner.page.get_by_text("That change is undone.").wait_for()
    assert people(page) == {"Barack Obama": 2, "Grace Hopper": 1, "Joe <b>Biden</b>": 1}


def test_look_alikes_are_shown_side_by_side_with_what_to_do(owner: Visitor, page: WebPage) -> None:
    """Two pictures of one man under two names: the box cannot tell these two people apart."""
    gallery = page.folder / "gallery.whg"
    assert whosthere("enroll", "--gallery", gallery, "--person", "Barry <b>O</b>", OBAMA_2010).exit_code == 0
    owner.open("/people")
    cards = owner.page.locator("article.person", has_text="ooks like")
    assert sorted(cards.locator("h2").all_inner_texts()) == ["Barack Obama", "Barry <b>O</b>"]
    owner.page.get_by_role("link", name="Barack Obama").click()
    alike = owner.page.locator("section", has_text="Looks like Barry <b>O</b>")
    assert alike.locator("figcaption").all_inner_texts() == ["Barack Obama", "Barry <b>O</b>"]
    # Barack Obama has been seen, and the diary kept a picture; nobody has seen the other yet.
    assert alike.locator("figure img").count() == 1
    assert alike.locator("figure img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert "Barack Obama or Barry <b>O</b>" in alike.inner_text()
    owner.check()
    owner.open("/people/joe-biden")
    assert "Looks like" not in owner.page.locator("main").inner_text()
    owner.open("/people/barack-obama")
    owner.page.get_by_label("Barack Obama is also").select_option(label="Barry <b>O</b>")
    owner.page.get_by_role("button", name="Merge").click()
    owner.page.get_by_text("They are one person now.").wait_for()
    assert "Looks like" not in owner.page.locator("main").inner_text()


def test_removing_is_undone_and_forgetting_is_proved(owner: Visitor, page: WebPage) -> None:
    owner.open("/people/joe-biden")
    owner.page.get_by_role("button", name="Remove Joe Biden").click()
    owner.page.get_by_text("You can undo that for a week.").wait_for()
    assert "Joe Biden" not in people(page)
    owner.page.get_by_text("Changes of the last week (1)").click()
    owner.page.get_by_role("button", name="Undo").click()
    owner.page.get_by_text("That change is undone.").wait_for()
    assert people(page)["Joe Biden"] == 1
    owner.open("/people/joe-biden")
    owner.page.get_by_text("Forget Joe Biden for good").click()
    owner.page.get_by_label("Type the name to confirm").fill("Joe Bidet")
    owner.page.get_by_role("button", name="Forget for good").click()
    owner.page.get_by_text("nothing was forgotten").wait_for()
    owner.errors.clear()
    assert "Joe Biden" in people(page)
    owner.open("/people/joe-biden")
    owner.page.get_by_text("Forget Joe Biden for good").click()
    owner.page.get_by_label("Type the name to confirm").fill("Joe Biden")
    owner.page.get_by_role("button", name="Forget for good").click()
    owner.page.get_by_text("Nothing about Joe Biden is left on this box.").wait_for(timeout=60_000)
    owner.check()
    owner.picture("web-forgotten")
    left = contents(page.folder)
    assert b"joe-biden" not in left and b"Joe Biden" not in left


def test_a_photo_is_removed_but_not_the_last_one(owner: Visitor, page: WebPage) -> None:
    owner.open("/people/barack-obama")
    owner.page.get_by_text("What the photos were").click()
    owner.check()
    owner.page.get_by_role("button", name=f"Remove the photo {OBAMA_2009.name}").click()
    owner.page.get_by_text("The photo is removed.").wait_for()
    assert people(page)["Barack Obama"] == 1
    owner.page.get_by_text("What the photos were").click()
    assert owner.page.get_by_role("button", name="Remove the photo").count() == 0
    owner.open("/people")
    owner.page.get_by_text("Changes of the last week (1)").click()
    assert "a photo removed" in owner.page.locator("main").inner_text()
    owner.page.get_by_role("button", name="Undo").click()
    owner.page.get_by_text("That change is undone.").wait_for()
    assert people(page)["Barack Obama"] == 2


def test_what_is_kept_of_somebody_can_be_taken_away(owner: Visitor) -> None:
    owner.open("/people/grace-hopper")
    with owner.page.expect_download() as downloaded:
        owner.page.get_by_role("link", name="Export all").click()
    with zipfile.ZipFile(downloaded.value.path()) as archive:
        names = archive.namelist()
        assert names[:2] == ["person.json", "visits.json"] and names[2].startswith("pictures/")
        assert b"Grace Hopper" in archive.read("person.json")
        assert archive.read(names[2])[:3] == b"\xff\xd8\xff"


def first_visitor(path: Path) -> Path:
    """The bundled clip without those who come after Barack Obama."""
    told = clip()
    capture = cv2.VideoCapture(str(FOLDER / told.clip))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), told.fps, (told.width, told.height))
    for _ in range(round(told.visits[1].from_s * told.fps)):
        writer.write(capture.read()[1])
    writer.release()
    return path


@pytest.mark.slow(20)
def test_enrolling_at_the_camera_with_coaching(browser: Browser, tmp_path: Path, demo_gallery: Path) -> None:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    camera = {"realtime": True, "loop": True, "source": str(first_visitor(tmp_path / "first.avi"))}
    config = write_config(
        tmp_path, Broker(tmp_path, port=9), gallery, camera=camera, web={"path": str(tmp_path / "web")}
    )
    with running(config) as daemon, running_page(config, tmp_path) as page, browser.visitor(page.address) as owner:
        daemon.wait_for_log("recognized")
        owner.log_in()
        owner.open("/people/+/add")
        owner.page.get_by_label("Who stands there?").fill("Barry")
        owner.page.get_by_role("button", name="Start").click()
        owner.page.get_by_text("Barry is known by").wait_for(timeout=200_000)
        owner.page.locator("#coach img").last.evaluate("image => image.decode()")
        owner.page.get_by_text("The portraits look like Barack Obama.").wait_for()
        owner.check()
        owner.picture("web-coached")
        found = people(page)["Barry"]
        assert found == owner.page.locator("#coach img").count() > 0
        daemon.wait_for_log("4 people")
        barry = open_gallery(gallery, None).named("Barry")
        assert barry is not None and {one.source for one in barry.templates} == {"camera"}
        # It runs once; and undoing takes all of it back.
        owner.page.reload()
        owner.page.get_by_text("this is over; start again").wait_for()
        owner.open("/people")
        owner.page.get_by_text("Changes of the last week (1)").click()
        owner.page.get_by_role("button", name="Undo").click()
        owner.page.get_by_text("That change is undone.").wait_for()
        assert "Barry" not in people(page)


def test_without_a_daemon_the_camera_says_so(owner: Visitor) -> None:
    owner.open("/people/+/add")
    owner.page.get_by_label("Who stands there?").fill("Eileen")
    owner.page.get_by_role("button", name="Start").click()
    owner.page.get_by_text("link.sock").wait_for()


def send(owner: Visitor, address: str, name: str, *photos: Mapping[str, object]) -> tuple[int, str]:
    """Send the form without its page, as an attacker with a session would; status and text of the answer."""
    owner.open("/people/+/add")
    token = owner.page.locator("input[name=csrf]").first.input_value()
    form = owner.page.evaluate_handle(
        "([token, name]) => { const f = new FormData(); f.append('csrf', token); f.append('name', name); return f; }",
        [token, name],
    )
    for one in photos:
        form.evaluate(
            "(f, [name, text]) =>"
            " f.append('photos', new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name))",
            [one["name"], base64.b64encode(bytes(one["buffer"])).decode()],  # type: ignore[call-overload]
        )
    status, text = owner.page.evaluate(
        "async ([f, to]) => { const a = await fetch(to, {method: 'POST', body: f});"
        " return [a.status, await a.text()]; }",
        [form, f"{address}/people/+/add"],
    )
    owner.errors.clear()
    return status, text


def test_hostile_uploads_are_refused_and_nothing_is_kept(owner: Visitor, page: WebPage) -> None:
    before = people(page)
    for name in ("../../../etc/passwd", "a\\..\\b.jpg", ".hidden.jpg", "--face=1", "x" * 500 + ".jpg", "\u202egpj.jpg"):
        status, text = send(owner, page.address, "Eve", {"name": name, "buffer": b"no picture"})
        assert status == 200 and "not an image in a supported format" in text, (name, text)
    status, text = send(owner, page.address, "Eve", {"name": "bomb.png", "buffer": png(50_000, 50_000)})
    assert status == 200 and "pixels" in text
    small = {"name": "a.jpg", "buffer": OBAMA.read_bytes()}
    assert send(owner, page.address, "Eve", *[small] * 13)[0] in (400, 422)
    assert send(owner, page.address, "Eve")[0] == 422
    for name in ("", "\u202eEve", "x" * 121, "a\nb"):
        assert send(owner, page.address, name, small)[0] == 422
    assert people(page) == before
    kept = [path for path in page.folder.rglob("*") if "passwd" in path.name or path.name.startswith(".hidden")]
    assert all((page.folder / "web" / "uploads") in path.parents for path in kept)
    assert page.process.poll() is None


def test_too_many_bytes_are_refused_before_they_are_read(owner: Visitor, page: WebPage) -> None:
    owner.open("/people/+/add")
    answer = owner.page.evaluate(
        """async (to) => { const f = new FormData(); f.append('photos', new Blob([new Uint8Array(41000000)]), 'a.jpg');
        try { return (await fetch(to, {method: 'POST', body: f})).status; } catch { return 413; } }""",
        f"{page.address}/people/+/add",
    )
    assert answer == 413
    assert not list((page.folder / "web").glob("uploads/*"))
    owner.errors.clear()
