"""The page of the box in a real browser: findings, target, region, backup and restore on a second box."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.diary.diary_file import DiaryFile
from edge.diary.reader import DiaryReader
from edge.galleries.file import open_gallery
from support.broker import Broker
from support.browser import Browser, Visitor
from support.daemon import running, write_config
from support.diaries import new
from support.web import PASSWORD, WebPage, running_page, write_web_config

pytestmark = pytest.mark.slow
"""The rules themselves are tested without a browser, by the tests of the API and the command line."""

OTHER = "another word, then"


def box(folder: Path, demo_gallery: Path) -> Path:
    """A box that has learned something; its config."""
    folder.mkdir()
    gallery = Path(shutil.copy(demo_gallery, folder / "gallery.whg"))
    config = write_web_config(folder, gallery)
    config.write_text("# Mine.\n" + config.read_text() + "match:\n  false_alarm_target: 0.001  # one in a thousand\n")
    diary = DiaryFile(folder / "diary.sqlite3", 10)
    for number in range(3):
        diary.add(new(number, "barack-obama"))
    diary.close()
    return config


@pytest.fixture
def page(tmp_path: Path, demo_gallery: Path) -> Iterator[WebPage]:
    folder = tmp_path / "first"
    with running_page(box(folder, demo_gallery), folder) as found:
        yield found


def test_what_doctor_finds_is_shown_with_the_versions(owner: Visitor) -> None:
    owner.open("/box")
    owner.page.get_by_text("Versions").click(timeout=60_000)
    assert "only one template of" in owner.page.locator("main").inner_text()
    # Without a daemon there is no picture to draw on.
    owner.errors = [text for text in owner.errors if "404" not in text]
    owner.check()
    owner.page.get_by_role("link", name="Show the log").click()
    owner.page.locator("#log + div").get_by_text("journal").or_(owner.page.locator("pre")).first.wait_for()
    owner.open("/box/doctor")
    assert "Versions" in owner.page.locator("main").inner_text()


def test_the_target_is_set_in_people_and_comments_stay(owner: Visitor, page: WebPage) -> None:
    owner.open("/box")
    words = owner.page.locator("#target-words")
    assert "One stranger in 1,000 would be called by a name." in words.inner_text()
    # By the card of the embedder that runs: 3.4 in float32, 3.6 in int8.
    assert re.search(r"missed [34] times in 100", words.inner_text())
    slider = owner.page.get_by_label("Fewer strangers called by a name")
    slider.focus()
    owner.page.keyboard.press("ArrowRight")
    assert "One stranger in 2,000" in words.inner_text()
    owner.page.locator("section[aria-labelledby=target]").get_by_role("button", name="Set").click()
    owner.page.get_by_text("The false-alarm target is changed.").wait_for()
    assert load_config(page.config).config.match.false_alarm_target == 0.0005
    text = page.config.read_text()
    assert "# Mine." in text and "# one in a thousand" in text


def test_the_region_can_be_typed_and_nonsense_is_refused(owner: Visitor, page: WebPage) -> None:
    """Without a daemon too: then there is no picture to draw on."""
    owner.open("/box")
    owner.page.get_by_text("No picture: the daemon is not running").wait_for()
    assert not owner.page.locator("#region-sheet").is_visible()
    region = owner.page.locator("section[aria-labelledby=region]")
    for side, value in (("Left", "10"), ("Top", "20"), ("Right", "90"), ("Bottom", "80")):
        region.get_by_label(f"{side} %").fill(value)
    region.get_by_role("button", name="Set").click()
    owner.page.get_by_text("The region is changed.").wait_for()
    found = load_config(page.config).config.camera.region
    assert (found.left, found.top, found.right, found.bottom) == (0.1, 0.2, 0.9, 0.8)
    region.get_by_label("Left %").fill("89")
    region.get_by_role("button", name="Set").click()
    owner.page.get_by_text("the region is too small").wait_for()
    assert load_config(page.config).config.camera.region == found
    owner.open("/box")
    owner.page.get_by_role("button", name="The whole picture").click()
    owner.page.get_by_text("The region is changed.").wait_for()
    assert load_config(page.config).config.camera.region.right == 1.0


def test_the_region_is_drawn_on_what_a_running_camera_sees(
    browser: Browser, tmp_path: Path, demo_gallery: Path
) -> None:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    config = write_config(
        tmp_path, Broker(tmp_path, port=9), gallery, camera={"realtime": True, "loop": True},
        web={"path": str(tmp_path / "web")},
    )  # fmt: skip
    with running(config) as daemon, running_page(config, tmp_path) as page, browser.visitor(page.address) as owner:
        daemon.wait_for_log("recognized")
        owner.log_in()
        owner.open("/box")
        sheet = owner.page.locator("#region-sheet")
        sheet.locator("img").evaluate("image => image.decode()")
        assert not owner.page.get_by_text("No picture:").is_visible()
        sheet.scroll_into_view_if_needed()
        place = sheet.bounding_box()
        mouse = owner.page.mouse
        mouse.move(place["x"] + 0.25 * place["width"], place["y"] + 0.2 * place["height"])
        mouse.down()
        mouse.move(place["x"] + 0.75 * place["width"], place["y"] + 0.9 * place["height"], steps=4)
        mouse.up()
        assert 24 <= int(owner.page.get_by_label("Left %").input_value()) <= 26
        assert 89 <= int(owner.page.get_by_label("Bottom %").input_value()) <= 91
        owner.page.get_by_text("Versions").wait_for(timeout=60_000)
        owner.check()
        owner.picture("web-box")
        owner.page.locator("section[aria-labelledby=region]").get_by_role("button", name="Set").click()
        owner.page.get_by_text("The region is changed.").wait_for()
        assert 0.24 <= load_config(config).config.camera.region.left <= 0.26
        owner.page.locator("section[aria-labelledby=target]").get_by_role("button", name="Set").click()
        owner.page.get_by_text("The false-alarm target is changed.").wait_for()
        daemon.wait_for_log("changes of camera wait for a restart")


def test_a_backup_is_restored_on_a_second_box(browser: Browser, owner: Visitor, page: WebPage, tmp_path: Path) -> None:
    owner.open("/box")
    with owner.page.expect_download() as saved:
        owner.page.get_by_role("button", name="Save a backup").click()
    assert saved.value.suggested_filename.startswith("front-door-")
    file = saved.value.path()
    folder = tmp_path / "second"
    folder.mkdir()
    with (
        running_page(write_web_config(folder), folder, password=OTHER) as second,
        browser.visitor(second.address) as visitor,
    ):
        visitor.log_in(OTHER)
        for upload, complaint in ((b"nonsense", "not a backup, or damaged"), (file.read_bytes(), "")):
            visitor.open("/box")
            visitor.page.get_by_text("Restore a backup").click()
            visitor.page.get_by_label("File").set_input_files(
                [{"name": "box.whb", "mimeType": "application/octet-stream", "buffer": upload}]
            )
            visitor.page.get_by_label("Replace the people and the diary of this box").check()
            visitor.page.get_by_role("button", name="Restore").click()
            if complaint:
                visitor.page.get_by_text(complaint).wait_for()
                assert not (folder / "gallery.whg").exists()
        visitor.page.get_by_text("From front-door").wait_for()
        assert "3 people, 3 visits" in visitor.page.locator("main").inner_text()
        first = open_gallery(page.folder / "gallery.whg", None)
        assert open_gallery(folder / "gallery.whg", None).people == first.people
        with DiaryReader(folder / "diary.sqlite3") as diary:
            assert len(diary.visits(10)) == 3
        # The session of the former password is over.
        visitor.open("/people")
        assert "/login" in visitor.page.url
        visitor.log_in(PASSWORD)
        assert load_config(second.config).gallery_path == folder / "gallery.whg"
