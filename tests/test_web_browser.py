"""The page in a real browser, on a phone and on a desktop, light and dark: log in, watch, correct, name strangers."""

import time
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.galleries.file import open_gallery
from support.browser import Browser, Scheme, Size
from support.household import PERSON, Household
from support.kept_strangers import keep, seen_as
from support.portraits import COLLINS, HOPPER, OBAMA_2009, OBAMA_2010, read_picture, whosthere
from support.web import running_page

NAME = "Barack Obama"
SHAPES = [
    ("phone", "light"), ("desktop", "dark"),
    pytest.param("phone", "dark", marks=pytest.mark.slow), pytest.param("desktop", "light", marks=pytest.mark.slow),
]  # fmt: skip
MARKUP = "Eve <img src=x onerror=alert(1)> \u202eeve"


def lines_begin(legend: Any) -> set[float]:
    """Where the lines of a chart's legend begin, in pixels from its left edge."""
    entries: list[tuple[float, float]] = legend.evaluate(
        "legend => [...legend.children].map(entry => [entry.getBoundingClientRect().top,"
        " entry.querySelector('.key').getBoundingClientRect().left - legend.getBoundingClientRect().left])"
    )
    return {min(left for top, left in entries if top == line) for line, _ in entries}


def jpeg(path: Path) -> bytes:
    return cv2.imencode(".jpg", cv2.resize(read_picture(path), (192, 192)))[1].tobytes()


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    """Two visits and two strangers."""
    box = Household(tmp_path, demo_gallery)
    strangers = f"strangers:\n  group: true\n  keep: 9\n  path: {tmp_path / 'kept'}\n"
    box.config.write_text(f"{box.config.read_text()}web:\n  path: {tmp_path / 'web'}\n{strangers}")
    box.came(box.looks_like(0.6), jpeg=jpeg(OBAMA_2009))
    box.came(box.looks_like(0.2), named=None, jpeg=jpeg(COLLINS))
    now = time.time() - 3600
    keep(box.config, 1, seen_as(COLLINS), now=now)
    keep(box.config, 2, seen_as(OBAMA_2009), seen_as(OBAMA_2010), now=now)
    return box


@pytest.mark.parametrize(("size", "scheme"), SHAPES)
def test_every_page_is_sound(browser: Browser, box: Household, size: Size, scheme: Scheme) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address, size, scheme) as visitor:
        visitor.open("/visits")
        assert "/login?next=/visits" in visitor.page.url
        visitor.check()
        visitor.log_in()
        assert visitor.page.locator("article.visit").count() == 2
        visitor.check()
        visitor.page.get_by_role("link", name="Why?").first.click()
        visitor.page.locator("svg.chart").wait_for()
        visitor.check()
        assert lines_begin(visitor.page.locator(".legend")) == {0}
        for path, heading in (("/strangers", "Strangers"), ("/corrections", "What you have said")):
            visitor.open(path)
            assert visitor.page.get_by_role("heading", level=1).inner_text() == heading
            visitor.check()


def test_a_visit_arrives_without_reloading(browser: Browser, box: Household) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        visitor.page.wait_for_timeout(1500)

        made = box.came(box.looks_like(0.65, seed=5))

        visitor.page.locator(f"#arrived #visit-{made}").wait_for()
        assert visitor.page.locator("article.visit").count() == 3
        visitor.check()


@pytest.mark.slow
def test_a_wrong_name_is_corrected_with_its_price_and_the_correction_taken_back(
    browser: Browser, box: Household
) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        card = visitor.page.locator("article.visit", has_text=f"Not {NAME}")
        card.get_by_role("link", name=f"Not {NAME}").click()
        card.locator(".panel").wait_for()
        assert f"Price: of {NAME}'s own visits that are only just similar enough" in card.locator(".panel").inner_text()
        visitor.check()
        card.get_by_role("button", name=f"Not {NAME}").click()
        visitor.page.get_by_text("Remembered: this was not").wait_for()
        [line] = box.corrections()
        assert (line["kind"], line["person_id"]) == ("rejected", PERSON)
        visitor.page.get_by_role("button", name="Undo").click()
        visitor.page.get_by_text("Taken back.").wait_for()
        visitor.check()
    assert box.corrections() == []


