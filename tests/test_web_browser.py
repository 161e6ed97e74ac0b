"""The page in a real browser, on a phone and on a desktop, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.diary.diary_file import DiaryFile
from support.browser import Browser, Scheme, Size, running_browser
from support.diaries import new
from support.web import WebPage, running_page, write_web_config


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, demo_gallery: Path) -> Iterator[WebPage]:
    folder = tmp_path_factory.mktemp("page")
    diary = DiaryFile(folder / "diary.sqlite3", 10)
    for number in range(3):
        diary.add(new(number, "ada" if number else None))
    diary.close()
    with running_page(write_web_config(folder, demo_gallery), folder) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_visits_are_shown_after_logging_in(browser: Browser, page: WebPage, size: Size, scheme: Scheme) -> None:
    with browser.visitor(page.address, size, scheme) as visitor:
        visitor.open("/visits")
        assert "/login?next=/visits" in visitor.page.url
        visitor.check()
        visitor.log_in()
        assert visitor.page.url.endswith("/visits")
        assert visitor.page.locator("article.visit").count() == 3
        visitor.check()