def test_escape_and_cancel_close_a_panel_and_the_keyboard_stays(browser: Browser, box: Household) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address, "desktop") as visitor:
        visitor.log_in()
        panel = visitor.page.locator("article.visit .panel")
        focused = visitor.page.locator(":focus")
        for opener, key in ((f"Not {NAME}", "Escape"), ("Somebody else", "Escape"), ("Somebody else", "Cancel")):
            visitor.page.get_by_role("link", name=opener).press("Enter")
            panel.wait_for()
            visitor.check()
            if key == "Cancel":
                panel.get_by_role("link", name="Cancel").press("Enter")
            else:
                panel.get_by_role("link").first.focus()
                visitor.page.keyboard.press("Escape")
            panel.wait_for(state="detached")
            assert focused.inner_text() == opener
        visitor.open("/strangers")
        visitor.page.locator("summary").first.press("Enter")
        visitor.page.get_by_role("button", name="Forget them").first.focus()
        visitor.page.keyboard.press("Escape")
        visitor.page.get_by_role("button", name="Forget them").first.wait_for(state="hidden")
        assert focused.inner_text() == "Ignore or forget"
        visitor.check()


def test_a_box_without_a_visit_says_that_the_next_one_appears(browser: Browser, box: Household) -> None:
    (box.folder / "diary.sqlite3").unlink()
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        visitor.page.get_by_text("No visits yet. The next one appears here.").wait_for()
        visitor.open("/visits?who=-")
        visitor.page.get_by_text("No such visits.").wait_for()
        visitor.check()


@pytest.mark.slow
def test_long_names_make_no_page_wider_than_a_phone(browser: Browser, box: Household) -> None:
    words = "Maximiliane Theodora Henriette von Hohenzollern-Sigmaringen und zu Loewenstein"
    word = "Wolfeschlegelsteinhausenbergerdorff" * 2
    for name, photo in ((words, HOPPER), (word, OBAMA_2009)):
        assert whosthere("enroll", "--gallery", box.path, "--person", name, photo).exit_code == 0
    ids = [person.id for person in box.gallery.people if person.name in {words, word}]
    made = [box.came(box.looks_like(0.6, seed=9), named=one) for one in ids]
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        visitor.check()
        visitor.page.get_by_role("link", name="Somebody else").first.click()
        visitor.page.locator(".panel").wait_for()
        visitor.check()
        paths = ["/people", *(f"/people/{one}" for one in ids), *(f"/visits/{one}" for one in made)]
        for path in paths:
            visitor.open(path)
            visitor.check()


@pytest.mark.parametrize(
    "script", [pytest.param(True, id="htmx"), pytest.param(False, id="without-javascript", marks=pytest.mark.slow)]
)
def test_an_unknown_visitor_is_named(browser: Browser, box: Household, script: bool) -> None:
    made = box.came(box.looks_like(0.6, seed=8), named=None)
    with (
        running_page(box.config, box.folder) as page,
        browser.visitor(page.address, java_script_enabled=script) as visitor,
    ):
        visitor.log_in()
        visitor.page.locator(f"#visit-{made}").get_by_role("link", name="This is …").click()
        visitor.page.get_by_role("link", name=NAME, exact=True).click()
        visitor.page.get_by_text("this changes strangers called Barack Obama from 1 in 3,000 to 1 in 2,000").wait_for()
        visitor.page.get_by_role("button", name=f"This is {NAME}").click()
        visitor.page.get_by_text("whom the box knows a little better now").wait_for()
        assert visitor.errors == []
    assert [template.source for template in box.added()] == [f"visit {made}"]


@pytest.mark.slow
@pytest.mark.parametrize("script", [True, False], ids=["htmx", "without-javascript"])
def test_an_unknown_visitor_is_enrolled_as_somebody_new(browser: Browser, box: Household, script: bool) -> None:
    made = box.came(box.looks_like(0.0, seed=77), named=None, jpeg=jpeg(COLLINS))
    with (
        running_page(box.config, box.folder) as page,
        browser.visitor(page.address, java_script_enabled=script) as visitor,
    ):
        visitor.log_in()
        visitor.page.locator(f"#visit-{made}").get_by_role("link", name="Somebody new").click()
        visitor.page.get_by_text("strangers will be called by the new name").wait_for()
        if script:
            visitor.check()
        visitor.page.get_by_label("Name of the new person").fill("Eve <b>Hill</b>")
        visitor.page.get_by_role("button", name="Enrol").click()
        visitor.page.get_by_text("Welcome, Eve <b>Hill</b>.").wait_for()
        visitor.open(f"/visits/{made}/name?person=")
        visitor.page.get_by_role("link", name="Somebody new").last.click()
        visitor.page.get_by_text("found a similarity of 1.00 to Eve <b>Hill</b>").wait_for()
        visitor.open("/people")
        visitor.page.get_by_role("link", name="Eve <b>Hill</b>").wait_for()
        assert visitor.errors == []
    eve = box.gallery.named("Eve <b>Hill</b>")
    assert eve is not None and [one.source for one in eve.templates] == [f"visit {made}"]


def test_right_and_never_tell_me_are_one_and_two_taps(browser: Browser, box: Household) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        visitor.page.get_by_role("button", name="Right").click()
        visitor.page.get_by_text("whom the box knows a little better now").wait_for()
        visitor.page.get_by_role("link", name="Never tell me").click()
        visitor.page.get_by_role("button", name="Never tell me").click()
        visitor.page.get_by_text("nothing is published about this visitor any more").wait_for()
        visitor.check()
    assert sorted(line["kind"] for line in box.corrections()) == ["ignored", "template"]


@pytest.mark.slow
def test_strangers_are_named_ignored_and_forgotten(browser: Browser, box: Household) -> None:
    with running_page(box.config, box.folder) as page, browser.visitor(page.address) as visitor:
        visitor.log_in()
        visitor.open("/strangers")
        assert visitor.page.locator("article h2").all_inner_texts() == ["Stranger 2", "Stranger 1"]
        assert visitor.page.get_by_text("Came twice").count() == 1
        visitor.page.get_by_label("Name of stranger-1").fill(MARKUP)
        visitor.page.locator("article", has_text="Stranger 1").get_by_role("button", name="Name").click()
        visitor.page.get_by_role("status").wait_for()
        assert "unprintable characters" in visitor.page.get_by_role("status").inner_text()
        visitor.page.get_by_label("Name of stranger-1").fill("Eve <b>Hill</b>")
        visitor.page.locator("article", has_text="Stranger 1").get_by_role("button", name="Name").click()
        visitor.page.get_by_text("Welcome, Eve <b>Hill</b>: enrolled with 1 picture.").wait_for(timeout=120_000)
        assert open_gallery(box.path, None).person("Eve <b>Hill</b>") is not None
        visitor.open("/visits")
        assert visitor.page.get_by_role("option", name="Eve <b>Hill</b>").count() == 1
        visitor.open("/strangers")
        visitor.page.locator("summary").click()
        visitor.page.get_by_role("button", name="Forget them").click()
        visitor.page.get_by_text("Forgotten, with all pictures.").wait_for()
        visitor.page.get_by_text("No stranger is kept now").wait_for()
        # The status 422 of the bad name is an entry in the console.
        assert [error for error in visitor.errors if "422" not in error] == []
        assert visitor.foreign == []
